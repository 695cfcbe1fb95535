"""Remove secrets from what a server sends: tokens, old ones too, and the application's secret.

A server may repeat a token: in a message, a config, the reason for closing, a header. What is stored, logged and shown
has `[secret]` in its place. A secret is found in any case, also where characters are percent-encoded or escaped as in
JSON; not in base64, nor in pieces over several messages.

While secrets are in memory, a crash leaves no memory image behind.
"""

import re
import sys
from contextlib import suppress
from functools import lru_cache

from pulsoid_rec.recorder.connection.text_frames import Text

MARK = "[secret]"
_SHORTEST = 8  # characters; what is shorter is no secret, and may be part of any text
_MOST_KNOWN = 12  # the application's secret and five pairs; each costs some 50 ns a message
_LONGEST_ESCAPE = len(r"\u0000")
_ESCAPE = re.compile(r"%([0-9a-f]{2})|\\u00([0-9a-f]{2})|\\/", re.IGNORECASE)

_known: dict[str, None] = {}  # in small letters; those used last are at the end


def add_secrets(*secrets: str | None) -> None:
    """Remove these from all texts from now on."""
    for secret in secrets:
        if secret is not None and len(secret) >= _SHORTEST:
            _known.pop(secret.lower(), None)
            _known[secret.lower()] = None
    for oldest in list(_known)[:-_MOST_KNOWN]:
        del _known[oldest]
    _disable_core_dumps()


def redact(text: str) -> str:
    """Return a text without the secrets in it."""
    for secret in _find(text):
        text = _pattern(secret).sub(MARK, text)
    return text


def redact_start(text: str) -> str:
    """Return a text that may be cut off, as a reason for closing is, without the secrets in it and one at its end."""
    text = redact(text)
    for secret in _known:
        last = max(0, len(text) - len(secret) * _LONGEST_ESCAPE)
        if found := _pattern(secret[:_SHORTEST]).search(text, last):
            text = text[: found.start()] + MARK
    return text


def redact_messages(messages: list[Text]) -> list[Text]:
    """Return messages without the secrets in them, before anything is made of them."""
    texts = [each for each in messages if isinstance(each, str)]
    if len(texts) == len(messages) and not _find("\n".join(texts)):  # as usual: all at once, in half the time
        return messages
    return [
        redact(each) if isinstance(each, str) else each._replace(start=redact_start(each.start)) for each in messages
    ]


def _find(text: str) -> list[str]:
    """Return the secrets that may be in a text; all that are in it."""
    searched, skipped = text.lower(), 0
    if "%" in searched or "\\" in searched:
        # What stands before a secret may read as an escape together with its first characters: `%0` before `0abc`.
        searched, skipped = _ESCAPE.sub(_unescape, searched), _LONGEST_ESCAPE - 2
    return [secret for secret in _known if secret[skipped:] in searched]


def _unescape(found: re.Match[str]) -> str:
    digits = found[1] or found[2]
    return chr(int(digits, 16)).lower() if digits else "/"


@lru_cache
def _pattern(secret: str) -> re.Pattern[str]:
    """Return what matches a secret in any case, with any of its characters escaped."""
    if not secret.isascii():
        return re.compile(re.escape(secret), re.IGNORECASE)
    return re.compile("".join(map(_forms, secret)), re.IGNORECASE)


def _forms(character: str) -> str:
    codes, slash = f"{ord(character):02x}|{ord(character.upper()):02x}", r"|\\/" if character == "/" else ""
    return rf"(?:{re.escape(character)}|(?:%|\\u00)(?:{codes}){slash})"


def _disable_core_dumps() -> None:
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - Windows has none

        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        # At a limit of 0 Linux still hands memory to a program such as apport; at 1 byte it does not.
        with suppress(OSError):
            resource.setrlimit(resource.RLIMIT_CORE, (1 if hard and sys.platform == "linux" else 0, hard))
