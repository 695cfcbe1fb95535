"""The definitions: sessions, holds, time at bpm and all that follows from it. Pure functions from frames to frames.

No I/O, no DuckDB, no trio: everybody in `analysis` may import this, and it imports the contract alone.

- `definitions`, `filters`: the few numbers figures depend on, and which readings they are about.
- `sessions`, `holds`, `time_at_bpm`: the definitions, in this order.
- `summary`, from `zones`, `training_load`, `recovery`; `columns` describes each of its columns once.
- `members`: names and what is known of each member; `grid`: readings a second; `session_events`: events by session.
"""
