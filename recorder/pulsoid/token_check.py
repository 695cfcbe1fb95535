"""Is the token good? Asked over HTTP before the first connection, so that each fault has a sentence of its own."""

import http
import logging

import msgspec

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.websocket import CannotConnectError
from pulsoid_rec.recorder.contract.errors import RefusedError
from pulsoid_rec.recorder.pulsoid.http_client import request

SCOPE = "data:room:read"
_NEW_TOKEN = "Get a new one at https://pulsoid.net/ui/keys."  # noqa: S105 - a sentence, not a token
_DEAD = {
    7005: ("The server does not know this token", _NEW_TOKEN),
    7006: ("The token has expired", _NEW_TOKEN),
}
_REFUSALS = {
    7007: (
        "The token needs a paid plan of Pulsoid's",
        "See https://pulsoid.net, or use a token of somebody who has one.",
    ),
    7008: (f"The token lacks the scope {SCOPE}", f"Get one with the scope {SCOPE} at https://pulsoid.net/ui/keys."),
    7009: (
        "The server saw no token in the request",
        "Something between you and the server (a proxy?) takes the header `Authorization` out.",
    ),
    7010: ("The server takes this for no token at all", f"Check that it was copied whole. {_NEW_TOKEN}"),
}

log = logging.getLogger(__name__)


class DeadTokenError(RefusedError):
    """The token is good no more; another one may be."""


class _Valid(msgspec.Struct):
    scopes: list[str]


class _Invalid(msgspec.Struct):
    error_code: int


async def check_token(server: ServerUrl, token: str) -> None:
    """Ask the server about a token.

    A server that gives no answer to understand has not said no: the connection itself will tell.

    Raises
    ------
    DeadTokenError
        The server does not know the token, or it has expired.
    RefusedError
        It is not for rooms, or of no use for another reason.
    """
    try:
        status, body = await request(server, "GET", server.validate_path, {"Authorization": f"Bearer {token}"})
    except CannotConnectError as error:
        log.info("The token could not be checked beforehand: %s.", error.reason)
        return
    if status == http.HTTPStatus.OK:
        _require_scope(body)
    elif 400 <= status < 500:  # noqa: PLR2004 - the client errors of HTTP
        _refuse(status, body)


def _require_scope(body: bytes) -> None:
    try:
        valid = msgspec.json.decode(body, type=_Valid)
    except (msgspec.MsgspecError, RecursionError):
        return
    if SCOPE not in valid.scopes:
        raise RefusedError(*_REFUSALS[7008])


def _refuse(status: int, body: bytes) -> None:
    try:
        code = msgspec.json.decode(body, type=_Invalid).error_code
    except (msgspec.MsgspecError, RecursionError):
        code = 0
    if code in _DEAD:
        raise DeadTokenError(*_DEAD[code])
    if code in _REFUSALS:
        raise RefusedError(*_REFUSALS[code])
    if status == http.HTTPStatus.UNAUTHORIZED:
        raise DeadTokenError("The server refused the token (401)", _NEW_TOKEN)
    if status == http.HTTPStatus.PAYMENT_REQUIRED:
        raise RefusedError(*_REFUSALS[7007])
