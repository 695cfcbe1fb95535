"""Check the token over HTTP before the first connection: whose it is, when it ends, or a precise error message."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.websocket import CannotConnectError
from pulsoid_rec.recorder.contract.errors import RefusedError
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.pulsoid.http_client import request

SCOPE = "data:room:read"
_LONGEST_LIFE_S = 1e9  # some 30 years

_T = TypeVar("_T")

log = logging.getLogger(__name__)


class InvalidTokenError(RefusedError):
    """The token is no longer valid; after a refresh another one may be."""


_NEW_TOKEN = "Log in again, or get a new one at https://pulsoid.net/ui/keys."  # noqa: S105 - a sentence, not a token
_ERRORS = {
    7005: InvalidTokenError("The token is unknown to the server", _NEW_TOKEN),
    7006: InvalidTokenError("The token has expired", _NEW_TOKEN),
    7007: RefusedError(
        "The token needs a paid plan of Pulsoid",
        "See https://pulsoid.net, or use the token of an account that has one.",
    ),
    7008: RefusedError(
        f"The token lacks the scope {SCOPE}", f"Get one with the scope {SCOPE} at https://pulsoid.net/ui/keys."
    ),
    7009: RefusedError(
        "The request reached the server without a token", "Check whether a proxy removes the header `Authorization`."
    ),
    7010: RefusedError("The token is malformed", f"Check that it was copied whole. {_NEW_TOKEN}"),
}
_STATUS_ERRORS = {401: InvalidTokenError("The server refused the token (401)", _NEW_TOKEN), 402: _ERRORS[7007]}


@dataclass(frozen=True)
class Validity:
    """What a server says of a valid token; None for what it does not say."""

    scopes: list[str]
    profile_id: str | None
    ends_at: datetime | None

    @property
    def can_record(self) -> bool:
        """Whether it has the scope that rooms need."""
        return SCOPE in self.scopes


class _Valid(msgspec.Struct):
    scopes: list[str]
    profile_id: Any = None
    expires_in: Any = None


class _Invalid(msgspec.Struct):
    error_code: int


async def check_token(
    server_url: ServerUrl, token: str, timings: Timings = DEFAULT_TIMINGS, *, needs_scope: bool = True
) -> Validity | None:
    """Check a token with the server as `ask_about_token` does. No clear answer gives None: the connection will show."""
    try:
        return await ask_about_token(server_url, token, timings, needs_scope=needs_scope)
    except CannotConnectError as error:
        log.info("The token could not be checked before connecting: %s.", error.reason)
        return None


async def ask_about_token(
    server_url: ServerUrl, token: str, timings: Timings = DEFAULT_TIMINGS, *, needs_scope: bool
) -> Validity:
    """Ask the server about a token.

    `needs_scope` is whether a token without the scope that rooms need is refused. Raises `InvalidTokenError` if it is
    unknown or expired, another `RefusedError` if it is refused for another reason, and `CannotConnectError` if the
    server cannot be reached or does not answer clearly.
    """
    headers = {"Authorization": f"Bearer {token}"}
    status, body = await request(server_url, "GET", server_url.validate_path, headers, timings=timings)
    refusal = validity = None
    if status == HTTPStatus.OK:
        validity = _read_validity(_decode(body, _Valid))
        refusal = _ERRORS[7008] if validity and needs_scope and not validity.can_record else None
    elif 400 <= status < 500:  # noqa: PLR2004 - HTTP's client errors
        invalid = _decode(body, _Invalid)
        refusal = _ERRORS.get(invalid.error_code if invalid else 0) or _STATUS_ERRORS.get(status)
    if refusal is not None:
        raise type(refusal)(refusal.message, refusal.hint)  # a new one, without an old traceback
    if validity is None:
        raise CannotConnectError(f"{server_url.authority} gave no clear answer ({status})", status)
    return validity


def _read_validity(valid: _Valid | None) -> Validity | None:
    if valid is None:
        return None
    profile_id = valid.profile_id if isinstance(valid.profile_id, str) else None
    ends_at = None
    with suppress(TypeError, ValueError, OverflowError):  # whatever it is, it is not a number of seconds
        if abs(seconds := float(valid.expires_in)) < _LONGEST_LIFE_S:  # beyond that there may be no local time
            ends_at = datetime.now(UTC) + timedelta(seconds=seconds)
    return Validity(valid.scopes, profile_id, ends_at)


def _decode(body: bytes, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
