"""The user's command: what it is given, how often it runs, and that it ends."""

import os
import sys
import time
from pathlib import Path

import pytest
import trio
from command import run_here

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.health.note import Trouble
from pulsoid_rec.recorder.health.on_trouble import ALL_WELL, Command, OnTrouble, make_environment
from pulsoid_rec.recorder.pulsoid.known_secrets import add_secrets

pytestmark = pytest.mark.process

SOON = Timings(trouble_grace_s=0, trouble_interval_s=0.3, trouble_timeout_s=0.5)
DISK = Trouble("disk", None, "The disk is nearly full.")
ROOM = Trouble("room", "gym", "Room 'gym' has not been heard for 2 min.")
NOTE = f"""{sys.executable} -c 'import sys; open(sys.argv[1], "a").write(sys.argv[2] + chr(10))' """


def said(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines() if path.exists() else []


async def look(on_trouble: OnTrouble, nursery: trio.Nursery, *troubles: Trouble) -> None:
    """Look until the time between two runs is surely over."""
    for _ in range(8):
        on_trouble.update(troubles, nursery)
        await trio.sleep(SOON.trouble_interval_s / 6)


async def test_it_runs_once_for_what_is_new_and_once_when_all_is_well_again(tmp_path: Path) -> None:
    out = tmp_path / "it said"
    on_trouble = OnTrouble(Command(f"{NOTE} '{out}'"), SOON)
    async with trio.open_nursery() as nursery:
        await look(on_trouble, nursery)
        assert said(out) == []
        await look(on_trouble, nursery, DISK)
        await look(on_trouble, nursery, DISK, ROOM)
        await look(on_trouble, nursery, ROOM)
        await look(on_trouble, nursery, ROOM, DISK)
        await look(on_trouble, nursery)
        await look(on_trouble, nursery)
    assert said(out) == [DISK.text, ROOM.text, DISK.text, ALL_WELL]


async def test_what_comes_within_a_minute_is_said_at_once_and_of_much_the_rest_is_counted(tmp_path: Path) -> None:
    out = tmp_path / "out"
    on_trouble = OnTrouble(Command(f"{NOTE} '{out}'"), SOON)
    troubles = [Trouble("member", str(n), f"No reading of {n}.") for n in range(11)]
    async with trio.open_nursery() as nursery:
        began_at = trio.current_time()
        on_trouble.update(troubles[:1], nursery)
        with trio.fail_after(10):
            while len(said(out)) < 2:
                on_trouble.update(troubles, nursery)
                await trio.sleep(0.01)
        assert trio.current_time() - began_at >= SOON.trouble_interval_s, "not sooner"
    first, second = said(out)
    assert first == "No reading of 0."
    assert second == f"{' '.join(f'No reading of {n}.' for n in range(1, 9))} And 2 more troubles."


@pytest.mark.skipif(os.name != "posix", reason="Windows has no setuid programs")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")  # it is left
async def test_one_that_this_user_may_not_end_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "killpg", refuse)  # as for sudo
    began_at = time.monotonic()
    async with trio.open_nursery() as nursery:
        OnTrouble(Command(f"{sys.executable} -c 'import time; time.sleep(4)'"), SOON).update([DISK], nursery)
    assert time.monotonic() - began_at < 3


async def test_one_that_hangs_or_fails_holds_up_nothing_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script, alive = tmp_path / "hang", tmp_path / "alive"
    script.write_text(f"#!/bin/sh\n(sleep 1.5; touch {alive}) &\nsleep 60\n", encoding="utf-8")
    script.chmod(0o700)
    hanging = OnTrouble(Command(str(script)), SOON)
    began_at = time.monotonic()
    async with trio.open_nursery() as nursery:
        hanging.update([DISK], nursery)
    assert time.monotonic() - began_at < 5
    assert "failed: it did not end within 0.5 s. Recording is not affected." in caplog.text
    failing = OnTrouble(Command("false"), SOON)
    async with trio.open_nursery() as nursery:
        await look(failing, nursery, DISK)
        await look(failing, nursery, ROOM)
    assert caplog.text.count("failed: it ended with exit code 1") == 1
    ending = OnTrouble(Command(str(script)), SOON)
    async with trio.open_nursery() as nursery:
        ending.update([DISK], nursery)
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    script.unlink()
    gone = OnTrouble(ending._command, SOON)
    async with trio.open_nursery() as nursery:
        gone.update([DISK], nursery)
    assert "failed: No such file or directory" in caplog.text
    await trio.sleep(max(0, began_at + 3.0 - time.monotonic()))
    assert not alive.exists(), "what it has started is ended with it"


def test_it_gets_the_sentence_and_no_token_in_its_environment() -> None:
    add_secrets("a-token-of-this-test")
    variables = {
        "PATH": "/bin",
        "PULSOID_TOKEN": "x",
        "PULSOID_CLIENT_SECRET": "y",
        "PULSOID_REC_DB": "a.duckdb",
        "MY_HEADER": "Bearer A-Token-of-this-test",
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "WATCHDOG_USEC": "1",
        "CREDENTIALS_DIRECTORY": "/run/credentials/a",
    }
    kept = {"PATH": "/bin", "PULSOID_REC_DB": "a.duckdb", "PULSOID_REC_TROUBLE": "It hangs."}
    assert make_environment("It hangs.", variables) == kept


def test_it_is_split_into_words_and_no_shell_obeys_what_is_in_a_name() -> None:
    sentence = 'No reading of $(touch x) "&del %PATH% for 5 min.'
    command = Command(f"{sys.executable} -c 'a b'")
    assert command.with_sentence(sentence) == [sys.executable, "-c", "a b", sentence]
    windows = Command(f'"{sys.executable}" -c "a b"', is_windows=True)
    assert windows.program == sys.executable
    assert windows.with_sentence(sentence) == (
        f'"{sys.executable}" -c "a b" "No reading of $(touch x) __del _PATH_ for 5 min."'
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no program"),
        ("echo 'a", "cannot be split into words"),
        ("no-such-program-here now", "There is no program 'no-such-program-here'"),
        (f"{os.devnull} x", "There is no program"),
    ],
)
def test_a_command_that_cannot_be_run_is_exit_code_2_before_anything_is_recorded(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        Command(text)
    if not text:
        done = run_here("record", "x", "--db", tmp_path / "a.duckdb", "--on-trouble", text, PULSOID_TOKEN="t")
        assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
        assert words in done.stderr
