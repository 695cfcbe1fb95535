"""The token: where it is read from, that it is one, and how a new one takes its place.

It comes from a file or from the environment, never from the command line, where every user of the machine could see
it; and it goes nowhere but into the header of a request to the server.
"""

import logging
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.disk.replace import open_replacement

TOKEN_VARIABLE = "PULSOID_TOKEN"  # noqa: S105 - the name of a variable, not a token
_HOW = (
    f"Get one at https://pulsoid.net/ui/keys, then set {TOKEN_VARIABLE}, or write it to a file and give --token-file."
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pair:
    """A token, and in a file that has one, what it is refreshed with."""

    token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    server: str | None = None
    """URL of the server the file says they belong to."""


@dataclass(frozen=True)
class Credentials:
    """Where the token is to be had.

    Parameters
    ----------
    token_file
        A file that holds the token and nothing else, or a JSON object with `access_token`, and `refresh_token` and
        `server` perhaps; without a file, the environment variable holds the token.
    """

    token_file: Path | None = None

    def read_token(self) -> str:
        """Read the token, anew each time: its owner may have replaced it.

        Raises
        ------
        UsageError
            There is none, it is empty, or it cannot be a token. What was read is never part of the message.
        """
        return self.read().token

    def read(self) -> Pair:
        """Read the token, and what it is refreshed with. Raises as `read_token` does."""
        if self.token_file is None:
            text = os.environ.get(TOKEN_VARIABLE)
            if text is None:
                raise UsageError("There is no token", _HOW)
            return Pair(_checked(text, TOKEN_VARIABLE))
        source = str(self.token_file)
        text = _read(self.token_file)
        if not text.lstrip().startswith("{"):
            return Pair(_checked(text, source))
        fields = _fields(text, source)
        refresh_token, server = fields.get("refresh_token"), fields.get("server")
        return Pair(
            _checked(fields.get("access_token"), source),
            refresh_token if isinstance(refresh_token, str) and refresh_token else None,
            server if isinstance(server, str) else None,
        )

    def write(self, changes: dict[str, Any]) -> None:
        """Change fields of a file that holds JSON, and leave the others as they are.

        The file is replaced at once, as a whole, is on the disk on return, and is then readable by its owner alone.

        Raises
        ------
        UsageError
            It is not there any more, or does not hold JSON.
        OSError
            It cannot be replaced; it is as it was.
        """
        assert self.token_file is not None
        path = self.token_file.resolve()  # a link stays a link
        fields = _fields(_read(path), str(self.token_file)) | changes
        with open_replacement(path, sync=True) as new:
            new.write_bytes(msgspec.json.format(msgspec.json.encode(fields)) + b"\n")

    def warn_if_shared(self) -> None:
        """Warn if others on the machine can read the token file."""
        if self.token_file is None or os.name != "posix":
            return
        if self.token_file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            log.warning("Others can read the token file. Keep it to yourself: chmod 600 '%s'", self.token_file)


def _checked(text: object, source: str) -> str:
    if not isinstance(text, str):
        raise UsageError(f"The JSON in {source} has no text `access_token`", _HOW)
    token = text.strip()
    if not token:
        raise UsageError(f"The token in {source} is empty", _HOW)
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError(f"What {source} holds cannot be a token: it has blanks or other characters in it", _HOW)
    return token


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors of Windows put a mark before a text
    except FileNotFoundError:
        raise UsageError(f"There is no token file {path}", _HOW) from None
    except UnicodeDecodeError:
        raise UsageError(f"The token file {path} is not a text file", _HOW) from None
    except OSError as error:
        raise UsageError(f"The token file {path} cannot be read: {error.strerror}", _HOW) from None


def _fields(text: str, source: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        # What msgspec says may repeat what it read.
        hint = "Write the token there and nothing else, or a JSON object with `access_token` and `refresh_token`."
        raise UsageError(f"What {source} holds begins as JSON does, and is none", hint) from None
