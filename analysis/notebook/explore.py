"""A recording in a notebook: choose a part of it, and look at its frames and charts.

import pulsoid_rec.analysis as pr

recording = pr.explore("data/pulsoid.duckdb")
recording.timeline()
"""

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import MARK_PREFIX, Filter, Which
from pulsoid_rec.analysis.notebook.repr import describe_excerpt, render_excerpt
from pulsoid_rec.analysis.notebook.responses import WithResponses
from pulsoid_rec.analysis.notebook.select import Ids, Time, choose_ids, choose_phase, choose_range, choose_session
from pulsoid_rec.analysis.notebook.together import WithTogether
from pulsoid_rec.analysis.reading.marks import find_mark
from pulsoid_rec.analysis.reading.pseudonym_key import FILE_NAME, read_or_make_key
from pulsoid_rec.analysis.reading.pseudonyms import Pseudonyms
from pulsoid_rec.analysis.reading.recording import EVERYTHING, USUAL, Recording
from pulsoid_rec.recorder.contract.defaults import ARCHIVE_VARIABLE
from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.members_file import find_members_file
from pulsoid_rec.recorder.contract.paths import parse_path


def explore(
    path: Path | str | None = None,
    *,
    archive: Path | str | None = None,
    members: Path | str | None = None,
    definitions: Definitions = USUAL,
    pseudonyms: bool | Path | str = False,
    shift_times: bool = False,
) -> "Excerpt":
    """Open a recording, finished or still being recorded.

    The file is opened read-only for each read and closed again, so that recorders do not wait.

    Parameters
    ----------
    path
        The DuckDB file that `pulsoid-rec record` writes; `~` at the beginning of a text is the home folder. Without it,
        `archive` is read alone.
    archive
        Where the archive is that `pulsoid-rec archive` wrote; by default the place that is noted in the file, if any
        (a bucket or a network share only if PULSOID_REC_ARCHIVE names it, too), or without a file PULSOID_REC_ARCHIVE.
    members
        What is known of the members, a TOML file; by default `members.toml` beside the recording, if there is one.
    definitions
        What counts as plausible, held and one session.
    pseudonyms
        Whether pseudonyms take the place of ids and names, and configs are left out. A path is that of the key that
        they are made with; otherwise it is `pseudonyms.key` beside the recording. It is made if there is none.
    shift_times
        Whether the times of each room are moved back by some weeks that only the key gives away. There are pseudonyms
        then, too.

    Returns
    -------
    Excerpt
        All of the recording; `only` chooses a part of it.

    Raises
    ------
    StorageError
        The file does not exist, is not a recording, is damaged, or is locked by another process; or the archive named
        is not there.
    UsageError
        There is neither a file nor an archive; or the members file cannot be read, or has an invalid value; or the
        key cannot be used.

    Examples
    --------
    >>> recording = pr.explore("data/pulsoid.duckdb")
    >>> recording  # what is in it
    >>> recording.timeline()
    >>> recording.only(session=2, member="Ada").readings().collect()
    >>> pr.explore("data/pulsoid.duckdb", definitions=pr.Definitions(max_hold_s=10))
    >>> pr.explore(archive="data/archive").summary()
    >>> pr.explore("data/pulsoid.duckdb", pseudonyms=True).summary()
    """
    if path is None and archive is None:
        archive = os.environ.get(ARCHIVE_VARIABLE)
    recording = Recording(path, archive=archive)
    if pseudonyms or shift_times:
        key = recording.path.with_name(FILE_NAME) if isinstance(pseudonyms, bool) else parse_path(pseudonyms)
        recording.pseudonyms = Pseudonyms(read_or_make_key(key, lambda text: print_lines(f"{text}.")), shift_times)
    with recording.connect():  # raises if anything is wrong with the file
        pass
    members_file = find_members_file(recording.path, None if members is None else parse_path(members))
    whole = Excerpt(recording, EVERYTHING, definitions, members_file)
    whole.known_members()
    return whole


class Excerpt(WithResponses, WithTogether):
    """A part of a recording: rooms, sessions, members, and a range of time.

    `explore` returns the whole recording, `only` a part of it. A notebook displays it as a table of its contents.

    - Lists: `rooms`, `sessions`, `members`, `marks`, `phases`.
    - Results: `summary`, `time_at_bpm`, `notes`, `responses`, `together`.
    - Rows: `readings`, `grid`, `member_events`, `room_events`, `connection_events`, `sql`.
    - Charts: `timeline`, `zone_bars`, `distribution`, `small_multiples`, `calendar`, `history`.

    Frames are polars frames; instants in them are UTC. Each call, and each `collect` of a lazy frame, reads the current
    state of the file.
    """

    __slots__ = ()

    def only(
        self,
        *,
        room: Ids | None = None,
        session: Which | str | None = None,
        member: Ids | None = None,
        since: Time | None = None,
        until: Time | None = None,
        phase: str | int | None = None,
    ) -> "Excerpt":
        """Choose a part of this excerpt.

        Parameters
        ----------
        room
            A room's id or name, or a list of several.
        session
            A session's number, or `"latest"`: each room's last one, as of each read.
        member
            A member's name or profile id, or a list of several. Sessions that none of them took part in are left out.
            With pseudonyms, rooms and members are chosen by these or by their ids, not by names.
        since, until
            Range of time, the first inclusive, the second exclusive: a `datetime`, a `date`, or text such as
            `"2026-01-31 20:15"`, `"2h"` for two hours ago, or `"mark:LABEL"`. Local time, unless it has an offset.
        phase
            The label or number of a phase, of one session; `phases` lists them.

        Returns
        -------
        Excerpt
            The part; this excerpt does not change.

        Raises
        ------
        UsageError
            There is no such room, session, member or phase (the message lists those that exist), or the range is empty.

        Examples
        --------
        >>> recording.only(room="demo", session=3)
        >>> recording.only(member=["Ada", "Bruno"], since="3d")
        >>> recording.only(session="latest", phase="match 1").summary()
        >>> recording.only(session="latest").only(member="Ada").readings().collect()
        """
        wanted, where, hidden = self.wanted, self.recording.where, self.recording.pseudonyms
        if self.recording.is_moved and any(bound is not None for bound in (since, until, phase)):
            raise UsageError("A range of time gives away what shift_times hides", "Choose by session= instead.")
        if room is not None:
            names = {id_: name or id_ for id_, name in self.rooms().select("room_id", "name").iter_rows()}
            wanted = replace(wanted, rooms=choose_ids(room, names, "room", where, hidden))
        if session is not None:
            which = choose_session(session, replace(self, wanted=wanted).sessions, where)
            if isinstance(which, int) or wanted.session == "all":
                wanted = replace(wanted, session=which)
        if member is not None:
            names = dict(replace(self, wanted=wanted).members().select("profile_id", "name").iter_rows())
            within = f"{wanted} of {where}" if str(wanted) else where
            wanted = replace(wanted, members=choose_ids(member, names, "member", within, hidden))
        since, until = (self._at_mark(bound, wanted, name) for name, bound in (("since", since), ("until", until)))
        since_at, until_at = choose_range(since, until, wanted, datetime.now(UTC))
        chosen = replace(self, wanted=replace(wanted, since=since_at, until=until_at))
        if phase is None:
            return chosen
        return replace(chosen, wanted=choose_phase(phase, chosen.phases(), chosen.wanted, hidden))

    def _at_mark(self, typed: Time | None, wanted: Filter, name: str) -> Time | None:
        if not isinstance(typed, str) or not typed.startswith(MARK_PREFIX):
            return typed
        return find_mark(self.recording, typed.removeprefix(MARK_PREFIX), wanted.rooms, name, self.definitions)

    def __repr__(self) -> str:
        return describe_excerpt(self)

    def _repr_html_(self) -> str:
        return render_excerpt(self)
