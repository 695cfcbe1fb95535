"""Analysis: from recorded tables to figures that can be trusted. It reads; nothing here writes to a recording.

Read in the order a reading travels:

- `database` opens the file for one read; `recording` reads tables, `activity`, `slices` and `pipeline` what is large.
- `filters` chooses rooms, sessions and time; `definitions` holds the few numbers that figures depend on.
- `sessions`, `holds` and `time_at_bpm` are the definitions, as functions from frames to frames; `packed` is the last
  two for large recordings. `summary` puts `zones`, `training_load`, `recovery` beside them; `members` knows who is who.
- `presence`, `offline` and `quality` say in words (`notes`) what to know before trusting a figure.
- `report_data` gathers what a report shows, `parts` takes it apart by session: `terminal` and `html` show it.
- `charts`, `charts_members`, `charts_amounts` and `charts_history` draw, for the page and for notebooks alike.
- `export` writes tables and the summary elsewhere; `meanings` says there what the columns are.
- `explore` is for somebody at a notebook: `frames`, `grid`, `drawings` and `jupyter` are what that gives.
"""
