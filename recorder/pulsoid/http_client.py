"""Send one HTTP request and receive the answer, for everything about tokens.

No redirect is followed: a request goes to no other server than the one given.
"""

from typing import Any
from urllib.parse import urlencode

import h11
import msgspec
import trio

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.websocket import USER_AGENT, CannotConnectError, fail_after, open_stream
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings

_RECEIVE_BYTES = 16 * 2**10
_LARGEST_ANSWER_BYTES = 64 * 2**10


async def request(
    server_url: ServerUrl,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes = b"",
    *,
    timings: Timings = DEFAULT_TIMINGS,
) -> tuple[int, bytes]:
    """Send a request, and return the answer's status and content; `CannotConnectError` without an HTTP answer.

    Cancelled, it drops the connection; the server may have carried out the request.
    """
    stream = await open_stream(server_url, timings)
    connection = h11.Connection(h11.CLIENT)
    lines = {
        "Host": server_url.authority.encode("idna").decode(),
        "User-Agent": USER_AGENT,
        "Accept": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    request = h11.Request(method=method, target=path, headers=list(lines.items()))
    try:
        with fail_after(timings.answer_timeout_s, server_url.authority):
            head = connection.send(request) or b""
            data = connection.send(h11.Data(data=body)) or b""
            end = connection.send(h11.EndOfMessage()) or b""
            await stream.send_all(head + data + end)
            return await _receive(stream, connection)
    except (h11.RemoteProtocolError, trio.BrokenResourceError):
        raise CannotConnectError(f"{server_url.authority} closed the connection or did not answer in HTTP") from None
    finally:
        await trio.aclose_forcefully(stream)


async def post_form(
    server_url: ServerUrl, path: str, form: dict[str, str], timings: Timings = DEFAULT_TIMINGS
) -> tuple[int, dict[str, Any] | None]:
    """Send a form, as OAuth has it; return the status, and the answer if it is a JSON object. Raises as `request`."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    status, body = await request(server_url, "POST", path, headers, urlencode(form).encode(), timings=timings)
    try:
        return status, msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return status, None


async def _receive(stream: trio.abc.ReceiveStream, connection: h11.Connection) -> tuple[int, bytes]:
    status = 0
    content = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some(_RECEIVE_BYTES)))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            content += event.data
            if len(content) > _LARGEST_ANSWER_BYTES:
                return status, b""  # no answer about a token is that long
        elif isinstance(event, h11.EndOfMessage):
            return status, bytes(content)
        elif not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("no answer")
