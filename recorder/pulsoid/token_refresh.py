"""Refresh an expired token: the new pair is checked, and saved before it is used.

The old pair may be invalid once the server has answered, so the file is written before the request to check that the
new pair can be saved; and the old one stays in the file until the new one has opened a connection. Recorders that share
a file take turns: one requests a refresh, the others read its result.
"""

import logging
import math
import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import trio

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.websocket import CannotConnectError
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.pulsoid.credentials import (
    CLIENT_ID_VARIABLE,
    CLIENT_SECRET_VARIABLE,
    Credentials,
    TokenPair,
    is_token,
)
from pulsoid_rec.recorder.pulsoid.http_client import post_form
from pulsoid_rec.recorder.pulsoid.known_secrets import add_secrets
from pulsoid_rec.recorder.pulsoid.token_check import InvalidTokenError, check_token
from pulsoid_rec.recorder.pulsoid.token_end import TokenEnd
from pulsoid_rec.recorder.pulsoid.token_file import read_fields
from pulsoid_rec.recorder.pulsoid.token_gate import refresh_server
from pulsoid_rec.recorder.pulsoid.token_lock import TokenLockedError, token_lock, try_token_lock

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
        self._limiter = trio.CapacityLimiter(2)  # its own, as a keyring that hangs can occupy all of trio's threads
        self.end = TokenEnd(server_url, credentials, self.read_pair, timings)

    async def read_pair(self) -> TokenPair:
        """Read the tokens, which may have been replaced since; `UsageError` if there are none for this server.

        They are read in a thread, since a keyring may have to be unlocked, and rooms are recorded meanwhile.
        """
        return await trio.to_thread.run_sync(
            self._credentials.read, self._server_url, abandon_on_cancel=True, limiter=self._limiter
        )

    async def read_token(self) -> str:
        """Read the token; raise as `read_pair`."""
        return (await self.read_pair()).token

    async def confirm(self, token: str) -> None:
        """Note that a token has worked, so that the pair before it is kept no longer."""
        with suppress(UsageError, OSError):  # then it is kept until the next connection
            if (await self.read_pair()).previous:
                drop = partial(self._drop_previous, token)
                await trio.to_thread.run_sync(drop, abandon_on_cancel=True, limiter=self._limiter)

    def _drop_previous(self, token: str) -> None:
        if lock := try_token_lock(self._file):  # held by this thread until it has written
            try:
                if read_fields(self._file).get("access_token") == token:
                    self._credentials.write({"previous": None})
            finally:
                lock.release()

    async def check_or_replace(self) -> None:
        """Check the token, and replace an invalid one; `RefusedError` without a valid one, `UsageError` without any."""
        token = await self.read_token()
        try:
            self.end.note(token, await check_token(self._server_url, token, self._timings))
        except InvalidTokenError:
            if not await self.replace(token):
                raise
            token = await self.read_token()
            self.end.note(token, await check_token(self._server_url, token, self._timings))

    async def replace(self, refused: str) -> bool:
        """Replace a token that the server refused, unless that has happened already.

        Return whether `read_token` returns another one now; if not, the reason is logged once. After a refresh was
        requested, cancellation waits until the answer is saved, for at most `refresh_timeout_s`.
        """
        try:
            pair = await self.read_pair()
            if pair.token != refused:
                return True
            if not pair.refresh_tokens:
                return False
            async with token_lock(self._file, self._timings, self._report_wait):
                return await self.read_token() != refused or await self._refresh(refused)
        except (CannotRefreshError, TokenLockedError) as error:
            self._log_once(f"Cannot refresh the token: {error}.")
        except UsageError as error:
            self._log_once(str(error))
        except OSError as error:
            reason = error.strerror or error
            self._log_once(f"Cannot refresh the token: {self._credentials.place} cannot be replaced: {reason}.")
        return False

    async def _refresh(self, refused: str) -> bool:
        if trio.current_time() < self._refreshed_at + self._timings.refresh_interval_s:
            raise CannotRefreshError("the server refuses the one it has just issued")
        pair = await self.read_pair()
        client = _read_client(pair.client_id)
        await self._write({"access_token": refused})  # no change: if this fails, no token is lost
        for refresh_token in pair.refresh_tokens:  # that of the pair before only if the newer one is refused
            if refresh_token in self._refused:
                continue
            form = {"grant_type": "refresh_token", "refresh_token": refresh_token, **client}
            if await self._request_and_save(form, pair):
                self._logged.clear()
                log.info("The token was refreshed, and the new one saved in %s.", self._credentials.place)
                return True
            self._refused.add(refresh_token)
        return False

    async def _request_and_save(self, form: dict[str, str], pair: TokenPair) -> bool:
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

    async def _request(self, issuer: ServerUrl, form: dict[str, str]) -> dict[str, Any] | None:
        try:
            status, answer = await post_form(issuer, issuer.token_path, form, self._timings)
        except CannotConnectError as error:
            raise CannotRefreshError(error.reason) from None
        if status in _REFUSED_STATUSES:
            self._log_once(
                f"{issuer.authority} refused the refresh token in {self._credentials.place}, or the application "
                f"in {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE} ({status}). {self._credentials.how_to_replace}"
            )
            return None
        if answer is None:
            raise CannotRefreshError(f"{issuer.authority} answered {status}, without a token")
        return answer

    async def _check_and_save(self, answer: dict[str, Any], pair: TokenPair) -> None:
        """Save what can be a token, beside the last pair that has worked; wait while the disk fails."""
        new = {name: answer[name] for name in ("access_token", "refresh_token") if is_token(answer.get(name))}
        add_secrets(*new.values())
        while new:
            try:
                await self._write({**new, "expires_in": answer.get("expires_in"), "previous": pair.as_previous()})
                break
            except OSError as error:
                self._log_once(
                    f"Cannot save the new token in {self._credentials.place}: {error.strerror or error}. It is "
                    "kept in memory, and saved as soon as possible: free some space, or repair the folder."
                )
                await trio.sleep(self._timings.rewrite_after_s)
        if "access_token" not in new:
            raise CannotRefreshError("the answer holds no access token, or what cannot be one")
        self._refreshed_at = trio.current_time()

    async def _write(self, changes: dict[str, Any]) -> None:
        """Write in a thread; cancellation waits for it, since the lock is released then."""
        await trio.to_thread.run_sync(self._credentials.write, changes, limiter=self._limiter)

    @property
    def _file(self) -> Path:
        assert self._credentials.token_file is not None  # what the variable has cannot be refreshed
        return self._credentials.token_file

    def _report_wait(self, lock: Path) -> None:
        self._log_once(f"Waiting to refresh the token: another process keeps {lock} locked.")

    def _log_once(self, text: str) -> None:
        if text not in self._logged:
            log.warning("%s", text)
        self._logged.add(text)


def _read_client(client_id: str | None) -> dict[str, str]:
    """Return the application's id and secret; one that a login was issued to may have no secret."""
    secret = os.environ.get(CLIENT_SECRET_VARIABLE) if client_id else _read_env(CLIENT_SECRET_VARIABLE)
    add_secrets(secret)
    client = {"client_id": client_id or _read_env(CLIENT_ID_VARIABLE)}
    return client | ({"client_secret": secret} if secret else {})


def _read_env(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise CannotRefreshError(f"{name} is not set. Set {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE}")
    return value
