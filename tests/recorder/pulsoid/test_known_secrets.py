"""Secrets in what a server says: found in any case and escape, also cut off; and nothing else is touched."""

import json
import os
import signal
import string
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pulsoid_rec.recorder.connection.text_frames import LongText, Text
from pulsoid_rec.recorder.pulsoid import known_secrets
from pulsoid_rec.recorder.pulsoid.known_secrets import MARK, add_secrets, redact, redact_messages, redact_start

SECRET = "t0ken/N0body+may=see"
OLDER = "0lder-t0ken-2f9d"
DIGITS = "00ad-t0ken-2f9d"  # after `%` or `\\u` it reads as an escape


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known_secrets, "_known", {})
        add_secrets(OLDER, SECRET, DIGITS)
        yield


@pytest.fixture(scope="module", autouse=True)
def _core_dumps_as_before() -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return
    import resource  # noqa: PLC0415 - Windows has none

    before = resource.getrlimit(resource.RLIMIT_CORE)
    yield
    resource.setrlimit(resource.RLIMIT_CORE, before)


def escape(secret: str, draw: list[int]) -> str:
    """Write a secret with each character in one of the forms that may occur."""
    forms = (
        lambda c: c,
        str.swapcase,
        lambda c: f"%{ord(c):02x}",
        lambda c: f"%{ord(c):02X}",
        lambda c: f"\\u{ord(c):04x}",
        lambda c: f"\\u{ord(c.swapcase()):04X}",
        lambda c: "\\/" if c == "/" else c,
    )
    return "".join(forms[draw[at % len(draw)]](each) for at, each in enumerate(secret))


TEXTS = st.text(string.ascii_letters + string.digits + '%\\/u"{}: ü\U0001f600', max_size=40)


@given(
    before=TEXTS,
    after=TEXTS,
    draw=st.lists(st.integers(0, 6), min_size=1),
    secret=st.sampled_from([SECRET, OLDER, DIGITS]),
)
@example(before="", after="", draw=[0], secret=SECRET)
@example(before="\u0130\u1e9e", after="%", draw=[0], secret=SECRET)
@example(before="%0", after="", draw=[0], secret=OLDER)
@example(before="\\u", after="", draw=[0, 0, 0, 0, 2], secret=DIGITS)
def test_a_secret_is_found_in_any_case_and_with_any_characters_escaped(
    before: str, after: str, draw: list[int], secret: str
) -> None:
    assert redact(before + escape(secret, draw) + after) == before + MARK + after


@pytest.mark.parametrize(
    "form",
    [SECRET, SECRET.upper(), quote(SECRET, safe=""), json.dumps(SECRET), json.dumps(SECRET).replace("/", "\\/")],
)
def test_the_forms_that_programs_write_are_found_more_than_once(form: str) -> None:
    assert redact(f"a {form}{form} b").replace('"', "") == f"a {MARK}{MARK} b"


@given(text=TEXTS)
@example("%74%30 \\u0074 \\/ 100 % t0ken")
def test_a_text_without_a_secret_is_not_touched(text: str) -> None:
    assert redact(text) == text
    messages: list[Text] = [text, text]
    assert redact_messages(messages) is messages


@given(at=st.integers(0, len(SECRET) * 6), draw=st.lists(st.integers(0, 6), min_size=1), before=TEXTS)
def test_of_a_secret_that_is_cut_off_at_the_end_no_more_than_its_beginning_is_left(
    at: int, draw: list[int], before: str
) -> None:
    left = redact_start(before + escape(SECRET, draw)[:at])
    if left != before + MARK:
        assert len(left) - len(before) < 8 * 6
        assert SECRET[:8].lower() not in left.lower()
    long = LongText(before + SECRET[:-1], 70_000, "it is larger")
    assert redact_messages([long, SECRET, before]) == [long._replace(start=before + MARK), MARK, before]


def test_what_is_too_short_for_a_secret_is_none_and_those_used_last_are_kept() -> None:
    add_secrets("t", "", None, "bpm", "token")
    assert redact('{"token":"bpm t"}') == '{"token":"bpm t"}'
    for number in range(30):
        add_secrets(f"token-number-{number}", SECRET)
    assert redact(f"{OLDER} {SECRET} token-number-29") == f"{OLDER} {MARK} {MARK}"
    assert len(known_secrets._known) == 12


def test_a_long_secret_of_any_characters_is_found() -> None:
    for secret in (string.printable * 20, "gehe\u00efm-gehe\u00efm", "(((((((((["):
        add_secrets(secret)
        assert redact(f"<{secret}>") == f"<{MARK}>"


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_no_memory_image_is_left_by_a_crash_once_a_token_is_read(tmp_path: Path) -> None:
    code = (
        "import os, resource, pathlib; hard = resource.getrlimit(resource.RLIMIT_CORE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))\n"
        "from pulsoid_rec.recorder.pulsoid.credentials import Credentials\n"
        "from pulsoid_rec.recorder.connection.server_url import parse_server_url\n"
        "Credentials().read(parse_server_url('wss://dev.pulsoid.net'))\n"
        "print(pathlib.Path('/proc/self/limits').read_text()); os.kill(os.getpid(), 11)"
    )
    environment = {**os.environ, "PULSOID_TOKEN": SECRET}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    [limit] = [line.split() for line in done.stdout.splitlines() if line.startswith("Max core file size")]
    assert limit[4] in {"0", "1"}
    assert done.returncode == -signal.SIGSEGV
    assert list(tmp_path.iterdir()) == []
