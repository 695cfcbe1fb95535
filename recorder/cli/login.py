"""`pulsoid-rec login` and `pulsoid-rec logout`."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from pulsoid_rec.recorder.cli.interrupts import run_in_trio
from pulsoid_rec.recorder.cli.options import ServerOption, value_option
from pulsoid_rec.recorder.contract.defaults import DEFAULT_SERVER
from pulsoid_rec.recorder.contract.display import plain, print_lines
from pulsoid_rec.recorder.contract.errors import PulsoidRecError, RefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pulsoid_rec.recorder.connection.server_url import ServerUrl
    from pulsoid_rec.recorder.pulsoid.credentials import Credentials
    from pulsoid_rec.recorder.pulsoid.device_login import DeviceCode
    from pulsoid_rec.recorder.pulsoid.token_check import Validity

_MOST_SCOPES = 20
_SHOWN_CHARS = 64


def login(
    *,
    server: ServerOption = DEFAULT_SERVER,
    client_id: Annotated[
        str | None,
        value_option(
            "ID",
            "Your application, from https://pulsoid.net/ui/api-clients.",
            "that of the login before, if any",
            envvar="PULSOID_CLIENT_ID",
        ),
    ] = None,
    keyring: Annotated[
        bool,
        typer.Option("--keyring", help="Keep the token in the system's keyring: `pip install pulsoid-rec[keyring]`."),
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="Do not log in: show whose the token is that `record` uses, and when it ends."),
    ] = False,
) -> None:
    """Get a token for `record`, without pasting one.

    Open the link that is shown, and allow access there. The token is saved in your configuration folder, readable by
    you alone, and used by `record` if there is neither --token-file nor PULSOID_TOKEN; each server has its own.

    You need an application of your own at Pulsoid, and its client id. Pulsoid does not document that such a login gives
    the scope data:room:read: if it does not, get a token by hand at https://pulsoid.net/ui/keys.
    """
    from pulsoid_rec.recorder.connection.server_url import parse_server_url

    server_url = parse_server_url(server)
    if check:
        if keyring:
            raise UsageError("--check and --keyring are both given", "Leave one out.")
        _run(_check, server_url)
    else:
        _run(_log_in, server_url, client_id, keyring)


def logout(
    *,
    server: ServerOption = DEFAULT_SERVER,
    force: Annotated[
        bool, typer.Option("--force", help="Remove it also if the server cannot be reached to revoke it.")
    ] = False,
) -> None:
    """Revoke the token that `login` saved, and remove it.

    If the server cannot be reached, nothing is removed: the token would stay valid, and only who has it can revoke it.
    """
    from pulsoid_rec.recorder.connection.server_url import parse_server_url

    _run(_log_out, parse_server_url(server), force)


async def _log_in(server_url: "ServerUrl", client_id: str | None, in_keyring: bool) -> None:
    from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE, Credentials
    from pulsoid_rec.recorder.pulsoid.login import log_in
    from pulsoid_rec.recorder.pulsoid.saved_login import login_path

    path = login_path(server_url)
    known = None
    if path.exists():
        print_lines(f"You are logged in at {server_url.authority} already. A new login replaces that once it succeeds.")
        known = await _read_client_id(Credentials(path), server_url)
    validity = await log_in(server_url, _require_client_id(client_id or known), _show, in_keyring=in_keyring)
    profile, end = _describe(validity)
    print_lines(
        f"Logged in at {server_url.authority}{profile}. The token is in {Credentials(path).place}{end}. "
        "`pulsoid-rec record` uses it from now on."
    )
    if TOKEN_VARIABLE in os.environ:
        print_lines(f"But {TOKEN_VARIABLE} is set, and goes before it: unset that.")


async def _read_client_id(credentials: "Credentials", server_url: "ServerUrl") -> str | None:
    import trio

    try:
        await trio.to_thread.run_sync(credentials.load, abandon_on_cancel=True)  # Ctrl-C works while a keyring waits
        return credentials.read(server_url).client_id
    except UsageError:  # it is replaced all the same
        return None


def _require_client_id(client_id: str | None) -> str:
    if not client_id:
        raise UsageError(
            "A login needs the client id of an application of yours",
            "Make one at https://pulsoid.net/ui/api-clients, and give its id with --client-id or in PULSOID_CLIENT_ID; "
            "or get a token by hand at https://pulsoid.net/ui/keys.",
        )
    return client_id


def _show(device: "DeviceCode") -> None:
    from pulsoid_rec.recorder.contract.wording import format_duration

    code = "Allow access there if it shows this code" if device.has_code else "Enter this code there, and allow access"
    print_lines(
        f"Open this page, in any browser:\n\n    {device.link}\n\n{code}:\n\n    {device.user_code}\n\n"
        f"Waiting for {format_duration(device.life_s)} at most; Ctrl-C cancels."
    )


def _describe(validity: "Validity | None") -> tuple[str, str]:
    """Return whose the token is, and when it ends, as parts of a sentence; each empty if the server did not say."""
    from datetime import UTC, datetime

    from pulsoid_rec.recorder.pulsoid.known_secrets import redact
    from pulsoid_rec.recorder.pulsoid.token_end import describe_end

    if validity is None:
        return "", ", and could not be checked yet"
    profile = f" as {plain(redact(validity.profile_id))[:_SHOWN_CHARS]}" if validity.profile_id else ""
    if validity.ends_at is None:
        return profile, ""
    return profile, f", and ends {describe_end(validity.ends_at, validity.ends_at - datetime.now(UTC))}"


async def _check(server_url: "ServerUrl") -> None:
    from datetime import UTC, datetime

    import trio

    from pulsoid_rec.recorder.connection.websocket import CannotConnectError
    from pulsoid_rec.recorder.contract.wording import format_list
    from pulsoid_rec.recorder.pulsoid.known_secrets import redact
    from pulsoid_rec.recorder.pulsoid.saved_login import find_credentials
    from pulsoid_rec.recorder.pulsoid.token_check import SCOPE, InvalidTokenError, ask_about_token
    from pulsoid_rec.recorder.pulsoid.token_end import describe_end

    credentials = find_credentials(None, server_url)
    await trio.to_thread.run_sync(credentials.load, abandon_on_cancel=True)  # Ctrl-C works while a keyring waits
    pair = credentials.read(server_url)
    try:
        validity = await ask_about_token(server_url, pair.token, needs_scope=False)
    except InvalidTokenError as error:
        if pair.refresh_tokens:
            raise type(error)(error.message, "`record` refreshes it when it starts; if not, log in again.") from None
        raise
    except CannotConnectError as error:
        raise RefusedError(f"The token could not be checked: {error.reason}", "Try again later.") from None
    ends = "not known"
    if validity.ends_at is not None:
        ends = describe_end(validity.ends_at, validity.ends_at - datetime.now(UTC))
    lines = {
        "server": server_url.url,
        "token": f"in {credentials.place}",
        "profile": validity.profile_id or "not known",
        "scopes": format_list(validity.scopes, _MOST_SCOPES) or "none",
        "ends": f"{ends}, and {pair.outlook}",
    }
    for name, text in lines.items():
        print(f"{name:<8} {plain(redact(text))}")
    if not validity.can_record:
        raise RefusedError(
            f"The token lacks the scope {SCOPE}", f"Get one with the scope {SCOPE} at https://pulsoid.net/ui/keys."
        )


async def _log_out(server_url: "ServerUrl", force: bool) -> None:
    from pulsoid_rec.recorder.pulsoid.login import log_out

    failure = await log_out(server_url, force=force)
    if failure is None:
        print_lines(f"There is no login at {server_url.authority}.")
        return
    print_lines(f"Logged out of {server_url.authority}. Nothing of the login is left on this machine.")
    if failure:
        print_lines(f"{failure}. Until it ends, it can only be revoked at the server itself.")


def _run(work: "Callable[..., Awaitable[None]]", *arguments: object) -> None:
    """Work in trio until done, or until Ctrl-C; a signal only cancels, so that nothing is half done."""
    failures: list[PulsoidRecError] = []
    if not run_in_trio(_until_signal, work, arguments, failures):
        print_lines("Cancelled.")
        raise KeyboardInterrupt
    for failure in failures:
        raise failure


async def _until_signal(
    work: "Callable[..., Awaitable[None]]", arguments: tuple[object, ...], failures: list[PulsoidRecError]
) -> bool:
    """Return whether the work came to its end, with or without a failure."""
    import signal

    import trio

    is_done = False
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def cancel_on_signal() -> None:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

            nursery.start_soon(cancel_on_signal)
            try:
                await work(*arguments)
                is_done = True
            except PulsoidRecError as error:
                failures.append(error)
                is_done = True
            nursery.cancel_scope.cancel()
    return is_done
