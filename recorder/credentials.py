"""The token: where it is read from, and that it is one.

It comes from a file or from the environment, never from the command line, where every user of the machine could see
it; and it goes nowhere but into the header of a request to the server.
"""

import logging
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from recorder.errors import UsageError

TOKEN_VARIABLE = "PULSOID_TOKEN"  # noqa: S105 - the name of a variable, not a token
_HOW = (
    f"Get one at https://pulsoid.net/ui/keys, then set {TOKEN_VARIABLE}, or write it to a file and give --token-file."
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Credentials:
    """Where the token is to be had.

    Parameters
    ----------
    token_file
        A file that holds the token and nothing else; without one, the environment variable holds it.
    """

    token_file: Path | None = None

    def read_token(self) -> str:
        """Read the token, anew each time: its owner may have replaced it.

        Raises
        ------
        UsageError
            There is none, it is empty, or it cannot be a token. What was read is never part of the message.
        """
        if self.token_file is None:
            source, text = TOKEN_VARIABLE, os.environ.get(TOKEN_VARIABLE)
            if text is None:
                raise UsageError("There is no token", _HOW)
        else:
            source, text = str(self.token_file), _read(self.token_file)
        token = text.strip()
        if not token:
            raise UsageError(f"The token in {source} is empty", _HOW)
        if not (token.isascii() and token.isprintable()) or " " in token:
            raise UsageError(f"What {source} holds cannot be a token: it has blanks or other characters in it", _HOW)
        return token

    def warn_if_shared(self) -> None:
        """Warn if others on the machine can read the token file."""
        if self.token_file is None or os.name != "posix":
            return
        if self.token_file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            log.warning("Others can read the token file. Keep it to yourself: chmod 600 '%s'", self.token_file)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"There is no token file {path}", _HOW) from None
    except UnicodeDecodeError:
        raise UsageError(f"The token file {path} is not a text file", _HOW) from None
    except OSError as error:
        raise UsageError(f"The token file {path} cannot be read: {error.strerror}", _HOW) from None
