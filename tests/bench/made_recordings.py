"""Recordings of any size, made by SQL in the recorder's own tables: what matters here is how many rows they have."""

from pathlib import Path

from streams import require_count

from pulsoid_rec.recorder.ingest.database import open_database


def make_recording(
    path: Path, readings: int, members: int, rooms: int = 1, gap_s: int = 20, *, jitter: bool = False
) -> None:
    """Make a recording: a reading a second each, in the order of their receipt.

    All have a gap of `gap_s` seconds each hour, which makes a session of each hour if it is long enough; of a thousand
    readings one is 0 bpm. With `jitter` they come up to 2 ms late, and are received 60 to 110 ms later, all in
    microseconds: which says how well they are compressed.
    """
    late, received = ("", "INTERVAL 80 MILLISECOND")
    if jitter:
        late = " + (hash(number) % 2000)::BIGINT"
        received = "to_microseconds(60000 + (hash(number, 7) % 50000)::BIGINT)"
    of_room = members // rooms
    with open_database(path) as connection:
        connection.execute(
            f"""
            INSERT INTO heart_rate
            SELECT 'room-' || (member // {of_room}),
                printf('%08x-0000-4000-8000-%012x', member // {of_room}, member),
                CASE WHEN hash(number) % 1000 = 0 THEN 0
                    ELSE 110 + round(40 * sin(second / 300.0 + member) + hash(number) % 5)::INTEGER END,
                occurred_at, occurred_at + {received}, 'connection'
            FROM (
                SELECT number, number % {members} AS member, number // {members} AS second,
                    make_timestamptz(1704067200000000
                        + (second + second // 3600 * {gap_s}) * 1000000 + member * 997{late}) AS occurred_at
                FROM range({readings}) AS numbers(number)
            )
            """
        )
        found = connection.execute("SELECT count(*) FROM heart_rate").fetchall()[0][0]
    require_count(readings, found, "readings made")


def make_sessions(path: Path, sessions: int) -> int:
    """Make a recording of a session each six hours, of two members with ten readings each; return the count."""
    with open_database(path) as connection:
        connection.execute(
            f"""
            INSERT INTO heart_rate
            SELECT 'room', 'member-' || member, 80 + (10 * member + number % 7 + session % 13)::INTEGER,
                occurred_at, occurred_at + INTERVAL 80 MILLISECOND, 'connection'
            FROM (
                SELECT session, member, number,
                    make_timestamptz(1704067200000000 + (session * 21600 + number * 4) * 1000000 + member)
                        AS occurred_at
                FROM range({sessions}) AS sessions(session), range(10) AS numbers(number), range(2) AS members(member)
                ORDER BY session, number, member
            )
            """
        )
        found = connection.execute("SELECT count(*) FROM heart_rate").fetchall()[0][0]
    require_count(20 * sessions, found, "readings made")
    return 20 * sessions
