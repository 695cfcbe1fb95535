"""Exports that are a folder: FIT files for the tools of athletes, and a BIDS dataset for labs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import polars as pl

from pulsoid_rec.analysis.cli.output import NewFile, print_message
from pulsoid_rec.analysis.cli.output_folder import NewFolder
from pulsoid_rec.analysis.export.bids import Dates, write_bids
from pulsoid_rec.analysis.export.fit import HIGHEST_BPM, require_fit_sdk, write_fit
from pulsoid_rec.analysis.export.series import read_series
from pulsoid_rec.analysis.metrics.definitions import Definitions
from pulsoid_rec.analysis.metrics.filters import Filter
from pulsoid_rec.analysis.reading.recording import Recording
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.wording import format_count


@dataclass(frozen=True, slots=True)
class FolderExport:
    """An export of heart rates to a folder."""

    format: Literal["fit", "bids"]
    named: NewFile

    def check(self, table: str, max_bpm: int) -> None:
        """Raise `UsageError` if the folder or an option is wrong, or a package that is needed is missing."""
        if table != "heart_rate":
            raise UsageError(f"--table {table} is for CSV and Parquet", f"Leave it out with --format {self.format}.")
        if self.format == "fit":
            require_fit_sdk()
            if max_bpm > HIGHEST_BPM:
                raise UsageError(
                    f"FIT has no heart rates above {HIGHEST_BPM}", f"Choose --max-bpm {HIGHEST_BPM} or less."
                )
        NewFolder(self.named).check()

    def write(
        self,
        recording: Recording,
        wanted: Filter,
        definitions: Definitions,
        members: pl.DataFrame,
        show_progress: Callable[[float], None] | None,
    ) -> tuple[int, int]:
        """Write the folder; return the number of recordings in it, and of those that are left out, as they are empty.

        A recording is of one member in one session. `members` is what is known of them (`members.SCHEMA`).
        """
        hidden = recording.pseudonyms
        with NewFolder(self.named).open_() as folder:
            series = read_series(recording, wanted, definitions, members, show_progress)
            if self.format == "fit":
                return write_fit(series, folder, local_time=hidden is None)
            dates: Dates = "true" if hidden is None else "moved" if hidden.shift_times else None
            return write_bids(series, folder, definitions, members, dates=dates)

    def print_counts(self, written: int, left_out: int) -> None:
        """Print what is in the folder, and what is not."""
        path = self.named.path
        if left_out:
            print_message(f"Left out, without a second of plausible heart rate: {format_count(left_out, 'recording')}.")
        if written and self.format == "fit":
            print_message(f"Wrote {format_count(written, 'file')}, one for each member and session, to {path}.")
        elif written:
            count = format_count(written, "recording")
            print_message(f"Wrote a BIDS dataset of {count}, one for each member and session, to {path}.")
