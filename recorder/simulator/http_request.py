"""HTTP/1.1 as far as the simulator needs it: one request a connection, one answer."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import h11
import msgspec
import trio

LARGEST_BODY_BYTES = 64 * 1024
_RECEIVE_BYTES = 16 * 1024


class BadRequestError(Exception):
    """What the client sent is not HTTP, or too much of it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True)
class Request:
    """What a client asks for.

    Parameters
    ----------
    method, path
        As sent; the path still percent-encoded.
    query
        The last value of each query parameter.
    headers
        By lower-case name; of a doubled one the last.
    body
        Empty for a WebSocket upgrade.
    raw
        All bytes received, for a WebSocket to start from.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def wants_websocket(self) -> bool:
        """Whether the client asks for the upgrade to a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def is_sound_handshake(self) -> bool:
        """Whether the upgrade can be taken (RFC 6455, section 4.2.1)."""
        connection = [word.strip().lower() for word in self.headers.get("connection", "").split(",")]
        return (
            "upgrade" in connection
            and "sec-websocket-key" in self.headers
            and self.headers.get("sec-websocket-version") == "13"
        )


@dataclass(frozen=True)
class Response:
    """An answer: its status, and an object that is sent as JSON."""

    status: int
    content: dict[str, Any]
    headers: tuple[tuple[str, str], ...] = ()


async def read_request(stream: trio.abc.ReceiveStream) -> Request | None:
    """Read one request.

    Returns
    -------
    Request or None
        None when the client left without a word.

    Raises
    ------
    BadRequestError
        When it is not HTTP, is cut off, or is too large.
    """
    connection = h11.Connection(h11.SERVER)
    raw = bytearray()
    body = bytearray()
    head: h11.Request | None = None
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            raise BadRequestError(error.error_status_hint) from None
        if event is h11.NEED_DATA:
            received = await stream.receive_some(_RECEIVE_BYTES)
            raw += received
            connection.receive_data(bytes(received))
        elif isinstance(event, h11.Request):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > LARGEST_BODY_BYTES:
                raise BadRequestError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            return _request(head, bytes(body), bytes(raw))
        else:  # The client closed its side, or there is nothing more to come.
            return None


def _request(head: h11.Request, body: bytes, raw: bytes) -> Request:
    try:
        url = urlsplit(head.target.decode("ascii"))
        query = parse_qs(url.query, keep_blank_values=True)
    except ValueError:
        raise BadRequestError(HTTPStatus.BAD_REQUEST) from None
    return Request(
        method=head.method.decode("ascii"),
        path=url.path,
        query={name: values[-1] for name, values in query.items()},
        headers={name.decode("ascii"): value.decode("latin-1") for name, value in head.headers},
        body=body,
        raw=raw,
    )


async def answer(stream: trio.abc.SendStream, response: Response) -> None:
    """Send the answer, and say that the connection closes after it."""
    content = msgspec.json.encode(response.content)
    head = [
        f"HTTP/1.1 {response.status} {_phrase(response.status)}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in response.headers),
        "Connection: close",
    ]
    await stream.send_all("\r\n".join([*head, "", ""]).encode("ascii") + content)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
