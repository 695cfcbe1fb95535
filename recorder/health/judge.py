"""How runs are doing, as seen from another process: what they wrote about themselves, and whether they still live."""

import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS
from pulsoid_rec.recorder.contract.paths import follow_link
from pulsoid_rec.recorder.contract.timings import DEFAULT_TIMINGS, Timings
from pulsoid_rec.recorder.contract.wording import format_duration
from pulsoid_rec.recorder.health.note import MemberNote, RoomNote, Run, Trouble, find_runs

UNKNOWN = "unknown"
"""The state of a room whose recorder does not respond, or is gone."""
_RESPONSIVE = {"recording", "stopping"}
_AS_WRITTEN = (
    "pid",
    "started_at",
    "rooms",
    "members",
    "more_members",
    "database_behind_s",
    "database_error",
    "journal_bytes",
    "token_ends_at",
)


class Judged(msgspec.Struct, kw_only=True):
    """A run: what `status --format json` prints of it."""

    run_id: str
    state: str  # starting, recording, stopping, unresponsive, killed
    pid: int | None = None
    started_at: datetime | None = None
    last_alive_at: datetime | None = None
    rooms: list[RoomNote] = []
    members: list[MemberNote] = []
    more_members: int = 0
    database_behind_s: float | None = None
    database_error: str | None = None
    journal_bytes: int | None = None
    token_ends_at: datetime | None = None
    disk_free_bytes: int
    troubles: list[Trouble]

    @property
    def is_stale(self) -> bool:
        """Whether its process is there, and has not written for long."""
        return self.state == "unresponsive"

    @property
    def is_recording(self) -> bool:
        """Whether its process is there."""
        return self.state != "killed"


def judge(database: Path, timings: Timings = DEFAULT_TIMINGS) -> list[Judged]:
    """Find the runs on a database and say how they are doing; the database itself is not opened.

    Raises `OSError` if its journal's folder cannot be read.
    """
    folder = journal_folder(database)
    runs = find_runs(folder)
    if not runs:
        return []
    free_bytes = shutil.disk_usage(follow_link(database).absolute().parent).free
    now = datetime.now(UTC)
    return [_judge_run(run, now, free_bytes, timings) for run in runs]


def _judge_run(run: Run, now: datetime, free_bytes: int, timings: Timings) -> Judged:
    note = run.note
    silent_s = 0.0 if run.last_alive_at is None else (now - run.last_alive_at).total_seconds()
    old_s = 0.0 if note is None else (now - note.written_at).total_seconds()  # below 0: the clock was set back
    if not run.is_alive:
        state = "killed"
    elif note is None:
        state = "starting"
    elif silent_s > timings.stale_status_s or old_s < -timings.stale_status_s:
        state = "unresponsive"
    else:
        state = "stopping" if note.is_ending else "recording"
    is_current = state in _RESPONSIVE and old_s <= timings.stale_status_s
    own = _describe_state(state, run, now, silent_s)
    troubles = [] if own is None else [Trouble("recorder", None, own)]
    if state in _RESPONSIVE and not is_current:
        text = (
            f"The recorder could not write its status for {format_duration(old_s)}, and perhaps not its journal: free "
            "some space, or repair the folder."
        )
        troubles.append(Trouble("journal", None, text))
    if free_bytes < DEFAULT_LIMITS.low_disk_bytes:
        text = f"The disk is nearly full: {free_bytes // 10**6} MB are free."
        troubles.append(Trouble("disk", None, text))
    if note is not None and is_current:  # what else a run wrote is true no longer
        troubles += [trouble for trouble in note.troubles if trouble.kind != "disk"]
    known: dict[str, Any] = {}
    if note is not None:
        known = {name: getattr(note, name) for name in _AS_WRITTEN} | {"last_alive_at": run.last_alive_at}
        if not is_current:  # who was heard when is true still
            known |= {"database_behind_s": None, "database_error": None, "journal_bytes": None}
            known["rooms"] = [msgspec.structs.replace(room, state=UNKNOWN, why=None) for room in note.rooms]
        if not run.is_alive:
            known["journal_bytes"] = run.left_bytes
    return Judged(
        run_id=run.run_id,
        state=state,
        disk_free_bytes=free_bytes,
        troubles=troubles,
        **known,
    )


def _describe_state(state: str, run: Run, now: datetime, silent_s: float) -> str | None:
    """Return what is wrong with a run itself, as a sentence."""
    note = run.note
    if note is None:
        return "A recorder has just started, or cannot write its status."
    if state == "unresponsive":
        when = f"for {format_duration(silent_s)}" if silent_s > 0 else "since the clock was set back"
        return (
            f"The recorder (process {note.pid}) has not responded {when}: it is stopped or hangs, or its folder cannot "
            "be written to."
        )
    if state == "killed":
        ago = format_duration(max((now - (run.last_alive_at or note.written_at)).total_seconds(), 0))
        left = f"the {run.left_bytes:,} bytes that it left in the journal" if run.left_bytes else "what it left, if any"
        return (
            f"The recorder (process {note.pid}) was killed or has crashed {ago} ago. The next `record`, or "
            f"`pulsoid-rec recover`, stores {left}."
        )
    return None
