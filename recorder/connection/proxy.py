"""Proxies: which one the environment or the system names for a server, and a connection through it.

TLS and the WebSocket run through it from end to end: a proxy sees where a connection goes to, but no token.
"""

import base64
import ssl
from dataclasses import dataclass, field
from http import HTTPStatus
from math import inf
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import h11
import trio

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.contract.errors import UsageError

_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
_RECEIVE_BYTES = 4096
_SOCKS_TEXT = 256  # its length is a byte


class ProxyError(Exception):
    """Why a proxy makes no connection."""


@dataclass(frozen=True)
class Proxy:
    """A proxy; `scheme` is one of `http`, `https`, `socks4`, `socks4a`, `socks5` and `socks5h`."""

    scheme: str
    host: str
    port: int
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def authority(self) -> str:
        """Host and port, for messages."""
        return _join(self.host, self.port)

    async def open_tunnel(self, host: str, port: int) -> trio.abc.Stream:
        """Connect to a server through the proxy.

        Cancelled, it leaves no connection open. Raises `OSError` if the proxy cannot be reached, `ProxyError` if it
        makes no connection.
        """
        open_tunnel = self._open_socks if self.scheme.startswith("socks") else self._open_http
        try:
            return await open_tunnel(host, port)
        except trio.BrokenResourceError as error:
            why = _format_broken(error.__cause__) if self.scheme == "https" else "it closed the connection"
            raise ProxyError(f"no connection to the proxy {self.authority}: {why}") from None

    async def _open_http(self, host: str, port: int) -> trio.abc.Stream:
        stream: trio.abc.Stream = await trio.open_tcp_stream(self.host, self.port)
        try:
            if self.scheme == "https":
                tls = ssl.create_default_context()
                stream = trio.SSLStream(stream, tls, server_hostname=self.host, https_compatible=True)
            status = await self._request_tunnel(stream, _join(host.encode("idna").decode(), port))
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        if status is not None and 200 <= status < 300:  # noqa: PLR2004 - HTTP's success
            return stream
        await trio.aclose_forcefully(stream)
        if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            why = "refused the user or the password" if self.user else "requires a user and a password"
            raise ProxyError(f"the proxy {self.authority} {why} in its URL (407)")
        why = "did not answer in HTTP" if status is None else f"answered {status} instead of opening a tunnel"
        raise ProxyError(f"the proxy {self.authority} {why}")

    async def _request_tunnel(self, stream: trio.abc.Stream, target: str) -> int | None:
        """Request a tunnel; return the answer's status, None if it is not HTTP."""
        # Not by python-socks, which takes the first piece of an answer for all of it.
        connection = h11.Connection(h11.CLIENT)
        headers = [("Host", target)]
        if self.user or self.password:
            credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers.append(("Proxy-Authorization", f"Basic {credentials}"))
        head = connection.send(h11.Request(method="CONNECT", target=target, headers=headers)) or b""
        await stream.send_all(head + (connection.send(h11.EndOfMessage()) or b""))
        try:
            while not isinstance(event := connection.next_event(), h11.Response):
                if event is h11.NEED_DATA:
                    connection.receive_data(bytes(await stream.receive_some(_RECEIVE_BYTES)))
        except h11.RemoteProtocolError:
            return None
        return event.status_code

    async def _open_socks(self, host: str, port: int) -> trio.abc.Stream:
        import python_socks  # noqa: PLC0415 - it takes 20 ms, and few have such a proxy
        from python_socks.async_.trio.v2 import Proxy as SocksProxy  # noqa: PLC0415 - as slow to load

        kind = python_socks.ProxyType.SOCKS4 if self.scheme.startswith("socks4") else python_socks.ProxyType.SOCKS5
        finds_names = self.scheme in {"socks4a", "socks5h"}
        proxy = SocksProxy(kind, self.host, self.port, self.user or None, self.password or None, rdns=finds_names)
        try:
            return (await proxy.connect(host, port, timeout=inf)).trio_stream
        except (python_socks.ProxyError, ValueError) as error:  # ValueError: a name in an answer that is not UTF-8
            why = str(error)
            raise ProxyError(f"the proxy {self.authority} opened no tunnel: {why[:1].lower()}{why[1:]}") from None
        except OSError as error:
            if isinstance(error, python_socks.ProxyConnectionError):
                raise
            raise ProxyError(f"{host} was not found; a proxy of socks5h:// or socks4a:// may find it") from None


def find_proxy(server_url: ServerUrl) -> Proxy | None:
    """Return the proxy for a server, by the environment or else the system's settings; None for a direct connection.

    A server on this machine never has one: the token would leave the machine. Some systems look names up meanwhile.
    Raises `UsageError` if the setting is not the URL of a proxy.
    """
    if server_url.is_this_machine:
        return None
    settings = getproxies()
    for name in (*(("wss", "https") if server_url.tls else ("ws", "http")), "socks", "all"):
        if settings.get(name):
            is_exempt = proxy_bypass(_join(server_url.host, server_url.port))
            return None if is_exempt else _parse_proxy(settings[name], name)
    return None


def _parse_proxy(url: str, setting: str) -> Proxy:
    before, _, rest = url.strip().rpartition("://")
    scheme = before.lower() or "http"
    if scheme == "socks" or (scheme, setting) == ("http", "socks"):  # as desktops and macOS write it
        scheme = "socks5h"
    try:
        parts = urlsplit(f"//{rest}")
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        is_valid = False
    else:
        is_whole = parts.path in {"", "/"} and not (parts.query or parts.fragment)
        is_valid = (
            bool(host)
            and " " not in host
            and is_whole
            and port != 0
            and scheme in _PORTS
            and _fits(scheme, user, password)
        )
    if not is_valid:
        # It may hold a password, so it is not repeated.
        raise UsageError(
            f"The setting {setting}_proxy is not the URL of a proxy",
            "Give it as SCHEME://HOST:PORT or SCHEME://USER:PASSWORD@HOST:PORT, where SCHEME is one of "
            f"{', '.join(_PORTS)}, and USER and PASSWORD have %XX for all but letters and digits.",
        )
    return Proxy(scheme, host, port or _PORTS[scheme], user, password)


def _fits(scheme: str, user: str, password: str) -> bool:
    """Return whether the proxy's protocol can carry user and password."""
    if scheme.startswith("socks") and not ((user + password).isascii() and max(len(user), len(password)) < _SOCKS_TEXT):
        return False
    return (user + password).isprintable()


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _format_broken(cause: BaseException | None) -> str:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({cause.verify_message})"
    return "it does not answer in TLS; perhaps its URL should begin with http://"
