"""The definitions: sessions, holds, time at bpm and all that follows from it. Pure functions from frames to frames.

No I/O, no DuckDB, no trio: every room of `analysis` may import it; it imports only `recorder.contract`.

- `definitions`, `filters`, `durations`: the few numbers figures depend on, which readings to use, and seconds.
- `sessions`, `holds`, `time_at_bpm`: the definitions, in this order; `untimely`: what is in no session, but counted.
- `summary`, from `zones`, `training_load`, `recovery`; `columns` describes each of its columns once.
- `members`: names and what is known of each member.
- `grid`: readings a second; `session_events`: events by session; `phases`: what marks divide a session into.
"""
