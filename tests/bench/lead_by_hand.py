"""What the summary is compared with: time at bpm by DuckDB's own window function.

`python lead_by_hand.py DATABASE` prints the plausible readings and the seconds they were held.
"""

import sys

import duckdb

TIME_AT_BPM = """
    SELECT room_id, profile_id, bpm, count(*) AS readings, sum(least(held_us, 5000000)) AS held_us
    FROM (
        SELECT room_id, profile_id, bpm,
            coalesce(epoch_us(lead(occurred_at) OVER (PARTITION BY room_id, profile_id ORDER BY occurred_at))
                - epoch_us(occurred_at), 0) AS held_us
        FROM heart_rate
    )
    WHERE bpm BETWEEN 30 AND 230
    GROUP BY ALL
"""

if __name__ == "__main__":
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        print(*connection.execute(f"SELECT sum(readings), sum(held_us) / 1e6 FROM ({TIME_AT_BPM})").fetchall()[0])
