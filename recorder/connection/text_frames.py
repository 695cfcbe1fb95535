"""Text messages, split off a server's bytes before the WebSocket library sees them. Pure.

Nearly everything a room sends is short text messages, each in one frame. The library takes some 15 microseconds and
two scheduler turns for each; parsed here, they take one. Long messages and those in fragments are put together here
too, in bounded memory: of a text above a limit only the beginning is kept, and binary messages are skipped.

Pings and pongs are passed on to the library, and at the first byte of anything else (a close, a protocol violation) it
takes over for the rest of the connection, to answer as the protocol demands. Frames: RFC 6455, section 5.
"""

from codecs import getincrementaldecoder
from typing import NamedTuple

from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits

_FINAL = 0x80  # set in the first byte of the last, or only, fragment of a message
_CONTINUED, _TEXT_BEGINS, _BINARY_BEGINS = 0x0, 0x1, 0x2
_TEXT = _FINAL | _TEXT_BEGINS
_PING, _PONG = 0x89, 0x8A
_IN_TWO_BYTES, _IN_EIGHT_BYTES = 126, 127  # where a length is; shorter ones are in the second byte of the frame itself

_new_utf_8_decoder = getincrementaldecoder("utf-8")

# What the library is shown in place of what it has not seen, so that it fails as if it had.
_BEGUN = {True: b"\x01\x00", False: b"\x02\x00"}
_INVALID_UTF_8 = b"\x81\x01\xff"
_TOO_LARGE = b"\x82\x01\x00"  # to a library that accepts no message but an empty one


class LongText(NamedTuple):
    """A text above a limit: its beginning, its size, and which limit."""

    start: str
    size_bytes: int
    reason: str


Text = str | LongText


class TextFrames:
    """Splits what a server sends after its handshake, in pieces of any size."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._rest = b""  # a frame that is incomplete
        self._message: _Message | None = None  # one that is incomplete, and not in `_rest`
        self._texts: list[Text] = []
        self._passed: list[bytes] = []
        self.is_over = False
        """Whether the library has taken over."""
        self.fault = b""
        """The message or frame at which it did, and what came behind, up to `raw_bytes`."""

    def cut(self, data: bytes | bytearray) -> tuple[list[Text], bytes]:
        """Split the next bytes into complete messages, in order, and what is for the library, perhaps nothing.

        Of several pongs in a row it gets the last, which answers the earlier pings too. `data` is empty at the end of
        the connection.
        """
        is_end = not data
        data, self._rest = self._rest + data, b""
        if self.is_over or is_end:
            self._keep_fault(data)
            return [], data
        self._texts, self._passed = [], []
        try:
            self._rest = data[self._split(data) :]
        except _ViolationError as violation:
            self.is_over = True
            message, rest = self._message, data[violation.at :]
            self._keep_fault(bytes(message.start) + rest if message else rest)
            self._passed.append(violation.shown or (_BEGUN[message.is_text] + rest if message else rest))
        return self._texts, b"".join(self._passed)

    def _keep_fault(self, data: bytes) -> None:
        self.fault = (self.fault + data)[: self._limits.raw_bytes]

    def _split(self, data: bytes) -> int:
        """Return where a frame begins that is incomplete."""
        at, end, texts = 0, len(data), self._texts
        if self._message is not None:
            at = self._continue(self._message, data, at)
        while end - at > 1 and self._message is None:
            first, length, start = data[at], data[at + 1], at + 2
            if length == _IN_TWO_BYTES:
                start += 2
                if start > end:
                    break
                length = data[at + 2] << 8 | data[at + 3]
                is_usual = length >= _IN_TWO_BYTES and first == _TEXT
            else:
                is_usual = length < _IN_TWO_BYTES and (first == _TEXT or first in (_PING, _PONG))
            stop = start + length
            if is_usual and stop > end:
                break
            if not is_usual:
                stop = self._begin(data, at)
                if stop == at:
                    break
            elif first == _TEXT:
                try:
                    texts.append(data[start:stop].decode())
                except UnicodeDecodeError:
                    raise _ViolationError(at) from None
            else:
                self._pass(data[at:stop])
            at = stop
        return at

    def _begin(self, data: bytes, at: int) -> int:
        """Take what there is of a long, fragmented or binary message, and return where that ends."""
        opcode = data[at] & ~_FINAL
        if opcode not in (_TEXT_BEGINS, _BINARY_BEGINS):
            raise _ViolationError(at)
        if (head := _read_head(data, at)) is None:
            return at
        self._message = _Message(self._limits, is_text=opcode == _TEXT_BEGINS)
        return self._continue(self._message, data, self._message.begin_frame(head))

    def _continue(self, message: "_Message", data: bytes, at: int) -> int:
        """Take what there is of a message, and the pings and pongs in it; return where that ends."""
        end = len(data)
        while True:
            if message.left_bytes:
                at = message.add(data, at)
            if message.is_complete:
                self._texts += message.texts(at)
                self._message = None
                return at
            if end - at < 2:  # noqa: PLR2004 - bytes of the shortest frame
                return at
            if data[at] in (_PING, _PONG):
                stop = at + 2 + data[at + 1]
                if data[at + 1] >= _IN_TWO_BYTES:
                    raise _ViolationError(at)
                if stop > end:
                    return at
                self._pass(data[at:stop])
                at = stop
            elif data[at] & ~_FINAL != _CONTINUED:
                raise _ViolationError(at)
            elif (head := _read_head(data, at)) is None:
                return at
            else:
                at = message.begin_frame(head)

    def _pass(self, frame: bytes) -> None:
        if self._passed and frame[0] == _PONG == self._passed[-1][0]:
            self._passed.pop()
        self._passed.append(frame)


class _ViolationError(Exception):
    """The library has to take over, at a position; or is `shown` something in place of what is there."""

    def __init__(self, at: int, shown: bytes = b"") -> None:
        super().__init__(at, shown)
        self.at = at
        self.shown = shown


class _Message:
    """A message that arrives in pieces: of a text what there is so far, of a binary one nothing."""

    def __init__(self, limits: Limits, *, is_text: bool) -> None:
        self._limits = limits
        self.is_text = is_text
        self.start = bytearray()
        """All of it so far; above a limit no more than `raw_bytes`."""
        self._check = _new_utf_8_decoder().decode
        self._size_bytes = self._fragments = 0
        self._excess = ""
        self._is_last = False
        self.left_bytes = 0
        """What is still to come of the present frame."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is still to come."""
        return self._is_last and not self.left_bytes

    def begin_frame(self, head: "_Head") -> int:
        """Begin the next frame; return where its payload does."""
        limits = self._limits
        self._is_last, self.left_bytes = head.is_last, head.length
        self._size_bytes += head.length
        self._fragments += 1
        if self._size_bytes + self._fragments > limits.endless_bytes:
            raise _ViolationError(head.at, _TOO_LARGE)
        if self._size_bytes > limits.message_bytes:
            self._excess = f"it is larger than {limits.message_bytes:,} bytes"
        elif self._fragments > limits.message_fragments:
            self._excess = f"it is in more than {limits.message_fragments:,} fragments"
        return head.start

    def add(self, data: bytes, at: int) -> int:
        """Take what there is of the present frame; return where that ends."""
        stop = min(at + self.left_bytes, len(data))
        self.left_bytes -= stop - at
        if self.is_text:
            room = self._limits.raw_bytes - len(self.start) if self._excess else stop - at
            part = data[at : min(stop, at + max(room, 0))]
            try:
                self._check(part)
            except UnicodeDecodeError:
                raise _ViolationError(at, _INVALID_UTF_8) from None
            self.start += part
        return stop

    def texts(self, at: int) -> list[Text]:
        """Return the complete text, or none of a binary message."""
        if not self.is_text:
            return []
        if self._excess:
            start = self.start[: self._limits.raw_bytes].decode(errors="ignore")  # the cut may be in a character
            return [LongText(start, self._size_bytes, self._excess)]
        try:
            return [self.start.decode()]
        except UnicodeDecodeError:
            raise _ViolationError(at, _INVALID_UTF_8) from None


class _Head(NamedTuple):
    """The head of a frame: where that is, where its payload begins, and how long that is."""

    at: int
    start: int
    length: int
    is_last: bool


def _read_head(data: bytes, at: int) -> _Head | None:
    """Read the head of a frame of data; None if it is incomplete."""
    length, start = data[at + 1], at + 2
    if length >= _IN_TWO_BYTES:
        size = {_IN_TWO_BYTES: 2, _IN_EIGHT_BYTES: 8}.get(length)
        if size is None:  # it is masked, as only a client's frames are
            raise _ViolationError(at)
        start += size
        if start > len(data):
            return None
        length = int.from_bytes(data[at + 2 : start])
        if not (_IN_TWO_BYTES if size == 2 else 2**16) <= length < 2**63:  # noqa: PLR2004 - it fits into fewer bytes
            raise _ViolationError(at)
    return _Head(at, start, length, data[at] >= _FINAL)
