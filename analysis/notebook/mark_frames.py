"""The marks and phases of an excerpt, as polars frames."""

import polars as pl

from pulsoid_rec.analysis.metrics.phases import PLACED_MARKS, find_phases, select_marks
from pulsoid_rec.analysis.notebook.frames import Frames
from pulsoid_rec.analysis.reading.marks import read_marks


class MarkFrames(Frames):
    """An excerpt's frames, with its marks."""

    __slots__ = ()

    def marks(self) -> pl.DataFrame:
        """Read the marks, without those that were undone.

        Returns
        -------
        pl.DataFrame
            `room_id`, `session`, `profile_id` (null: of the whole room), `name`, `label`, `kind` (`mark` or `phase`),
            `occurred_at` (by the clock of the readings), `marked_at` (by the recorder's clock), `mark_id`, `source`,
            ordered by room, session and time.

        Examples
        --------
        >>> recording.only(session="latest").marks()
        """
        with self.snapshot() as now:
            marks = read_marks(now.recording, self.wanted.rooms, self.definitions)
            marks = select_marks(marks, self.wanted, now.sessions())
            return now._named(marks.lazy(), PLACED_MARKS).collect()  # noqa: SLF001 - of another excerpt

    def phases(self) -> pl.DataFrame:
        """List the phases of the sessions: what `pulsoid-rec mark --phase` divided them into.

        Returns
        -------
        pl.DataFrame
            `room_id`, `session`, `phase` (0: before the first mark of one), `phase_label`, `started_at`, `ended_at`
            (exclusive), by the clock of the readings; of whole sessions, ordered by room, session and time.

        Examples
        --------
        >>> recording.only(session="latest").phases()
        """
        with self.snapshot() as now:
            return find_phases(read_marks(now.recording, self.wanted.rooms, self.definitions), now.sessions())
