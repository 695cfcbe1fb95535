"""HTTP/1.1 as far as the simulator needs it: one request and one response per connection."""

import http.client
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
    """The request is not HTTP, or too large."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True)
class Request:
    """A request: its path still percent-encoded, headers by lower-case name, and all bytes received as `raw`.

    Of a repeated query parameter or header, it holds the last value.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    raw: bytes

    @property
    def wants_websocket(self) -> bool:
        """Whether the client requests the upgrade to a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    @property
    def is_valid_handshake(self) -> bool:
        """Whether the upgrade can be accepted (RFC 6455, section 4.2.1)."""
        connection = [word.strip().lower() for word in self.headers.get("connection", "").split(",")]
        return (
            "upgrade" in connection
            and "sec-websocket-key" in self.headers
            and self.headers.get("sec-websocket-version") == "13"
        )


@dataclass(frozen=True)
class Response:
    """A response: its status, and an object that is sent as JSON, unless there is a page."""

    status: int
    content: dict[str, Any]
    headers: tuple[tuple[str, str], ...] = ()
    page: str = ""


def refuse(status: int, message: str, *headers: tuple[str, str]) -> Response:
    """Build a refusal, whose reason is `message`."""
    return Response(status, {"error_message": message}, headers)


def require_method(request: Request, *methods: str) -> Response | None:
    """Return the refusal of a request with another method."""
    if request.method in methods:
        return None
    return refuse(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", ("Allow", ", ".join(methods)))


async def read_request(stream: trio.abc.ReceiveStream) -> Request | None:
    """Read one request; None if the client closes before it is complete.

    Raises `BadRequestError` if it is not HTTP, or is too large.
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
            return _make_request(head, bytes(body), bytes(raw))
        else:  # the client closed its side
            return None


def _make_request(head: h11.Request, body: bytes, raw: bytes) -> Request:
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


async def send_response(stream: trio.abc.SendStream, response: Response) -> None:
    """Send a response, after which the connection closes."""
    content = response.page.encode() or msgspec.json.encode(response.content)
    head = [
        f"HTTP/1.1 {response.status} {http.client.responses.get(response.status, 'Unknown')}",
        f"Content-Type: {'text/html; charset=utf-8' if response.page else 'application/json'}",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in response.headers),
        "Connection: close",
    ]
    await stream.send_all("\r\n".join([*head, "", ""]).encode("ascii") + content)
