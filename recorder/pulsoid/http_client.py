"""One HTTP request and its answer: what the check and the refresh of a token need of HTTP.

No redirect is followed: what a request holds goes to the server named, and to no other.
"""

import h11
import trio

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.websocket import USER_AGENT, CannotConnectError, no_answer, open_stream

ANSWER_TIMEOUT_S = 10.0
LARGEST_ANSWER_BYTES = 64 * 2**10
_RECEIVE_BYTES = 16 * 2**10


async def request(
    server: ServerUrl, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> tuple[int, bytes]:
    """Send a request, and return the answer's status and content.

    Cancelled, it drops the connection; the server may have done what was asked.

    Raises
    ------
    CannotConnectError
        Nobody is there, it does not answer within 10 s, or not in HTTP.
    """
    stream = await open_stream(server)
    connection = h11.Connection(h11.CLIENT)
    lines = {
        "Host": server.authority.encode("idna").decode(),
        "User-Agent": USER_AGENT,
        "Accept": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
        **headers,
    }
    request = h11.Request(method=method, target=path, headers=list(lines.items()))
    try:
        with trio.fail_after(ANSWER_TIMEOUT_S):
            head = connection.send(request) or b""
            data = connection.send(h11.Data(data=body)) or b""
            end = connection.send(h11.EndOfMessage()) or b""
            await stream.send_all(head + data + end)
            return await _receive(stream, connection)
    except trio.TooSlowError:
        raise no_answer(server) from None
    except (h11.RemoteProtocolError, trio.BrokenResourceError):
        raise CannotConnectError(f"{server.authority} hung up, or answered with something else than HTTP") from None
    finally:
        await trio.aclose_forcefully(stream)


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
            if len(content) > LARGEST_ANSWER_BYTES:
                return status, b""  # no answer to a question about tokens is that long
        elif isinstance(event, h11.EndOfMessage):
            return status, bytes(content)
        elif not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("no answer")
