"""Read the token, check its format, and replace it in its file.

It comes from a file or from the environment, never from the command line, where every user of the machine could see
it; and it is used only in the header of a request to the server it is for.
"""

import logging
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from pulsoid_rec.recorder.connection.server_url import ServerUrl
from pulsoid_rec.recorder.contract.defaults import DEFAULT_SERVER
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.pulsoid import system_keyring
from pulsoid_rec.recorder.pulsoid.known_secrets import add_secrets
from pulsoid_rec.recorder.pulsoid.token_file import FORMAT_HINT, HINT, change_fields, is_in_keyring, read_fields
from pulsoid_rec.recorder.pulsoid.token_gate import require_permitted

TOKEN_VARIABLE = "PULSOID_TOKEN"  # noqa: S105 - the name of a variable, not a token
CLIENT_ID_VARIABLE = "PULSOID_CLIENT_ID"
CLIENT_SECRET_VARIABLE = "PULSOID_CLIENT_SECRET"  # noqa: S105 - likewise
_HINT = f"{HINT}set {TOKEN_VARIABLE}, or write it to a file and give --token-file."
# A shell's or an .env file's assignment, and the header, as people copy them.
_PREFIX = re.compile(r"(?i)(?:export\s+|set\s+|\$env:)?\w*token\w*\s*=\s*(?!=)|(?:authorization:\s*)?bearer\s+")
_QUOTED = re.compile(r"([\"'])(.*)\1", re.DOTALL)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TokenPair:
    """A token, and its refresh token if the file has one."""

    token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    previous: dict[str, str] | None = field(default=None, repr=False)
    """The pair before, as in the file, until this one has worked."""
    client_id: str | None = None
    """The application that it was issued to, as `login` notes it."""

    @property
    def access_tokens(self) -> list[str]:
        """The token, and the one before if it is kept."""
        return [token for token in (self.token, (self.previous or {}).get("access_token")) if token]

    @property
    def refresh_tokens(self) -> list[str]:
        """The refresh tokens to try, in this order."""
        return [token for token in (self.refresh_token, (self.previous or {}).get("refresh_token")) if token]

    @property
    def outlook(self) -> str:
        """What becomes of it when it ends."""
        if not self.refresh_tokens:
            return "cannot be refreshed"
        if not os.environ.get(CLIENT_SECRET_VARIABLE):
            return f"may not be refreshed, since {CLIENT_SECRET_VARIABLE} is not set"
        return "is refreshed then"

    def as_previous(self) -> dict[str, str]:
        """Return what is kept beside the pair that replaces this one: the last that has worked."""
        return self.previous or {"access_token": self.token, "refresh_token": self.refresh_token or ""}


@dataclass(frozen=True)
class Credentials:
    """Where the token is: in a file, or else in the environment variable.

    `token_file` contains only the token, or a JSON object with `access_token`, and optionally `refresh_token`
    and `server`; in UTF-8, or in UTF-16 with a byte order mark, as Windows PowerShell writes it. A token may be in
    quotes, behind `NAME_OF_TOKEN=` or behind `Bearer`.

    All in a file is for the server that it names, or else for Pulsoid. The variable's token is for the server that is
    named beside it, on the command line or in another variable.
    """

    token_file: Path | None = None
    allow_unencrypted: bool = False

    @property
    def place(self) -> str:
        """Where the token is, for messages."""
        if self.token_file is None:
            return TOKEN_VARIABLE
        return system_keyring.NAME if is_in_keyring(self.token_file) else str(self.token_file)

    @property
    def how_to_replace(self) -> str:
        """What to do before the token ends, as a sentence."""
        if self.token_file is None:
            return f"Get a new one, and start again with it in {TOKEN_VARIABLE}."
        return "Log in again, or write a new one there: a running recorder reads it before each connection."

    def read(self, server_url: ServerUrl) -> TokenPair:
        """Read the tokens for a server; each time anew, since the user may have replaced them.

        Raises `UsageError` if there is none, it is not a token, or it may not be sent to that server; what was read is
        never part of the message.
        """
        source, owner = self.place, None
        if self.token_file is None:
            text = os.environ.get(TOKEN_VARIABLE)
            if text is None:
                raise UsageError("There is no token", _HINT)
            fields: dict[str, Any] = {"access_token": text}
        else:
            fields = read_fields(self.token_file)
            owner = str(fields.get("server") or DEFAULT_SERVER)
        refresh_token, previous, client_id = map(fields.get, ("refresh_token", "previous", "client_id"))
        pair = TokenPair(
            _parse_token(fields.get("access_token"), source),
            refresh_token if isinstance(refresh_token, str) and refresh_token else None,
            {name: each for name, each in previous.items() if is_token(each)} if isinstance(previous, dict) else None,
            client_id if is_token(client_id) else None,
        )
        add_secrets(*(pair.previous or {}).values(), pair.refresh_token, pair.token)
        require_permitted(server_url, source, owner, allow_unencrypted=self.allow_unencrypted)
        return pair

    def load(self) -> None:
        """Read the entry of a keyring, which `read` then has at hand; raise as that. It may wait for the user."""
        if self.token_file is not None and is_in_keyring(self.token_file):
            read_fields(self.token_file)

    def write(self, changes: dict[str, Any]) -> None:
        """Change fields of a JSON file, remove those that become None, and keep the others.

        The file is replaced as a whole, is on the disk on return, and readable only by its owner. Raises `UsageError`
        if it is no longer JSON, or a link, `OSError` if it cannot be replaced; it is unchanged then.
        """
        assert self.token_file is not None
        change_fields(self.token_file, changes)

    def warn_if_shared(self) -> None:
        """Warn if others on the machine can read the token file."""
        if self.token_file is None or os.name != "posix":
            return
        if str(self.token_file.parent) == os.environ.get("CREDENTIALS_DIRECTORY"):
            return  # of systemd, by an access list that looks like the group's right
        if self.token_file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            log.warning("Others can read the token file. Protect it with: chmod 600 '%s'", self.token_file)


def _parse_token(text: object, source: str) -> str:
    if not isinstance(text, str):
        raise UsageError(f"The JSON in {source} has no text `access_token`", _HINT)
    token = _unwrap(text)
    if not token:
        raise UsageError(f"The token in {source} is empty", _HINT)
    if not is_token(token):
        raise UsageError(
            f"The text in {source} cannot be a token: it contains blanks or other invalid characters", FORMAT_HINT
        )
    return token


def is_token(value: object) -> TypeGuard[str]:
    """Return whether something can be a token, as the header and the file have it."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and bool(value) and " " not in value


def _unwrap(text: str) -> str:
    """Remove what people copy with a token: an assignment, quotes, and the header's `Bearer`, in any order."""
    before, token = None, text.strip()
    while token != before:
        before = token
        if (found := _PREFIX.match(token)) is not None:
            token = token[found.end() :]
        elif (found := _QUOTED.fullmatch(token)) is not None:
            token = found[2].strip()
    return token
