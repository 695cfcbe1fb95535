"""Is the token good? Asked over HTTP before the first connection, so that each fault has a sentence of its own."""

import http.client
import logging

import msgspec

from recorder.errors import RefusedError
from recorder.server import Server

SCOPE = "data:room:read"
TIMEOUT_S = 10.0
_NEW_TOKEN = "Get a new one at https://pulsoid.net/ui/keys."  # noqa: S105 - a sentence, not a token
_REFUSALS = {
    7005: ("The server does not know this token", _NEW_TOKEN),
    7006: ("The token has expired", _NEW_TOKEN),
    7007: (
        "The token needs a paid plan of Pulsoid's",
        "See https://pulsoid.net, or use a token of somebody who has one.",
    ),
    7008: (f"The token lacks the scope {SCOPE}", f"Get one with the scope {SCOPE} at https://pulsoid.net/ui/keys."),
    7010: ("The server takes this for no token at all", f"Check that it was copied whole. {_NEW_TOKEN}"),
}

log = logging.getLogger(__name__)


class _Valid(msgspec.Struct):
    scopes: list[str]
    expires_in: float | None = None


class _Invalid(msgspec.Struct):
    error_code: int


def check_token(server: Server, token: str) -> None:
    """Ask the server about a token. Blocks; for a worker thread.

    A server that gives no answer to understand has not said no: the connection itself will tell.

    Raises
    ------
    RefusedError
        The server does not know the token, it has expired, or it is not for rooms.
    """
    try:
        status, body = _ask(server, token)
    except (OSError, http.client.HTTPException) as error:
        log.info("The token could not be checked beforehand: %s.", error)
        return
    if status == http.HTTPStatus.OK:
        _require_scope(body)
    elif 400 <= status < 500:  # noqa: PLR2004 - the client errors of HTTP
        _refuse(status, body)


def _ask(server: Server, token: str) -> tuple[int, bytes]:
    # http.client follows no redirect: the token goes to the server named, and to no other.
    connection = (
        http.client.HTTPSConnection(server.host, server.port, timeout=TIMEOUT_S, context=server.tls)
        if server.tls
        else http.client.HTTPConnection(server.host, server.port, timeout=TIMEOUT_S)
    )
    try:
        connection.request("GET", server.validate_path, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST_BYTES)
    finally:
        connection.close()


_MOST_BYTES = 64 * 2**10


def _require_scope(body: bytes) -> None:
    try:
        valid = msgspec.json.decode(body, type=_Valid)
    except msgspec.MsgspecError:
        return
    if SCOPE not in valid.scopes:
        raise RefusedError(*_REFUSALS[7008])


def _refuse(status: int, body: bytes) -> None:
    try:
        code = msgspec.json.decode(body, type=_Invalid).error_code
    except msgspec.MsgspecError:
        code = 0
    if code in _REFUSALS:
        raise RefusedError(*_REFUSALS[code])
    if status == http.HTTPStatus.UNAUTHORIZED:
        raise RefusedError("The server refused the token (401)", _NEW_TOKEN)
