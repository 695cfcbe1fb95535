"""Access tokens: what they allow, how long they are valid, and how they are renewed.

Statuses and codes are Pulsoid's ("Error Code Format" and "Validate authorization token" in its documentation).
"""

import secrets
from dataclasses import astuple, dataclass, replace
from http import HTTPStatus

from pulsoid_rec.recorder.simulator.http_request import Request, Response

ROOM_SCOPE = "data:room:read"
DEMO_TOKEN = "demo-token"  # noqa: S105 - valid only at the simulator
DEMO_REFRESH_TOKEN = "demo-refresh-token"  # noqa: S105 - likewise
OWNER_ID = "00000000-0000-4000-8000-000000000000"
DAY_S = 24 * 3600.0


@dataclass(frozen=True)
class Token:
    """An access token and its user."""

    access_token: str
    profile_id: str = OWNER_ID  # the user, who must be a member of a room to read it
    scopes: tuple[str, ...] = (ROOM_SCOPE,)
    life_s: float = 30 * DAY_S  # from its issue to its expiry
    premium: bool = True  # whether the user has the plan that Pulsoid requires
    refresh_token: str = ""  # renews it once; empty for none


@dataclass(frozen=True)
class Application:
    """The application that renews tokens."""

    client_id: str = "demo-client"
    client_secret: str = "demo-secret"  # noqa: S105 - valid only at the simulator


DEMO_APPLICATION = Application()


@dataclass(frozen=True)
class Refusal:
    """Why a token is refused: Pulsoid's error code and message, and the HTTP status of the token endpoint."""

    code: int
    message: str
    status: int

    def response(self, status: int | None = None) -> Response:
        """Build the response, with another status where an endpoint has its own."""
        return Response(status or self.status, {"error_code": self.code, "error_message": self.message})


NOT_FOUND = Refusal(7005, "token_not_found", HTTPStatus.FORBIDDEN)
EXPIRED = Refusal(7006, "token_expired", HTTPStatus.FORBIDDEN)
NO_PREMIUM = Refusal(7007, "premium_required", HTTPStatus.PAYMENT_REQUIRED)
NO_SCOPE = Refusal(7008, "insufficient_scope", HTTPStatus.FORBIDDEN)
NO_HEADER = Refusal(7009, "error_authorization_header_is_not_present", HTTPStatus.FORBIDDEN)
BAD_HEADER = Refusal(7010, "error_authorization_header_has_wrong_format", HTTPStatus.FORBIDDEN)


class Tokens:
    """All valid tokens: at first `tokens`, issued at `now_s`, in seconds of any monotonic clock."""

    def __init__(self, tokens: tuple[Token, ...], application: Application, now_s: float) -> None:
        self.application = application
        self.issued = {token.access_token: (token, now_s + token.life_s) for token in tokens}
        """Each token with the time at which it expires, by its access token."""

    def check(self, access_token: str, now_s: float) -> Token | Refusal:
        """Return the token; a refusal if it is unknown, expired, or without the plan."""
        if access_token not in self.issued:
            return NOT_FOUND
        token, expires_at_s = self.issued[access_token]
        if now_s >= expires_at_s:
            return EXPIRED
        return token if token.premium else NO_PREMIUM

    def check_header(self, request: Request, now_s: float) -> Token | Refusal:
        """Check the token of the `Authorization` header."""
        header = request.headers.get("authorization")
        if header is None:
            return NO_HEADER
        scheme, _, access_token = header.partition(" ")
        if scheme.lower() != "bearer" or not access_token.strip():
            return BAD_HEADER
        return self.check(access_token.strip(), now_s)

    def check_upgrade(self, request: Request, now_s: float) -> Token | Refusal:
        """Check the token of a WebSocket upgrade, in the header or else the query, and its scope."""
        in_query = request.query.get("access_token")
        if "authorization" in request.headers or in_query is None:
            found = self.check_header(request, now_s)
        else:
            found = self.check(in_query, now_s)
        if isinstance(found, Token) and ROOM_SCOPE not in found.scopes:
            return NO_SCOPE
        return found

    def expires_in_s(self, access_token: str, now_s: float) -> float:
        """Return for how many seconds a known token is still valid; 0 or less if it has expired."""
        return self.issued[access_token][1] - now_s

    def validate(self, request: Request, now_s: float) -> Response:
        """Respond to `GET /api/v1/token/validate`."""
        found = self.check_header(request, now_s)
        if isinstance(found, Refusal):
            return found.response()
        return Response(
            HTTPStatus.OK,
            {
                "client_id": self.application.client_id,
                "expires_in": int(self.expires_in_s(found.access_token, now_s)),
                "profile_id": found.profile_id,
                "scopes": list(found.scopes),
            },
        )

    def renew(self, form: dict[str, str], now_s: float) -> Response:
        """Respond to `POST /oauth2/token` with a new pair; the old one, expired or not, becomes unknown.

        Refusals are those of RFC 6749, section 5.2.
        """
        if form.get("grant_type") != "refresh_token":
            return oauth_error(HTTPStatus.BAD_REQUEST, "unsupported_grant_type")
        if (form.get("client_id"), form.get("client_secret")) != astuple(self.application):
            return oauth_error(HTTPStatus.UNAUTHORIZED, "invalid_client")
        if not (refresh_token := form.get("refresh_token")):
            return oauth_error(HTTPStatus.BAD_REQUEST, "invalid_request")
        old = next((token for token, _ in self.issued.values() if token.refresh_token == refresh_token), None)
        if old is None:
            return oauth_error(HTTPStatus.BAD_REQUEST, "invalid_grant")
        del self.issued[old.access_token]
        return self.issue(old, now_s)

    def revoke(self, text: str) -> None:
        """Forget a token with its refresh token, by either of them."""
        for token, _ in list(self.issued.values()):
            if text and text in (token.access_token, token.refresh_token):
                del self.issued[token.access_token]

    def issue(self, like: Token, now_s: float) -> Response:
        """Respond with a new pair of tokens, with all else as of `like`."""
        new = replace(like, access_token=secrets.token_urlsafe(24), refresh_token=secrets.token_urlsafe(24))
        self.issued[new.access_token] = (new, now_s + new.life_s)
        return Response(
            HTTPStatus.OK,
            {
                "access_token": new.access_token,
                "expires_in": int(new.life_s),
                "refresh_token": new.refresh_token,
                "token_type": "bearer",
            },
            (("Cache-Control", "no-store"),),
        )


def oauth_error(status: int, error: str) -> Response:
    """Build an error as OAuth has it (RFC 6749, section 5.2)."""
    return Response(status, {"error": error})
