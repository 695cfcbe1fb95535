"""A token that died is refreshed: the new pair is saved before it is used, and goes to nobody but its own server.

The old pair is invalid as soon as the server has answered, so whatever can stand in the way of saving the new one is
tried beforehand; and recorders that share the file take turns, so that one asks and the others find what it got.
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
from pulsoid_rec.recorder.disk.lock_file import LockFile, is_locked
from pulsoid_rec.recorder.pulsoid.credentials import Credentials, Pair
from pulsoid_rec.recorder.pulsoid.http_client import request
from pulsoid_rec.recorder.pulsoid.token_check import DeadTokenError, check_token

CLIENT_ID_VARIABLE = "PULSOID_CLIENT_ID"
CLIENT_SECRET_VARIABLE = "PULSOID_CLIENT_SECRET"  # noqa: S105 - the name of a variable
NOT_AGAIN_WITHIN_S = 600.0
"""A server that refuses what it has just given is not asked again and again."""
CANCELLED_TIMEOUT_S = 2.5
_LOCK_RETRY_S = 0.1
_FINAL = {400, 401, 403}
_PULSOID_ISSUER = "pulsoid.net"

log = logging.getLogger(__name__)


class _Answer(msgspec.Struct, omit_defaults=True):
    access_token: str
    refresh_token: str | None = None
    expires_in: float | None = None


class CannotRefreshError(Exception):
    """Why not, in words."""


class TokenRefresh:
    """Finds another token in the place of one that was refused. One for all rooms of a recorder.

    Parameters
    ----------
    server
        The server that is recorded from.
    credentials
        Where the token came from, and where the new pair is saved.
    """

    def __init__(self, server: ServerUrl, credentials: Credentials) -> None:
        self._server = server
        self._credentials = credentials
        self._refreshed_at = -math.inf
        self._spent: str | None = None  # a refresh token that the server does not take
        self._unsaved: _Answer | None = None
        self._told = ""

    async def replace(self, refused: str) -> bool:
        """See to it that there is another token than this one, which the server refused.

        Once the server was asked, this is not cancelled until the answer is saved, for at most 2.5 s.

        Returns
        -------
        bool
            Whether `read_token` gives another one now. If not, the log says why, once.
        """
        try:
            if self._is_replaced(refused):
                return True
            if self._credentials.token_file is None or self._credentials.read().refresh_token is None:
                return False
            async with _alone_with(self._credentials.token_file):
                return self._is_replaced(refused) or await self._refresh(refused)
        except CannotRefreshError as error:
            self._tell(f"The token cannot be refreshed: {error}.")
        except UsageError as error:
            self._tell(str(error))
        except OSError as error:
            self._tell(
                f"The token is not refreshed, since {self._credentials.token_file} cannot be replaced by a file "
                f"with the new one: {error.strerror or error}."
            )
        return False

    def _is_replaced(self, refused: str) -> bool:
        return self._credentials.read_token() != refused

    async def _refresh(self, refused: str) -> bool:
        if self._unsaved is not None:
            self._save(self._unsaved)
            return True
        if trio.current_time() < self._refreshed_at + NOT_AGAIN_WITHIN_S:
            raise CannotRefreshError("the server refuses the one it has just given")
        pair = self._credentials.read()
        if pair.refresh_token == self._spent:
            return False
        issuer = issuer_of(self._server, pair)
        client = {"client_id": _variable(CLIENT_ID_VARIABLE), "client_secret": _variable(CLIENT_SECRET_VARIABLE)}
        self._credentials.write({"access_token": refused})  # the same again: if this fails, no token is lost
        form = {"grant_type": "refresh_token", "refresh_token": pair.refresh_token, **client}
        await self._ask_and_save(issuer, urlencode(form).encode(), pair)
        log.info("The token was refreshed, and the new one saved in %s.", self._credentials.token_file)
        return True

    async def _ask_and_save(self, issuer: ServerUrl, form: bytes, pair: Pair) -> None:
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            with trio.CancelScope(shield=True) as scope:  # an answer that nobody saves leaves no good token anywhere
                nursery.start_soon(_hurry_when_cancelled, scope)
                try:
                    answer = await self._ask(issuer, form, pair)
                    self._refreshed_at = trio.current_time()
                    self._save(answer)
                except (CannotRefreshError, UsageError, OSError) as error:
                    failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _ask(self, issuer: ServerUrl, form: bytes, pair: Pair) -> _Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            status, body = await request(issuer, "POST", issuer.refresh_path, headers, form)
        except CannotConnectError as error:
            raise CannotRefreshError(error.reason) from None
        if status in _FINAL:
            self._spent = pair.refresh_token
            raise CannotRefreshError(
                f"{issuer.authority} does not take the refresh token in {self._credentials.token_file}, or the "
                f"application in {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE} ({status}). Put a new token there"
            )
        try:
            return msgspec.json.decode(body, type=_Answer)
        except (msgspec.MsgspecError, RecursionError):
            raise CannotRefreshError(f"{issuer.authority} answered {status}, without a token") from None

    def _save(self, answer: _Answer) -> None:
        self._unsaved = answer
        self._credentials.write(msgspec.to_builtins(answer))
        self._unsaved = None

    def _tell(self, text: str) -> None:
        if text != self._told:
            log.warning("%s", text)
        self._told = text


def issuer_of(server: ServerUrl, pair: Pair) -> ServerUrl:
    """Tell where a refresh token may be sent: to the server it came from, and to no other.

    That is Pulsoid, unless the file that holds it names another; a server on this machine need not be named.

    Raises
    ------
    CannotRefreshError
        The server recorded from is not that one, or others could listen in.
    """
    try:
        home = parse_server_url(pair.server or DEFAULT_SERVER)
    except UsageError:
        raise CannotRefreshError('what the file names as "server" is not the URL of one') from None
    is_home = (server.host, server.port, server.prefix) == (home.host, home.port, home.prefix)
    if not is_home and not (pair.server is None and server.is_this_machine):
        raise CannotRefreshError(
            f"it belongs to {home.authority}, and would be sent to {server.authority}. If that is right, put "
            '"server": "wss://..." into the file'
        )
    if server.tls is None and not server.is_this_machine:
        raise CannotRefreshError(f"the connection to {server.authority} is not encrypted. Give --server as wss://")
    if server.host == parse_server_url(DEFAULT_SERVER).host:
        return ServerUrl(_PULSOID_ISSUER, 443, server.tls)
    return server


async def find_good_token(server: ServerUrl, credentials: Credentials, refresh: TokenRefresh) -> None:
    """Ask the server about the token, and have a dead one replaced if that can be done.

    Raises
    ------
    RefusedError
        The token is not good, and no other is to be had.
    UsageError
        There is no token.
    """
    token = credentials.read_token()
    try:
        await check_token(server, token)
    except DeadTokenError:
        if not await refresh.replace(token):
            raise
        await check_token(server, credentials.read_token())


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise CannotRefreshError(f"set {CLIENT_ID_VARIABLE} and {CLIENT_SECRET_VARIABLE} to have that done")
    return value


@asynccontextmanager
async def _alone_with(file: Path) -> AsyncIterator[None]:
    """Wait until no other room or recorder is at work on a file."""
    path = _lock_path(file)
    while is_locked(path):  # noqa: ASYNC110 - by another process
        await trio.sleep(_LOCK_RETRY_S)
    lock = LockFile(path)
    try:
        yield
    finally:
        lock.release()


async def _hurry_when_cancelled(scope: trio.CancelScope) -> None:
    try:
        await trio.sleep_forever()
    finally:
        scope.deadline = trio.current_time() + CANCELLED_TIMEOUT_S


def _lock_path(file: Path) -> Path:
    path = file.resolve()  # one lock, whatever links lead there
    return path.with_name(f".{path.name}.lock")
