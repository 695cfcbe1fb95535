"""Read the token, check its format, and replace it in its file.

It comes from a file or from the environment, never from the command line, where every user of the machine could see
it; and it is used only in the header of a request to the server.
"""

import codecs
import logging
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.disk.replace import open_replacement

TOKEN_VARIABLE = "PULSOID_TOKEN"  # noqa: S105 - the name of a variable, not a token
_HINT = (
    f"Get a token at https://pulsoid.net/ui/keys and set {TOKEN_VARIABLE}, or write it to a file and give --token-file."
)
_FORMAT_HINT = "Write the token there and nothing else, or a JSON object with `access_token` and `refresh_token`."
# A shell's or an .env file's assignment, and the header, as people copy them.
_PREFIX = re.compile(r"(?i)(?:export\s+|set\s+|\$env:)?\w*token\w*\s*=\s*(?!=)|(?:authorization:\s*)?bearer\s+")
_QUOTED = re.compile(r"([\"'])(.*)\1", re.DOTALL)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TokenPair:
    """A token, and its refresh token if the file has one."""

    token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    server: str | None = None  # URL of the server they belong to, if the file names it


@dataclass(frozen=True)
class Credentials:
    """Where the token is: in a file, or else in the environment variable.

    `token_file` contains only the token, or a JSON object with `access_token`, and optionally `refresh_token`
    and `server`; in UTF-8, or in UTF-16 with a byte order mark, as Windows PowerShell writes it. A token may be in
    quotes, behind `NAME_OF_TOKEN=` or behind `Bearer`.
    """

    token_file: Path | None = None

    def read_token(self) -> str:
        """Read the token; each time anew, since the user may have replaced it. Raises as `read` does."""
        return self.read().token

    def read(self) -> TokenPair:
        """Read the token and its refresh token.

        Raises `UsageError` if there is none, or it is not a token; what was read is never part of the message.
        """
        if self.token_file is None:
            text = os.environ.get(TOKEN_VARIABLE)
            if text is None:
                raise UsageError("There is no token", _HINT)
            return TokenPair(_parse_token(text, TOKEN_VARIABLE))
        source = str(self.token_file)
        text = _read_text(self.token_file)
        if not text.lstrip().startswith("{"):
            return TokenPair(_parse_token(text, source))
        fields = _parse_json(text, source)
        refresh_token, server = fields.get("refresh_token"), fields.get("server")
        return TokenPair(
            _parse_token(fields.get("access_token"), source),
            refresh_token if isinstance(refresh_token, str) and refresh_token else None,
            server if isinstance(server, str) else None,
        )

    def write(self, changes: dict[str, Any]) -> None:
        """Change fields of a JSON file and keep the others.

        The file is replaced as a whole, is on the disk on return, and readable only by its owner. Raises `UsageError`
        if it is no longer JSON, `OSError` if it cannot be replaced; it is unchanged then.
        """
        assert self.token_file is not None
        path = self.token_file.resolve()  # a link stays a link
        fields = _parse_json(_read_text(path), str(self.token_file)) | changes
        with open_replacement(path, sync=True) as new:
            new.write_bytes(msgspec.json.format(msgspec.json.encode(fields)) + b"\n")

    def warn_if_shared(self) -> None:
        """Warn if others on the machine can read the token file."""
        if self.token_file is None or os.name != "posix":
            return
        if self.token_file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            log.warning("Others can read the token file. Protect it with: chmod 600 '%s'", self.token_file)


def _parse_token(text: object, source: str) -> str:
    if not isinstance(text, str):
        raise UsageError(f"The JSON in {source} has no text `access_token`", _HINT)
    token = _unwrap(text)
    if not token:
        raise UsageError(f"The token in {source} is empty", _HINT)
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError(
            f"The text in {source} cannot be a token: it contains blanks or other invalid characters", _FORMAT_HINT
        )
    return token


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


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return content.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"There is no token file {path}", _HINT) from None
    except UnicodeDecodeError:
        raise UsageError(f"The token file {path} is not text in UTF-8 or UTF-16", _FORMAT_HINT) from None
    except OSError as error:
        raise UsageError(f"Cannot read the token file {path}: {error.strerror}", _HINT) from None


def _parse_json(text: str, source: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError):
        # msgspec's own message may quote the token.
        raise UsageError(f"{source} begins like JSON but is not valid JSON", _FORMAT_HINT) from None
