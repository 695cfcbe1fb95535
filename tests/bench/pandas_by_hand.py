"""What the summary is compared with: time at bpm by pandas, sort and groupby.

`python pandas_by_hand.py DATABASE` prints the plausible readings and the seconds they were held.
"""

import sys

import duckdb

if __name__ == "__main__":
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        readings = connection.execute("SELECT room_id, profile_id, bpm, occurred_at FROM heart_rate").df()
    readings = readings.sort_values(["room_id", "profile_id", "occurred_at"])
    following = readings.groupby(["room_id", "profile_id"])["occurred_at"].shift(-1)
    held_s = (following - readings["occurred_at"]).dt.total_seconds().fillna(0).clip(upper=5)
    readings = readings.assign(held_s=held_s)
    readings = readings[readings["bpm"].between(30, 230)]
    at_bpm = readings.groupby(["room_id", "profile_id", "bpm"])["held_s"].agg(["count", "sum"])
    print(at_bpm["count"].sum(), at_bpm["sum"].sum())
