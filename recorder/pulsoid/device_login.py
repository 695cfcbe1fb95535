"""Log in by OAuth's device flow (RFC 8628): the user allows access on a page, while this asks for the token.

What is to be shown comes from the server, and is shown only if it is a code and a link: nothing that a terminal would
obey, and no link but to a page that is encrypted, or on this machine if the server is.
"""

import math
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import trio

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.websocket import CannotConnectError
from pulsoid_rec.recorder.contract.errors import PulsoidRecError, RefusedError
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.pulsoid.credentials import is_token
from pulsoid_rec.recorder.pulsoid.http_client import post_form
from pulsoid_rec.recorder.pulsoid.known_secrets import add_secrets, redact
from pulsoid_rec.recorder.pulsoid.token_check import SCOPE

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL_S, _LIFE_S = 5.0, 600.0  # where the server does not say; the former is RFC 8628's
_LONGEST_INTERVAL_S, _LONGEST_LIFE_S = 60.0, 3600.0
_CODE_CHARS, _LINK_CHARS = 100, 2000
_ERROR_CODE = re.compile(r"[a-z_]{1,40}")
_BY_HAND = "Get a token by hand at https://pulsoid.net/ui/keys."
_AGAIN = "Run `pulsoid-rec login` again."
_REFUSALS = {
    "access_denied": ("Access was denied on the page", "Run `pulsoid-rec login` again to allow it."),
    "expired_token": ("The code expired before access was allowed", _AGAIN),
    "invalid_grant": ("The server no longer accepts the code: it was denied, used or has expired", _AGAIN),
    "invalid_scope": (f"The server gives no token with the scope {SCOPE} to this application", _BY_HAND),
    "invalid_client": (
        "The server does not know this client id",
        "Give that of your application, from https://pulsoid.net/ui/api-clients, with --client-id.",
    ),
    "unauthorized_client": ("The server allows this application no login by device flow", _BY_HAND),
    "unsupported_grant_type": ("The server has no login by device flow", _BY_HAND),
}


@dataclass(frozen=True)
class DeviceCode:
    """A login that has begun: what the user is shown, and the code that the token is asked for with."""

    code: str = field(repr=False)
    user_code: str
    link: str
    has_code: bool  # whether the link has the user's code in it
    interval_s: float
    life_s: float


async def request_code(issuer: ServerUrl, client_id: str, timings: Timings = DEFAULT_TIMINGS) -> DeviceCode:
    """Begin a login; `RefusedError` if the server refuses, or cannot be reached, or answers what is not to be shown."""
    form = {"client_id": client_id, "scope": SCOPE}
    try:
        status, answer = await post_form(issuer, issuer.device_path, form, timings)
    except CannotConnectError as error:
        raise RefusedError(f"Cannot log in: {error.reason}", "Check the network and --server.") from None
    if status != HTTPStatus.OK or answer is None or _error_code(answer):
        raise _refusal(issuer, status, answer)
    code, user_code = answer.get("device_code"), answer.get("user_code")
    if not is_token(code) or not is_token(user_code) or len(user_code) > _CODE_CHARS:
        raise _unusable(issuer, "no code that can be shown")
    add_secrets(code)
    complete = answer.get("verification_uri_complete")
    link = complete or answer.get("verification_uri")
    if not _is_safe(link, issuer) or redact(f"{link} {user_code}") != f"{link} {user_code}":
        raise _unusable(issuer, "no link that is safe to open")
    asked_s = min(_LONGEST_INTERVAL_S, _seconds(answer.get("interval"), _INTERVAL_S))
    life_s = min(_LONGEST_LIFE_S, _seconds(answer.get("expires_in"), _LIFE_S))
    return DeviceCode(code, user_code, str(link), bool(complete), max(asked_s, timings.shortest_login_poll_s), life_s)


async def wait_for_token(
    issuer: ServerUrl, client_id: str, device: DeviceCode, timings: Timings = DEFAULT_TIMINGS
) -> dict[str, Any]:
    """Ask for the token until the user has allowed access; return the answer, with its tokens checked for their format.

    A server that cannot be reached, or has a fault, is asked again, at longer and longer intervals. Raises
    `RefusedError` if access is denied, or not allowed in time. Cancelled, a token may have been issued that nobody has.
    """
    interval_s = device.interval_s
    form = {"grant_type": _GRANT, "device_code": device.code, "client_id": client_id}
    problem = ""
    with trio.move_on_after(device.life_s):
        while True:
            await trio.sleep(interval_s)
            try:
                status, answer = await post_form(issuer, issuer.token_path, form, timings)
            except CannotConnectError as failure:
                problem = f" ({failure.reason})"
                interval_s = min(interval_s * 2, _LONGEST_INTERVAL_S)
                continue
            problem = ""
            error = _error_code(answer)  # some servers send it with status 200
            if status == HTTPStatus.OK and not error:
                return _check_tokens(issuer, answer or {})
            if error == "slow_down" or status == HTTPStatus.TOO_MANY_REQUESTS:
                interval_s += timings.login_slow_down_s
            elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                interval_s = min(interval_s * 2, _LONGEST_INTERVAL_S)
            elif error != "authorization_pending":
                raise _refusal(issuer, status, answer)
    message, hint = _REFUSALS["expired_token"]
    raise RefusedError(f"{message}{problem}", hint)


async def revoke(server_url: ServerUrl, token: str, timings: Timings = DEFAULT_TIMINGS) -> bool:
    """Revoke a token; return whether the server says so. Raises `CannotConnectError` without an answer."""
    status, _ = await post_form(server_url, server_url.revoke_path, {"token": token}, timings)
    return HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES


def _check_tokens(issuer: ServerUrl, answer: dict[str, Any]) -> dict[str, Any]:
    tokens = {name: answer[name] for name in ("access_token", "refresh_token") if is_token(answer.get(name))}
    add_secrets(*tokens.values())
    if "access_token" not in tokens:
        raise _unusable(issuer, "no access token, or what cannot be one")
    return {**tokens, "expires_in": answer.get("expires_in")}


def _is_safe(link: object, issuer: ServerUrl) -> bool:
    if not is_token(link) or len(link) > _LINK_CHARS:
        return False
    try:
        parts = urlsplit(link)
        host, user = parts.hostname, parts.username
    except ValueError:
        return False
    if not host or user is not None:
        return False
    here = issuer.is_this_machine and ServerUrl(host, 80, None).is_this_machine
    return parts.scheme == "https" or (parts.scheme == "http" and here)


def _seconds(value: object, default: float) -> float:
    try:
        seconds = float(value)  # type: ignore[arg-type] # whatever it is
    except (TypeError, ValueError, OverflowError):
        return default
    return seconds if math.isfinite(seconds) and seconds > 0 else default


def _error_code(answer: dict[str, Any] | None) -> str:
    """Return the code of an error, as OAuth or Pulsoid has it; empty if it is none that can be shown."""
    found = (answer or {}).get("error") or (answer or {}).get("error_message")
    return found if isinstance(found, str) and _ERROR_CODE.fullmatch(found) else ""


def _refusal(issuer: ServerUrl, status: int, answer: dict[str, Any] | None) -> PulsoidRecError:
    error = redact(_error_code(answer))
    if error in _REFUSALS:
        message, hint = _REFUSALS[error]
        return RefusedError(f"{message} ({error})", hint)
    if status == HTTPStatus.NOT_FOUND:
        return RefusedError(*_REFUSALS["unsupported_grant_type"])
    reason = f"{status}, {error}" if error else str(status)
    return RefusedError(f"{issuer.authority} refused the login ({reason})", f"Try again later. {_BY_HAND}")


def _unusable(issuer: ServerUrl, what: str) -> PulsoidRecError:
    return RefusedError(f"{issuer.authority} answered the login with {what}", f"Check --server. {_BY_HAND}")
