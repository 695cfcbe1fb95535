"""Activity: how many readings each member sent in each quarter of an hour, as SQL.

Readings in a database are counted when they are read; those in an archive were counted when they were moved there, and
that was noted. Both are counted by the same SQL, so that they add up.
"""

from dataclasses import dataclass

_BEFORE_ALL_US = 10**17
"""More microseconds than from the year 1 to 1970: SQL's division rounds negative numbers upwards."""

_COUNTS = (
    "min(occurred_at) AS first_at, max(occurred_at) AS last_at, min(received_at) AS first_received_at,"
    " max(received_at) AS last_received_at, count(*) AS readings"
)


@dataclass(frozen=True, slots=True)
class Cut:
    """Time cut into pieces of equal width in microseconds, one of which starts at 1970."""

    width_us: int

    def sql(self, column: str) -> str:
        """Return the number of the piece that a column's instant lies in, as SQL."""
        return f"(epoch_us({column}) + {self._offset_us}) // {self.width_us}"

    def start_us(self, number: int) -> int:
        """Return when a piece starts, in microseconds since 1970."""
        return number * self.width_us - self._offset_us

    @property
    def _offset_us(self) -> int:
        return self.width_us * (_BEFORE_ALL_US // self.width_us + 1)


QUARTER = Cut(15 * 60 * 1_000_000)
"""Quarters of an hour (UTC), into which receipt is cut."""


def activity_sql(source: str, buckets: Cut = QUARTER, more: str = "") -> str:
    """Return the SQL that counts readings by `room_id`, `profile_id`, `bucket` of time and `quarter` of receipt.

    `source` are readings, as SQL, which may end with a condition; `more` is what else to compute of each group, such as
    `, count(*) AS many`.
    """
    return (
        f"SELECT room_id, profile_id, {buckets.sql('occurred_at')} AS bucket, {QUARTER.sql('received_at')} AS quarter,"
        f" {_COUNTS}{more} FROM {source} GROUP BY ALL"
    )
