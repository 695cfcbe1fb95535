"""Log in to a server and out again: what is saved, and what the server is asked for.

A new login replaces one before only if the server did not refuse its token. A logout revokes first and
removes then, so that no token stays valid that its user can no longer revoke.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.connection.websocket import CannotConnectError
from pulsoid_rec.recorder.contract.errors import RefusedError, StorageError, UsageError
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.pulsoid import system_keyring
from pulsoid_rec.recorder.pulsoid.credentials import Credentials, TokenPair
from pulsoid_rec.recorder.pulsoid.device_login import DeviceCode, request_code, revoke, wait_for_token
from pulsoid_rec.recorder.pulsoid.saved_login import login_path, prepare_folder, save_login
from pulsoid_rec.recorder.pulsoid.token_check import InvalidTokenError, Validity, check_token
from pulsoid_rec.recorder.pulsoid.token_file import remove_fields
from pulsoid_rec.recorder.pulsoid.token_gate import refresh_server, require_private
from pulsoid_rec.recorder.pulsoid.token_lock import TokenLockedError, token_lock


async def log_in(
    server_url: ServerUrl,
    client_id: str,
    show: Callable[[DeviceCode], None],
    *,
    in_keyring: bool = False,
    timings: Timings = DEFAULT_TIMINGS,
) -> Validity | None:
    """Log in, save the tokens, and return what the server says of them; `show` gets what the user has to open.

    Cancelled, nothing is saved, or all. Raises `UsageError`, `RefusedError` or `StorageError`; a login before is
    unchanged then, and a token that is not saved is revoked, if the server can be reached.
    """
    require_private(server_url, "Give --server as wss://.")
    path = prepare_folder(server_url)  # before the user does anything for it
    if in_keyring:
        # In a thread, so that Ctrl-C works while the system asks for it to be unlocked.
        await trio.to_thread.run_sync(system_keyring.require_usable, server_url.url, abandon_on_cancel=True)
    issuer = refresh_server(server_url)
    device = await request_code(issuer, client_id, timings)
    show(device)
    answer = await wait_for_token(issuer, client_id, device, timings)
    try:
        validity = await check_token(server_url, answer["access_token"], timings)
        async with _lock(path, timings):
            save_login(path, server_url, answer, client_id, in_keyring=in_keyring)
    except (RefusedError, StorageError, UsageError) as error:
        with suppress(CannotConnectError):
            await revoke(server_url, answer["access_token"], timings)
        raise type(error)(f"{error.message}, so the login was not saved", error.hint) from None
    return validity


async def log_out(server_url: ServerUrl, *, force: bool = False, timings: Timings = DEFAULT_TIMINGS) -> str | None:
    """Revoke the tokens of a server's login, those before too, and remove all of it; return None if there was none.

    With `force` it is removed also if it cannot be revoked, or not be read; the reason is returned then, and else an
    empty text. Raises `RefusedError`, `UsageError` or `StorageError`; without `force` nothing is removed then.
    """
    path = login_path(server_url)
    if not path.parent.is_dir():
        return None
    reason = ""
    async with _lock(path, timings):
        was_there = path.exists()
        if was_there:
            try:
                with suppress(system_keyring.NoEntryError):  # a logout was killed, or somebody removed it there
                    await trio.to_thread.run_sync(Credentials(path).load, abandon_on_cancel=True)  # as above
                    await _revoke_all(server_url, Credentials(path).read(server_url), timings)
            except (RefusedError, UsageError) as error:
                if not force:
                    hint = "Try again later; --force removes the login from this machine all the same."
                    raise type(error)(f"{error.message}. Nothing was removed", hint) from None
                reason = error.message
        try:
            remove_fields(path)
        except OSError as error:
            raise StorageError(
                f"Cannot remove the login in {path}: {error.strerror or error}", "Correct that, and log out again."
            ) from None
    with suppress(OSError):  # there are others
        path.parent.rmdir()
    return reason if was_there else None


async def _revoke_all(server_url: ServerUrl, pair: TokenPair, timings: Timings) -> None:
    """Revoke tokens; `RefusedError` if one may still be valid. Refresh tokens first: they would bring new ones.

    Pulsoid documents the revocation of access tokens alone, so that its answer to the others is not looked at.
    """
    try:
        for token in pair.refresh_tokens:
            await revoke(server_url, token, timings)
        for token in pair.access_tokens:
            if not await revoke(server_url, token, timings) and not await _is_invalid(server_url, token, timings):
                raise RefusedError(f"{server_url.authority} did not revoke the token, which is still valid", "")
    except CannotConnectError as error:
        raise RefusedError(f"The token was not revoked, and may still be valid: {error.reason}", "") from None


async def _is_invalid(server_url: ServerUrl, token: str, timings: Timings) -> bool:
    try:
        await check_token(server_url, token, timings, needs_scope=False)
    except InvalidTokenError:
        return True
    except RefusedError:
        pass
    return False


@asynccontextmanager
async def _lock(path: Path, timings: Timings) -> AsyncIterator[None]:
    try:
        async with token_lock(path, timings, lambda _: None):
            yield
    except TokenLockedError as error:
        raise StorageError(f"The login is in use: {error}", "Then try again.") from None
    except OSError as error:
        raise StorageError(f"Cannot lock the login {path}: {error.strerror or error}", "Correct that.") from None
