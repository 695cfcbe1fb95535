"""Decide whether a token may be sent to a server: for the room, the check and the refresh alike. Pure.

A token is read for a named server, and is not returned if it may not be sent there.
"""

from functools import lru_cache

from pulsoid_rec.recorder.connection.server_url import ServerUrl, parse_server_url
from pulsoid_rec.recorder.contract.defaults import DEFAULT_SERVER
from pulsoid_rec.recorder.contract.errors import UsageError

_PULSOID_REFRESHES_AT = "pulsoid.net"  # rooms and checks are at DEFAULT_SERVER

_parse = lru_cache(parse_server_url)  # it loads the certificates of TLS, and a token is read for each connection


def require_permitted(server_url: ServerUrl, source: str, owner: str | None, *, allow_unencrypted: bool) -> None:
    """Raise `UsageError` unless a token, and all that belongs to it, may be sent to `server_url`.

    `source` is where the token was read from, for the message. `owner` is the URL of the only server that the token is
    for; None if it is for the one that its user named beside it. With `allow_unencrypted` the user accepts that others
    could read it on the way; a connection within this machine is always allowed.
    """
    if owner is not None:
        try:
            owner = _parse(owner).url
        except UsageError:
            hint = f"Give it as {DEFAULT_SERVER} or ws://127.0.0.1:8765."
            raise UsageError(f'"server" in {source} is not the URL of a server', hint) from None
        if server_url.url != owner:
            raise UsageError(
                f"The token in {source} belongs to {owner}, and is not sent to {server_url.url}",
                "Correct --server; or, if that server issued it, write the file as "
                f'{{"access_token": "...", "server": "{server_url.url}"}}.',
            )
    if not allow_unencrypted:
        require_private(server_url, "Give --server as wss://, or see --allow-unencrypted.")


def require_private(server_url: ServerUrl, hint: str) -> None:
    """Raise `UsageError` if what is sent to a server can be read on the way."""
    if server_url.tls is None and not server_url.is_this_machine:
        raise UsageError(
            f"The connection to {server_url.url} would not be encrypted, and anybody on the way could take the token",
            hint,
        )


def refresh_server(server_url: ServerUrl) -> ServerUrl:
    """Return the server that issues and refreshes the tokens of `server_url`: the same one, except Pulsoid's."""
    if server_url.url == DEFAULT_SERVER:
        return ServerUrl(_PULSOID_REFRESHES_AT, server_url.port, server_url.tls)
    return server_url
