"""Refresh an expired token: the new pair is checked, and saved before it is used.

The old pair may be invalid once the server has answered, so the file is written before the request to check that the
new pair can be saved; and the old one stays in the file until the new one has opened a connection. Recorders that share
a file take turns: one requests a refresh, the others read its result.
"""

import logging
import math
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import trio

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.websocket import CannotConnectError
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.disk.lock_file import LockFile
from pulsoid_rec.recorder.pulsoid.credentials import Credentials, TokenPair, is_token
from pulsoid_rec.recorder.pulsoid.http_client import request
from pulsoid_rec.recorder.pulsoid.known_secrets import add_secrets
from pulsoid_rec.recorder.pulsoid.token_check import InvalidTokenError, check_token
from pulsoid_rec.recorder.pulsoid.token_gate import refresh_server

CLIENT_ID_VARIABLE = "PULSOID_CLIENT_ID"
CLIENT_SECRET_VARIABLE = "PULSOID_CLIENT_SECRET"  # noqa: S105 - the name of a variable
_REFUSED_STATUSES = {400, 401, 403}

log = logging.getLogger(__name__)


class CannotRefreshError(Exception):
    """Why a token cannot be refreshed."""


class TokenRefresh:
    """Replaces a token that the server refused, and saves the new one in its file. One for all rooms of a recorder."""

    def __init__(self, server_url: ServerUrl, credentials: Credentials, timings: Timings = DEFAULT_TIMINGS) -> None:
        self._credentials = credentials
        self._server_url = server_url
        self._timings = timings
        self._refreshed_at = -math.inf
        self._refused: set[str] = set()  # refresh tokens that the server refused
        self._logged: set[str] = set()  # since the last refresh

    def read_token(self) -> str:
        """Read the token, which may have been replaced since; `UsageError` if there is none for this server."""
        return self._credentials.read(self._server_url).token

    def confirm(self, token: str) -> None:
        """Note that a token has worked, so that the pair before it is kept no longer."""
        with suppress(UsageError, OSError):  # then it is kept until the next connection
            if self._credentials.read(self._server_url).previous and (lock := _try_lock(self._lock_path)):
                try:
                    if self.read_token() == token:
                        self._credentials.write({"previous": None})
                finally:
                    lock.release()

    async def check_or_replace(self) -> None:
        """Check the token, and replace an invalid one; `RefusedError` without a valid one, `UsageError` without any."""
        token = self.read_token()
        try:
            await check_token(self._server_url, token, self._timings)
        except InvalidTokenError:
            if not await self.replace(token):
                raise
            await check_token(self._server_url, self.read_token(), self._timings)

    async def replace(self, refused: str) -> bool:
        """Replace a token that the server refused, unless that has happened already.

        Return whether `read_token` returns another one now; if not, the reason is logged once. After a refresh was
        requested, cancellation waits until the answer is saved, for at most `refresh_timeout_s`.
        """
        try:
            if self._is_replaced(refused):
                return True
            if not self._credentials.read(self._server_url).refresh_tokens:
                return False
            async with self._file_lock():
                return self._is_replaced(refused) or await self._refresh(refused)
        except CannotRefreshError as error:
            self._log_once(f"Cannot refresh the token: {error}.")
        except UsageError as error:
            self._log_once(str(error))
        except OSError as error:
            reason = error.strerror or error
            self._log_once(f"Cannot refresh the token: {self._credentials.token_file} cannot be replaced: {reason}.")
        return False

    def _is_replaced(self, refused: str) -> bool:
        return self.read_token() != refused

    async def _refresh(self, refused: str) -> bool:
        if trio.current_time() < self._refreshed_at + self._timings.refresh_interval_s:
            raise CannotRefreshError("the server refuses the one it has just issued")
        pair = self._credentials.read(self._server_url)
        client = {"client_id": _read_env(CLIENT_ID_VARIABLE), "client_secret": _read_env(CLIENT_SECRET_VARIABLE)}
        add_secrets(client["client_secret"])
        self._credentials.write({"access_token": refused})  # no change: if this fails, no token is lost
        for refresh_token in pair.refresh_tokens:  # that of the pair before only if the newer one is refused
            if refresh_token in self._refused:
                continue
            form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **client}
            if await self._request_and_save(urlencode(form).encode(), pair):
                self._logged.clear()
                log.info("The token was refreshed, and the new one saved in %s.", self._credentials.token_file)
                return True
            self._refused.add(refresh_token)
        return False

    async def _request_and_save(self, form: bytes, pair: TokenPair) -> bool:
        """Return whether there is a new token; False if the server refuses the refresh token."""
        answer: dict[str, Any] | None = None
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            with trio.CancelScope(shield=True) as scope:  # if the answer is not saved, there is no valid token left
                nursery.start_soon(self._limit_when_cancelled, scope)
                try:
                    answer = await self._request(refresh_server(self._server_url), form)
                    if answer is not None:
                        await self._check_and_save(answer, pair)
                except (CannotRefreshError, UsageError, OSError) as error:
                    failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return answer is not None

    async def _limit_when_cancelled(self, scope: trio.CancelScope) -> None:
        try:
            await trio.sleep_forever()
        finally:
            scope.deadline = trio.current_time() + self._timings.refresh_timeout_s

    async def _request(self, issuer: ServerUrl, form: bytes) -> dict[str, Any] | None:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            status, body = await request(issuer, "POST", issuer.refresh_path, headers, form, timings=self._timings)
        except CannotConnectError as error:
            raise CannotRefreshError(error.reason) from None
        if status in _REFUSED_STATUSES:
            self._log_once(
                f"{issuer.authority} refused the refresh token in {self._credentials.token_file}, or the application "
                f"in {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE} ({status}). Put a new token there."
            )
            return None
        try:
            return msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError):
            raise CannotRefreshError(f"{issuer.authority} answered {status}, without a token") from None

    async def _check_and_save(self, answer: dict[str, Any], pair: TokenPair) -> None:
        """Save what can be a token, beside the last pair that has worked; wait while the disk fails."""
        new = {name: answer[name] for name in ("access_token", "refresh_token") if is_token(answer.get(name))}
        add_secrets(*new.values())
        previous = pair.previous or {"access_token": pair.token, "refresh_token": pair.refresh_token or ""}
        while new:
            try:
                self._credentials.write({**new, "expires_in": answer.get("expires_in"), "previous": previous})
                break
            except OSError as error:
                self._log_once(
                    f"Cannot save the new token in {self._credentials.token_file}: {error.strerror or error}. It is "
                    "kept in memory, and saved as soon as possible: free some space, or repair the folder."
                )
                await trio.sleep(self._timings.rewrite_after_s)
        if "access_token" not in new:
            raise CannotRefreshError("the answer holds no access token, or what cannot be one")
        self._refreshed_at = trio.current_time()

    def _log_once(self, text: str) -> None:
        if text not in self._logged:
            log.warning("%s", text)
        self._logged.add(text)

    @property
    def _lock_path(self) -> Path:
        assert self._credentials.token_file is not None
        return self._credentials.token_file.with_name(f".{self._credentials.token_file.name}.lock")

    @asynccontextmanager
    async def _file_lock(self) -> AsyncIterator[None]:
        """Wait until no other room or recorder refreshes the token in the file; `CannotRefreshError` after a while."""
        path = self._lock_path
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


def _read_env(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise CannotRefreshError(f"{name} is not set. Set {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE}")
    return value
