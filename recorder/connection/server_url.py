"""The server's URL, parsed and checked."""

import ipaddress
import ssl
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from pulsoid_rec.recorder.contract.defaults import DEFAULT_SERVER
from pulsoid_rec.recorder.contract.errors import UsageError

_PORTS = {"ws": 80, "wss": 443}
_PATH_CHARACTERS = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True)
class ServerUrl:
    """A Pulsoid server; `tls` is None for `ws`."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    prefix: str = ""

    @property
    def authority(self) -> str:
        """Host and port, as in the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS["wss" if self.tls else "ws"] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in one spelling, to compare and to show."""
        return f"{'wss' if self.tls else 'ws'}://{self.authority}{self.prefix}"

    @property
    def is_this_machine(self) -> bool:
        """Whether it is on the loopback interface, where nobody else can listen."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def room_path(self, room_id: str, kinds: tuple[str, ...]) -> str:
        """Path and query of a room's stream, without the token: URLs end up in logs."""
        return f"{self.prefix}/api/v2/data/rooms/{quote(room_id, safe='')}/real_time?kinds={','.join(kinds)}"

    @property
    def validate_path(self) -> str:
        """Path of the token check."""
        return f"{self.prefix}/api/v1/token/validate"

    @property
    def token_path(self) -> str:
        """Path where tokens are issued: for a code of `device_path`, or for a refresh token."""
        return f"{self.prefix}/oauth2/token"

    @property
    def device_path(self) -> str:
        """Path where a login begins."""
        return f"{self.prefix}/oauth2/device_authorization"

    @property
    def revoke_path(self) -> str:
        """Path where tokens are revoked."""
        return f"{self.prefix}/oauth2/revoke"


def parse_server_url(url: str) -> ServerUrl:
    """Parse `ws://HOST[:PORT]` or `wss://HOST[:PORT]`, perhaps with a path; raise `UsageError` for anything else."""
    hint = f"Give it as {DEFAULT_SERVER} or ws://127.0.0.1:8765."
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        if host is not None:
            host.encode("idna")  # as for the name lookup
    except ValueError as error:
        raise UsageError(f"--server {_without_secrets(url)!r} is not a URL ({error})", hint) from None
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        # These may be secrets, so they are not repeated.
        raise UsageError("--server takes no user, password, query or fragment", hint)
    if parts.scheme not in _PORTS or not host or port == 0:
        raise UsageError(f"--server {url!r} is not the URL of a WebSocket server", hint)
    tls = ssl.create_default_context() if parts.scheme == "wss" else None
    return ServerUrl(host, port or _PORTS[parts.scheme], tls, quote(parts.path.rstrip("/"), safe=_PATH_CHARACTERS))


def _without_secrets(url: str) -> str:
    """Remove what is before an @ and after a ? or #."""
    return url.rpartition("@")[2].partition("?")[0].partition("#")[0]
