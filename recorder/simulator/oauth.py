"""OAuth's side of a login: the device flow (RFC 8628) with the page on which access is allowed, and revocation.

Paths and fields are Pulsoid's ("OAuth 2 Device Authorization Flow" and "Revoke authorization token" in its
documentation). A refresh is `tokens.renew`.
"""

import html
import secrets
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from pulsoid_rec.recorder.simulator.http_request import Request, Response, require_method
from pulsoid_rec.recorder.simulator.tokens import ROOM_SCOPE, Token, Tokens, oauth_error

_DEVICE_PATH = "/oauth2/device_authorization"
_CONSENT_PATH = "/oauth2/device_authorization_consent"
_TOKEN_PATH = "/oauth2/token"  # noqa: S105 - a path
_REVOKE_PATH = "/oauth2/revoke"
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_PENDING, _SLOW_DOWN, _DENIED, _EXPIRED = "authorization_pending", "slow_down", "access_denied", "expired_token"
_ALLOWED = ""

DeviceMode = Literal["ask", "approve", "deny", "expire", "slow"]
"""How a login goes: as its user answers on the page, or by itself."""

_SCRIPTS: dict[DeviceMode, tuple[str, ...]] = {
    "ask": (),
    "approve": (_PENDING, _ALLOWED),
    "deny": (_PENDING, _DENIED),
    "expire": (_PENDING, _EXPIRED),
    "slow": (_SLOW_DOWN, _PENDING, _ALLOWED),
}


@dataclass(frozen=True)
class DeviceFlow:
    """How logins go."""

    mode: DeviceMode = "ask"
    interval_s: float = 1.0  # between two polls
    life_s: float = 600.0  # of a code


DEFAULT_DEVICE_FLOW = DeviceFlow()


@dataclass
class _Login:
    """A login that has begun; `answer` is None until its user has answered, else an error, or empty if allowed."""

    scopes: tuple[str, ...]
    expires_at_s: float
    polls: int = 0
    answer: str | None = None


class OAuth:
    """Begins logins, asks their users, and issues and revokes tokens."""

    def __init__(self, tokens: Tokens, flow: DeviceFlow | None, scheme: str, life_s: float) -> None:
        self._tokens = tokens
        self._life_s = life_s  # of a token
        self._flow = flow  # None: there are no logins
        self._scheme = scheme  # of the page: http or https
        self._logins: dict[str, tuple[str, _Login]] = {}  # by device code, with the user's code

    def respond(self, request: Request, now_s: float) -> Response | None:
        """Respond to a request at a path of OAuth; None at any other."""
        if request.path not in {_DEVICE_PATH, _TOKEN_PATH, _REVOKE_PATH, _CONSENT_PATH}:
            return None
        methods = ("GET", "POST") if request.path == _CONSENT_PATH else ("POST",)
        if refusal := require_method(request, *methods):
            return refusal
        form = dict(parse_qsl(request.body.decode("latin-1")))
        if request.path == _DEVICE_PATH:
            return self._begin(request, form, now_s)
        if request.path == _CONSENT_PATH:
            return self._ask(form if request.method == "POST" else request.query, now_s)
        if request.path == _REVOKE_PATH:
            return self._revoke(form)
        return self._issue(form, now_s) if form.get("grant_type") == _DEVICE_GRANT else self._tokens.renew(form, now_s)

    def is_own_page(self, request: Request) -> bool:
        """Return whether a request comes from the page of a login, and not from another in the same browser."""
        host = request.headers.get("host", "")
        here = urlsplit(f"//{host}").hostname in {"127.0.0.1", "localhost"}  # not a name that somebody lets lead here
        return here and request.headers.get("origin") == f"{self._scheme}://{host}"

    def _begin(self, request: Request, form: dict[str, str], now_s: float) -> Response:
        if form.get("client_id") != self._tokens.application.client_id:
            return oauth_error(HTTPStatus.UNAUTHORIZED, "invalid_client")
        if self._flow is None:
            return oauth_error(HTTPStatus.BAD_REQUEST, "unauthorized_client")
        scopes = tuple(filter(None, form.get("scope", "").split(",")))
        if not scopes:
            return oauth_error(HTTPStatus.BAD_REQUEST, "invalid_scope")
        code, user_code = secrets.token_urlsafe(24), "-".join(secrets.token_hex(2).upper() for _ in range(2))
        self._logins[code] = (user_code, _Login(scopes, now_s + self._flow.life_s))
        page = f"{self._scheme}://{request.headers.get('host', 'localhost')}{_CONSENT_PATH}"
        return Response(
            HTTPStatus.OK,
            {
                "device_code": code,
                "user_code": user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}?user_code={user_code}",
                "expires_in": self._flow.life_s,
                "interval": self._flow.interval_s,
            },
        )

    def _ask(self, form: dict[str, str], now_s: float) -> Response:
        """Show the page of a login, or take its user's answer."""
        user_code = form.get("user_code", "")
        found = next((login for code, login in self._logins.values() if code == user_code), None)
        if found is None or now_s >= found.expires_at_s:
            return _page(HTTPStatus.NOT_FOUND, "<p>There is no login with this code, or no longer.</p>")
        shown = html.escape(user_code)
        if (answer := form.get("answer")) in {"allow", "deny"}:
            found.answer = _ALLOWED if answer == "allow" else _DENIED
            done = "allowed" if answer == "allow" else "denied"
            return _page(HTTPStatus.OK, f"<p>Access is {done}. You can close this page.</p>")
        return _page(
            HTTPStatus.OK,
            f"<p>A program wants access to: {html.escape(', '.join(found.scopes))}.</p><p>Its code is "
            f"<strong>{shown}</strong>.</p><form method=post><input type=hidden name=user_code value='{shown}'>"
            "<button name=answer value=allow>Allow</button> <button name=answer value=deny>Deny</button></form>",
        )

    def _issue(self, form: dict[str, str], now_s: float) -> Response:
        """Respond to a poll: an error (RFC 8628, section 3.5), or a pair of tokens, once."""
        if form.get("client_id") != self._tokens.application.client_id:
            return oauth_error(HTTPStatus.UNAUTHORIZED, "invalid_client")
        code = form.get("device_code", "")
        if self._flow is None or code not in self._logins:
            return oauth_error(HTTPStatus.BAD_REQUEST, "invalid_grant")
        login = self._logins[code][1]
        script = _SCRIPTS[self._flow.mode]
        answer = script[min(login.polls, len(script) - 1)] if script else login.answer
        login.polls += 1
        if now_s >= login.expires_at_s:
            answer = _EXPIRED
        if answer != _ALLOWED:
            return oauth_error(HTTPStatus.BAD_REQUEST, answer or _PENDING)
        del self._logins[code]
        scopes = tuple(each for each in login.scopes if each == ROOM_SCOPE)
        return self._tokens.issue(Token("", scopes=scopes, life_s=self._life_s), now_s)

    def _revoke(self, form: dict[str, str]) -> Response:
        """Respond as RFC 7009 has it: also an unknown token is revoked from now on, and its pair with it."""
        self._tokens.revoke(form.get("token", ""))
        return Response(HTTPStatus.OK, {})


def _page(status: int, content: str) -> Response:
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        "<title>Simulated Pulsoid</title><style>body{font:1.2em sans-serif;max-width:32em;margin:3em auto}"
        f"button{{font:inherit;padding:.5em 1.5em}}</style><h1>Simulated Pulsoid</h1>{content}</html>"
    )
    return Response(status, {}, (("Cache-Control", "no-store"), ("X-Frame-Options", "DENY")), page)
