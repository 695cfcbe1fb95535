"""Who may see the page and mark: whoever reaches the loopback by its own name, or has the key of this run.

A page elsewhere in the same browser can send requests here, and by a name that leads here (DNS rebinding) even read
the answers. So without a key the host has to be called as the loopback is, and what changes something has to come from
here.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode

from starlette.requests import cookie_parser

_KEY_BYTES = 16
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_BEARER = "bearer "
_LEFT_OUT_PORT = 80  # of URLs


class Refusal(NamedTuple):
    """Why a request is refused."""

    status: HTTPStatus
    why: str


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a host."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def make_key(host: str) -> str | None:
    """Return a new key for a server at a host; None where only this machine can reach it."""
    return None if is_loopback(host) else secrets.token_urlsafe(_KEY_BYTES)


class Access:
    """Checks requests to a host; `key` is None on the loopback. Headers are by name, in small letters."""

    def __init__(self, host: str, port: int, key: str | None) -> None:
        self._key = key
        self._cookie = f"pulsoid_rec_key_{port}"  # a browser sends it to all ports of a host
        names = {*_LOOPBACK_NAMES, f"[{host}]" if ":" in host else host}
        self._hosts = {f"{name}:{port}" for name in names} | (names if port == _LEFT_OUT_PORT else set())

    def check(self, headers: Mapping[str, str], query: str) -> Refusal | None:
        """Return why a request is refused, if it is."""
        if self._key is None:
            if headers.get("host", "").lower() in self._hosts:
                return None
            return Refusal(HTTPStatus.FORBIDDEN, "This page is served to this machine only, at 127.0.0.1.")
        if any(self._is_key(found) for found in (_query_key(query), self._cookie_key(headers), _bearer(headers))):
            return None
        return Refusal(HTTPStatus.FORBIDDEN, "Open the address that `pulsoid-rec record` has shown, with its key.")

    def check_change(self, headers: Mapping[str, str]) -> Refusal | None:
        """Return why a request that changes something is refused, if it is."""
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
            return Refusal(HTTPStatus.FORBIDDEN, "A page of another origin may not mark.")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send JSON, with Content-Type: application/json.")
        return None

    def move_key(self, query: str) -> tuple[str, str] | None:
        """Return the query without a valid key in it, and the header of the cookie that replaces it; None without one.

        So the key is not on the screen, in the address bar.
        """
        if self._key is None or not self._is_key(_query_key(query)):
            return None
        rest = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "key"]
        return urlencode(rest), f"{self._cookie}={self._key}; HttpOnly; SameSite=Lax; Path=/"

    def _is_key(self, text: str) -> bool:
        return self._key is not None and hmac.compare_digest(text.encode(), self._key.encode())

    def _cookie_key(self, headers: Mapping[str, str]) -> str:
        return cookie_parser(headers.get("cookie", "")).get(self._cookie, "")


def _query_key(query: str) -> str:
    return dict(parse_qsl(query)).get("key", "")


def _bearer(headers: Mapping[str, str]) -> str:
    value = headers.get("authorization", "")
    return value[len(_BEARER) :].strip() if value.lower().startswith(_BEARER) else ""
