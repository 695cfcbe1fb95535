"""Reads of a recording while another process archives it, day after day: each one sees every row once."""

import shutil
import subprocess
from pathlib import Path

import pytest
from command import PULSOID_REC
from recordings import make_recording, steady

from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.tables import MEMBER_EVENTS

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_reads_while_days_are_archived_are_all_the_same(tmp_path: Path) -> None:
    attempts = (reads_between_two_days(tmp_path / str(days), days) for days in (6, 20, 60))
    assert any(attempts), "however many days there were, no read was between two of them"


def reads_between_two_days(folder: Path, days: int) -> int:
    """Read while another process archives; return how many reads there were when not all days were archived yet."""
    folder.mkdir()
    rows = [row for day in range(days) for row in (*steady("ann", 90 + day, day * 86_400, day * 86_400 + 90),)]
    events = [["r1", "ann", "updated", '{"name": "Ada"}', row.occurred_at, row.received_at, "c1"] for row in rows[::45]]
    whole = make_recording(folder / "whole.duckdb", rows, member_events=events)
    summary, configs = Recording(whole).summary(), Recording(whole).events(MEMBER_EVENTS, with_configs=True)
    amid = 0
    database = Path(shutil.copy(whole, folder / "a.duckdb"))
    recording = Recording(database)
    command = [*PULSOID_REC, "archive", str(folder / "archive"), "--db", str(database)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            assert recording.summary().equals(summary)
            assert recording.events(MEMBER_EVENTS, with_configs=True).equals(configs)
            amid += 0 < len(list(folder.glob("archive/v1/*/*/*.parquet"))) < 2 * days
        assert process.stderr is not None
        assert process.returncode == 0, process.stderr.read()
    assert recording.summary().equals(summary)
    assert len(list(folder.glob("archive/v1/*/*/*.parquet"))) == 2 * days
    return amid
