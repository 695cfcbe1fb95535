"""Whole text messages, split off a server's bytes before the WebSocket library sees them. Pure.

Nearly everything a room sends is short text messages, each in one frame. The library takes some 15 microseconds and
two scheduler turns for each; parsed here, they take one. Pings and pongs are passed on to the library, and at the first
byte of anything else (a close, a fragment, binary data, a long or masked frame, invalid UTF-8, a protocol violation) it
takes over for the rest of the connection. So unusual frames are handled in one place, and messages keep their order.
Frames: RFC 6455, section 5.2.
"""

_TEXT = 0x81  # the last, and only, fragment of a text
_PING_PONG = (0x89, 0x8A)
_LENGTH_IN_TWO_BYTES = 126  # shorter ones are in the second byte of the frame itself


class TextFrames:
    """Splits what a server sends after its handshake, in pieces of any size."""

    def __init__(self) -> None:
        self._rest = b""
        self.is_over = False
        """Whether the library has taken over."""

    def cut(self, data: bytes | bytearray) -> tuple[list[str], bytes]:
        """Split the next bytes into complete messages, in order, and what is for the library, perhaps nothing.

        An incomplete frame is kept until the rest of it comes. `data` is empty at the end of the connection.
        """
        if self.is_over or not data:
            rest, self._rest = self._rest, b""
            return [], rest + data
        data, self._rest = self._rest + data, b""
        texts: list[str] = []
        passed: list[bytes] = []
        at, end = 0, len(data)
        while end - at > 1:
            first, length, start = data[at], data[at + 1], at + 2
            if length == _LENGTH_IN_TWO_BYTES:
                start += 2
                if start > end:
                    break
                length = data[at + 2] << 8 | data[at + 3]
                is_usual = length >= _LENGTH_IN_TWO_BYTES and first == _TEXT
            else:
                is_usual = length < _LENGTH_IN_TWO_BYTES and (first == _TEXT or first in _PING_PONG)
            stop = start + length
            if is_usual and stop > end:
                break
            if is_usual and first != _TEXT:
                passed.append(data[at:stop])
            elif not (is_usual and _append_text(data[start:stop], texts)):
                self.is_over = True
                passed.append(data[at:])
                return texts, b"".join(passed)
            at = stop
        self._rest = data[at:]
        return texts, b"".join(passed)


def _append_text(payload: bytes, texts: list[str]) -> bool:
    try:
        texts.append(payload.decode())
    except UnicodeDecodeError:
        return False
    return True
