"""Only who consented is recorded: of others nothing reaches the disk but how many messages they sent."""

import gzip
import io
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import trio
from command import run_here
from hostile_server import TEXT, Visit, close, frame, open_hostile_server
from recording_run import FAST, rows, running, until
from rich.console import Console
from simulator_control import ControlledSimulator, open_simulator

from pulsoid_rec.recorder.cli.live_status import LiveStatus
from pulsoid_rec.recorder.cli.record import print_totals
from pulsoid_rec.recorder.cli.recording_log import open_log
from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.consent import Consent, ConsentGate
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.timings import Timings
from pulsoid_rec.recorder.contract.withheld import withheld_reason
from pulsoid_rec.recorder.journal.rows import HeartRateRow, RejectedMessageRow, RoomEventRow
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE, Credentials
from pulsoid_rec.recorder.pulsoid.messages import KINDS
from pulsoid_rec.recorder.recorder import Options, Recorder
from pulsoid_rec.recorder.simulator.tokens import DEMO_TOKEN
from pulsoid_rec.recorder.status import RoomStatus, count_members

pytestmark = pytest.mark.process

QUICK = replace(FAST, consent_interval_s=0.01)
TODAY = date(2026, 3, 2)
HIDDEN = ("hidden-4711", "Hidden Person", "waldo-0815", "Waldo Quux")
NO_CONSENT = "[ann]\nconsent = 2026-03-01\n"


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(TOKEN_VARIABLE, DEMO_TOKEN)
    (tmp_path / "members.toml").write_text(NO_CONSENT, encoding="utf-8")
    return tmp_path / "room.duckdb"


@asynccontextmanager
async def recording(
    simulator: ControlledSimulator, database: Path, timings: Timings = QUICK
) -> AsyncIterator[Recorder]:
    members = database.with_name("members.toml")
    options = Options(
        ("demo",),
        database,
        parse_server_url(simulator.url),
        Credentials(),
        KINDS,
        keep_journal=True,
        consent_file=members,
    )
    recorder = await trio.to_thread.run_sync(lambda: Recorder(options, timings=timings))
    with open_log(database, options.run_id, None):
        async with running(recorder):
            await simulator.wait_for_clients("demo")
            yield recorder


def contents(folder: Path) -> Iterator[tuple[str, str]]:
    """Read every file, of the kept journal what is packed in it, and of the database its rows too."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        yield path.name, (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")
        if path.suffix == ".duckdb":
            for table in ("heart_rate", "member_events", "room_events", "connection_events", "rejected_messages"):
                yield table, str(rows(path, f"SELECT t::VARCHAR FROM {table} t"))


def write(path: Path, text: str) -> None:
    """Replace a file, whose size or inode then differs from what was there."""
    new = path.with_name("new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


async def test_nothing_of_somebody_without_consent_reaches_the_disk_or_the_screen(
    database: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ids, names = HIDDEN[::2], HIDDEN[1::2]
    write(database.with_name("members.toml"), f'{NO_CONSENT}[{ids[1]}]\nconsent = "withdrawn"\n')
    async with open_simulator() as simulator, recording(simulator, database) as recorder:
        status = recorder.rooms[0].status
        for id_, name in zip(ids, names, strict=True):
            await simulator.update_member("demo", id_, {"name": name})
            await simulator.send_heart_rate("demo", id_, 85)
            await simulator.remove_member("demo", id_)
        await simulator.update_member("demo", "ann", {"name": "Ann"})
        await simulator.send_heart_rate("demo", "ann", 90)
        for odd in (
            f'{{"kind":"heart_rate","timestamp":"x","heart_rate":{{"profile_id":"{ids[0]}","bpm":80}}}}',
            f'{{"kind":"{names[0]}","timestamp":"2026-01-15T10:30:00Z"}}',
            f'["{ids[1]}", "{names[1]}"',
            f'"{names[1]}' + "x" * 200_000 + '"',
        ):
            await simulator.send_raw("demo", odd)
        await until(lambda: status.rejected == 4)
        console = Console(file=io.StringIO(), width=160, height=24, force_terminal=True, color_system=None)
        with console.capture() as drawn:
            console.print(LiveStatus(console).draw(recorder))
    print_totals(recorder)
    shown = drawn.get() + "".join(capfd.readouterr())
    found = {"screen": shown, "names": str(status.names), **dict(contents(database.parent))}
    members = found.pop("members.toml")
    assert "withdrawn" in members
    for where, text in found.items():
        for secret in HIDDEN:
            assert secret not in text, f"{secret} in {where}"
    assert any(name.endswith(".gz") for name in found)
    assert any(name.endswith(".log") for name in found)
    assert rows(database, "SELECT profile_id, bpm FROM heart_rate") == [("ann", 90)]
    assert (
        rows(database, "SELECT DISTINCT profile_id, name FROM member_events WHERE profile_id = 'ann' ORDER BY ALL")
        != []
    )
    assert status.withheld >= 6
    assert f"{status.withheld} messages of 2 members without consent not recorded" in shown
    assert f"Not recorded, for want of consent: {status.withheld} messages of 2 members in demo." in shown
    assert "4 rejected messages" in shown
    kept = rows(database, "SELECT reason, raw FROM rejected_messages WHERE reason NOT LIKE '%consent%' ORDER BY rowid")
    assert all(raw == "" for _, raw in kept)
    assert [reason.partition("; of ")[0] for reason, _ in kept][1] == "there is no such kind"
    assert all("bytes the first 0 are kept" in reason for reason, _ in kept)


async def test_nor_does_what_a_server_says_when_it_closes_the_connection(
    database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def of_nobody(visit: Visit) -> bytes:
        return frame(TEXT, f'{{"kind":"pong","{HIDDEN[1]}":{len(visit.head)}}}'.encode())

    async def kick(visit: Visit) -> None:
        await visit.accept(of_nobody(visit), close(4001, f"{HIDDEN[0]} was removed"), lines=f"X-Who: {HIDDEN[2]}\r\n")
        await visit.until_gone()

    async def spoil(visit: Visit) -> None:
        await visit.accept(of_nobody(visit), frame(0x3, HIDDEN[3].encode()))  # of an opcode that is none
        await visit.until_gone()

    async with open_hostile_server(kick, spoil, kick) as server:
        members = database.with_name("members.toml")
        options = Options(
            ("demo",), database, parse_server_url(server.url), Credentials(), kinds=KINDS, consent_file=members
        )
        recorder = await trio.to_thread.run_sync(lambda: Recorder(options, timings=QUICK))
        with open_log(database, options.run_id, None):
            async with running(recorder):
                await until(lambda: len(server.heads) > 2 and recorder.rooms[0].status.rejected > 2)
    assert rows(database, "SELECT DISTINCT code FROM connection_events ORDER BY code") != []
    reasons = rows(database, "SELECT reason FROM connection_events WHERE code = 4001")
    assert ("the server closed the connection (4001)",) in reasons
    found = {"log": caplog.text, "problem": str(recorder.rooms[0].status), **dict(contents(database.parent))}
    for where, shown in found.items():
        for secret in HIDDEN:
            assert secret not in shown, f"{secret} in {where}"


async def test_what_is_not_recorded_is_counted_in_a_row_at_once_each_interval_and_at_the_end(database: Path) -> None:
    async with open_simulator() as simulator, recording(simulator, database) as recorder:
        status = recorder.rooms[0].status
        for number in range(5):
            await simulator.send_heart_rate("demo", f"user-{number % 2}", 85)
        await until(lambda: status.withheld >= 5)
        await until(lambda: recorder.ingester.total.rejected == 1)  # also if the recorder is killed now
    reasons = [reason for (reason,) in rows(database, "SELECT reason FROM rejected_messages ORDER BY received_at")]
    assert reasons[0] == withheld_reason(1, 1)
    counted = [reason.split()[0] for reason in reasons]
    assert sum(map(int, counted)) == status.withheld
    assert len(reasons) == status.withheld_rows == 2


async def test_consent_that_is_given_or_withdrawn_counts_within_a_moment_without_a_restart(database: Path) -> None:
    members = database.with_name("members.toml")
    async with open_simulator() as simulator, recording(simulator, database) as recorder:
        status, consent = recorder.rooms[0].status, recorder.consent
        assert consent is not None
        await simulator.send_heart_rate("demo", "bob", 60)
        await until(lambda: status.withheld > 0)
        write(members, "[bob]\nconsent = 2026-01-01\n[ann]\nconsent = 'withdrawn'\n")
        await until(lambda: ": 1 member of" in str(consent) and consent.allows(heart_rate("bob")))
        await simulator.send_heart_rate("demo", "bob", 61)
        await until(lambda: status.readings == 1)
        write(members, "[bob")
        await trio.sleep(0.1)
        await simulator.send_heart_rate("demo", "bob", 62)
        await until(lambda: status.readings == 2)
        write(members, "[bob]\nconsent = 'withdrawn'\n")
        await until(lambda: not consent.allows(heart_rate("bob")))
        await simulator.send_heart_rate("demo", "bob", 63)
        await until(lambda: "bob" in status.removed)
    assert rows(database, "SELECT bpm FROM heart_rate ORDER BY rowid") == [(61,), (62,)]


def heart_rate(profile_id: str) -> HeartRateRow:
    return HeartRateRow("r", "c", profile_id, 80, 0, 0, "{}")


def make_consent(path: Path, today: date = TODAY) -> Consent:
    return Consent(path, FAST, lambda: today)


@pytest.mark.parametrize(
    ("lines", "is_recorded"),
    [
        ("consent = 2026-03-01", True),
        ("consent = 2026-03-02", True),
        ("consent = 2026-03-03", False),  # tomorrow
        ("consent = 'withdrawn'", False),
        ("name = 'Ann'", False),
    ],
)
def test_consent_is_a_day_that_has_come(tmp_path: Path, lines: str, *, is_recorded: bool) -> None:
    path = tmp_path / "members.toml"
    path.write_text(f"[ann]\n{lines}\n", encoding="utf-8")
    consent = make_consent(path)
    assert consent.allows(heart_rate("ann")) is consent.is_given is is_recorded
    assert not consent.allows(heart_rate("bob"))
    assert consent.allows(RoomEventRow("r", "c", None, "{}", 0, 0, "{}"))
    assert consent.allows(RejectedMessageRow("r", "c", 0, "odd", ""))


def test_consent_from_tomorrow_on_counts_tomorrow(tmp_path: Path) -> None:
    path, days = tmp_path / "members.toml", [TODAY]
    path.write_text("[ann]\nconsent = 2026-03-03\n", encoding="utf-8")
    consent = Consent(path, FAST, lambda: days[-1])
    assert not consent.allows(heart_rate("ann"))
    days.append(date(2026, 3, 3))
    consent.update()
    assert consent.allows(heart_rate("ann"))


def test_a_file_that_is_being_written_counts_once_it_rests(tmp_path: Path) -> None:
    path = tmp_path / "members.toml"
    path.write_text(NO_CONSENT, encoding="utf-8")
    consent = make_consent(path)
    for half in ("", "[cid]\n"):  # as some editors do first
        path.write_text(half, encoding="utf-8")
        consent.update()
        assert consent.allows(heart_rate("ann"))
    path.write_text(NO_CONSENT + NO_CONSENT.replace("ann", "bob"), encoding="utf-8")
    consent.update()
    consent.update()
    assert consent.allows(heart_rate("ann"))
    assert consent.allows(heart_rate("bob"))


def test_a_broken_file_keeps_the_last_state_and_is_logged_once_without_ids(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "members.toml"
    path.write_text(NO_CONSENT, encoding="utf-8")
    consent = make_consent(path)
    caplog.set_level(logging.INFO)
    for broken in ("[hidden-4711]\nconsent = 7\n", "[hidden-4711]\nconsent = 77\n", "[", None):
        write(path, broken) if broken is not None else path.unlink()
        for _ in range(3):
            consent.update()
        assert consent.allows(heart_rate("ann"))
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"{path} has an invalid line.")
    assert "hidden" not in caplog.text
    write(path, "")
    for _ in range(2):
        consent.update()
    assert not consent.is_given
    assert "has the consent of nobody" in caplog.messages[-1]


def test_without_a_file_or_anybodys_consent_a_sentence_says_what_to_write(tmp_path: Path) -> None:
    path = tmp_path / "members.toml"
    assert str(make_consent(path)).startswith(
        f"{path} is not there: no member is recorded until one has a line such as"
    )
    path.write_text("", encoding="utf-8")
    assert str(make_consent(path)).startswith(f"{path} has the consent of nobody: no member is recorded until")
    path.write_text(NO_CONSENT, encoding="utf-8")
    assert str(make_consent(path)) == f"Recorded are only those who consented: 1 member of {path}."


def test_without_the_option_everybody_passes_and_texts_are_kept() -> None:
    gate = ConsentGate(None, RoomStatus("r"), FAST, DEFAULT_LIMITS)
    assert not gate.drops(heart_rate("bob"))
    assert gate.raw_bytes == DEFAULT_LIMITS.raw_bytes
    assert gate.take_count("c", 0, is_last=True) is None


def test_whoever_withdraws_is_no_longer_shown(tmp_path: Path) -> None:
    status = RoomStatus("r", latest={"bob": (80, 1, 1)}, names={"bob": "Bob"})
    gate = ConsentGate(make_consent(tmp_path / "members.toml"), status, FAST, DEFAULT_LIMITS)
    assert gate.drops(heart_rate("bob"))
    assert (status.present, status.names, status.describe_withheld()) == (0, {}, "1 message of 1 member")
    assert count_members([status]) == "1 member"  # of whom there are readings


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--members", "none.toml"], "Cannot read none.toml"),
        (["--only-consented", "--members", "none.toml"], "Cannot read none.toml"),
        (["--only-consented"], "members.toml is not valid TOML"),
    ],
)
def test_a_members_file_that_cannot_be_used_is_exit_code_2_and_nothing_is_made(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    (tmp_path / "members.toml").write_text("[", encoding="utf-8")
    done = run_here("record", "x", "--db", "a.duckdb", *arguments, cwd=tmp_path, PULSOID_TOKEN="t")
    assert done.returncode == 2
    assert words in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["members.toml"]
