"""Refresh an expired token: the new pair is saved before it is used, and sent to no server but its own.

The old pair is invalid once the server has answered, so the file is written before the request to check that the
new pair can be saved. Recorders that share a file take turns: one requests a refresh, the others read its result.
"""

import logging
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import trio

from pulsoid_rec.recorder.connection.server_url import ServerUrl, parse_server_url
from pulsoid_rec.recorder.connection.websocket import CannotConnectError
from pulsoid_rec.recorder.contract.defaults import DEFAULT_SERVER
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.pulsoid.credentials import Credentials, TokenPair
from pulsoid_rec.recorder.pulsoid.http_client import request
from pulsoid_rec.recorder.pulsoid.token_check import InvalidTokenError, check_token

CLIENT_ID_VARIABLE = "PULSOID_CLIENT_ID"
CLIENT_SECRET_VARIABLE = "PULSOID_CLIENT_SECRET"  # noqa: S105 - the name of a variable
_REFUSED_STATUSES = {400, 401, 403}
_PULSOID_ISSUER = "pulsoid.net"

log = logging.getLogger(__name__)


class _Answer(msgspec.Struct, omit_defaults=True):
    access_token: str
    refresh_token: str | None = None
    expires_in: float | None = None


class CannotRefreshError(Exception):
    """Why a token cannot be refreshed."""


class TokenRefresh:
    """Replaces a token that the server refused, and saves the new one in its file. One for all rooms of a recorder."""

    def __init__(self, server_url: ServerUrl, credentials: Credentials, timings: Timings = DEFAULT_TIMINGS) -> None:
        self.credentials = credentials
        self._server_url = server_url
        self._timings = timings
        self._refreshed_at = -math.inf
        self._refused: str | None = None  # the last refresh token that the server refused
        self._unsaved: _Answer | None = None
        self._logged: set[str] = set()  # since the last refresh

    async def check_or_replace(self) -> None:
        """Check the token, and replace an invalid one; `RefusedError` without a valid one, `UsageError` without any."""
        token = self.credentials.read_token()
        try:
            await check_token(self._server_url, token, self._timings)
        except InvalidTokenError:
            if not await self.replace(token):
                raise
            await check_token(self._server_url, self.credentials.read_token(), self._timings)

    async def replace(self, refused: str) -> bool:
        """Replace a token that the server refused, unless that has happened already.

        Return whether `read_token` returns another one now; if not, the reason is logged once. After a refresh was
        requested, cancellation waits until the answer is saved, for at most `refresh_timeout_s`.
        """
        try:
            if self._is_replaced(refused):
                return True
            if self.credentials.token_file is None or self.credentials.read().refresh_token is None:
                return False
            async with self._file_lock():
                return self._is_replaced(refused) or await self._refresh(refused)
        except CannotRefreshError as error:
            self._log_once(f"Cannot refresh the token: {error}.")
        except UsageError as error:
            self._log_once(str(error))
        except OSError as error:
            reason = error.strerror or error
            self._log_once(f"Cannot refresh the token: {self.credentials.token_file} cannot be replaced: {reason}.")
        return False

    def _is_replaced(self, refused: str) -> bool:
        return self.credentials.read_token() != refused

    async def _refresh(self, refused: str) -> bool:
        if self._unsaved is not None:
            self._save(self._unsaved)
            return True
        if trio.current_time() < self._refreshed_at + self._timings.refresh_interval_s:
            raise CannotRefreshError("the server refuses the one it has just issued")
        pair = self.credentials.read()
        if pair.refresh_token == self._refused:
            return False
        issuer = issuer_of(self._server_url, pair)
        client = {"client_id": _read_env(CLIENT_ID_VARIABLE), "client_secret": _read_env(CLIENT_SECRET_VARIABLE)}
        self.credentials.write({"access_token": refused})  # no change: if this fails, no token is lost
        form = {"grant_type": "refresh_token", "refresh_token": pair.refresh_token, **client}
        await self._request_and_save(issuer, urlencode(form).encode(), pair)
        self._logged.clear()
        log.info("The token was refreshed, and the new one saved in %s.", self.credentials.token_file)
        return True

    async def _request_and_save(self, issuer: ServerUrl, form: bytes, pair: TokenPair) -> None:
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            with trio.CancelScope(shield=True) as scope:  # if the answer is not saved, there is no valid token left
                nursery.start_soon(self._limit_when_cancelled, scope)
                try:
                    answer = await self._request(issuer, form, pair)
                    self._refreshed_at = trio.current_time()
                    self._save(answer)
                except (CannotRefreshError, UsageError, OSError) as error:
                    failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _limit_when_cancelled(self, scope: trio.CancelScope) -> None:
        try:
            await trio.sleep_forever()
        finally:
            scope.deadline = trio.current_time() + self._timings.refresh_timeout_s

    async def _request(self, issuer: ServerUrl, form: bytes, pair: TokenPair) -> _Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            status, body = await request(issuer, "POST", issuer.refresh_path, headers, form, timings=self._timings)
        except CannotConnectError as error:
            raise CannotRefreshError(error.reason) from None
        if status in _REFUSED_STATUSES:
            self._refused = pair.refresh_token
            raise CannotRefreshError(
                f"{issuer.authority} refused the refresh token in {self.credentials.token_file}, or the "
                f"application in {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE} ({status}). Put a new token there"
            )
        try:
            return msgspec.json.decode(body, type=_Answer)
        except (msgspec.MsgspecError, RecursionError):
            raise CannotRefreshError(f"{issuer.authority} answered {status}, without a token") from None

    def _save(self, answer: _Answer) -> None:
        self._unsaved = answer
        self.credentials.write(msgspec.to_builtins(answer))
        self._unsaved = None

    def _log_once(self, text: str) -> None:
        if text not in self._logged:
            log.warning("%s", text)
        self._logged.add(text)

    @asynccontextmanager
    async def _file_lock(self) -> AsyncIterator[None]:
        """Wait until no other room or recorder refreshes the token in the file; `CannotRefreshError` after a while."""
        assert self.credentials.token_file is not None
        file = self.credentials.token_file.resolve()  # one lock for all links to the file
        path = file.with_name(f".{file.name}.lock")
        began_at = trio.current_time()
        while (lock := _try_lock(path)) is None:
            waited_s = trio.current_time() - began_at
            if waited_s >= self._timings.token_lock_timeout_s:
                raise CannotRefreshError(f"another process keeps {path} locked. End that process")
            if waited_s >= self._timings.token_lock_report_s:
                self._log_once(f"Waiting to refresh the token: another process keeps {path} locked.")
            await trio.sleep(self._timings.token_lock_retry_s)
        try:
            yield
        finally:
            lock.release()


def _try_lock(path: Path) -> LockFile | None:
    """Lock a file without waiting; return None if another process or room has locked it."""
    try:
        return LockFile(path, wait=False)
    except BlockingIOError:
        return None


def issuer_of(server_url: ServerUrl, pair: TokenPair) -> ServerUrl:
    """Return where a refresh token may be sent: to the server that issued it.

    That is Pulsoid, unless the token file names another; a server on this machine need not be named. Raises
    `CannotRefreshError` if the server recorded from is not that one, or the connection is not encrypted.
    """
    try:
        issuer = parse_server_url(pair.server or DEFAULT_SERVER)
    except UsageError:
        raise CannotRefreshError('"server" in the token file is not the URL of a server') from None
    is_issuer = (server_url.host, server_url.port, server_url.prefix) == (issuer.host, issuer.port, issuer.prefix)
    if not is_issuer and not (pair.server is None and server_url.is_this_machine):
        raise CannotRefreshError(
            f"it belongs to {issuer.authority}, and would be sent to {server_url.authority}. To allow that, put "
            '"server": "wss://..." into the file'
        )
    if server_url.tls is None and not server_url.is_this_machine:
        raise CannotRefreshError(f"the connection to {server_url.authority} is not encrypted. Give --server as wss://")
    if server_url.host == parse_server_url(DEFAULT_SERVER).host:
        return ServerUrl(_PULSOID_ISSUER, 443, server_url.tls)
    return server_url


def _read_env(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise CannotRefreshError(f"{name} is not set. Set {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE}")
    return value
