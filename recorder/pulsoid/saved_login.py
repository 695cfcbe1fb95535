"""What `pulsoid-rec login` saves, one file for each server, and how `record` finds it."""

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.contract.owned_files import require_own_folder
from pulsoid_rec.recorder.disk.sync import sync_folder
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE, Credentials
from pulsoid_rec.recorder.pulsoid.token_file import require_no_link, write_fields


def login_path(server_url: ServerUrl) -> Path:
    """Return where the login of a server is, or would be: a folder and a file that are the user's alone.

    Raises `UsageError` if others may have put it there, or there is no such place.
    """
    from platformdirs import user_config_path  # noqa: PLC0415 - with a token in the variable nobody needs it

    try:
        folder = user_config_path("pulsoid-rec", appauthor=False)
        require_own_folder(folder)
    except RuntimeError:  # in a container, for one
        raise UsageError(
            "This user has no home folder, and so no folder of logins",
            f"Set HOME; or give the token in {TOKEN_VARIABLE} or --token-file.",
        ) from None
    except OSError as error:
        raise UsageError(f"The folder of logins {folder} is not used: {error.strerror}", "Correct that.") from None
    return folder / f"{re.sub(r'[^A-Za-z0-9.]+', '-', server_url.url)}.json"


def find_credentials(token_file: Path | None, server_url: ServerUrl, *, allow_unencrypted: bool = False) -> Credentials:
    """Return where the token for a server is: in the file named, else in the variable, else what `login` saved."""
    if token_file is None and TOKEN_VARIABLE not in os.environ and (saved := login_path(server_url)).exists():
        token_file = saved
    return Credentials(token_file, allow_unencrypted)


def prepare_folder(server_url: ServerUrl) -> Path:
    """Make the folder of logins, and return the path of a server's; `StorageError` if nothing can be written there."""
    path = login_path(server_url)
    require_no_link(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        sync_folder(path.parent.parent)
        probe = path.with_name(f".{path.name}.probe.part")
        probe.touch(0o600)
        probe.unlink()
    except OSError as error:
        raise save_error(path, error) from None
    return path


def save_login(path: Path, server_url: ServerUrl, answer: dict[str, Any], client_id: str, *, in_keyring: bool) -> None:
    """Save the tokens of an answer in place of those before, which are kept as `previous` until the new have worked.

    Its lock is held by the caller. Raises `StorageError` if it cannot be written; what was there is unchanged then.
    """
    fields = {**answer, "server": server_url.url, "client_id": client_id}
    with suppress(UsageError):  # there is none before
        fields["previous"] = Credentials(path).read(server_url).as_previous()
    try:
        write_fields(path, fields, in_keyring=in_keyring)
    except OSError as error:
        raise save_error(path, error) from None


def save_error(path: Path, error: OSError) -> StorageError:
    """Return the error of a login that cannot be saved."""
    return StorageError(
        f"Cannot save the login in {path}: {error.strerror or error}", "Correct that, and log in again."
    )
