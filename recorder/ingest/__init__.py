"""From the journal into the DuckDB file: each segment exactly once, however often it is interrupted.

Segments go in, committed rows come out. Used by `recorder` and the command line.

- `schedule`: when to ingest, and what to do while the database is locked.
- `ingest`: one segment in one transaction with the note that it is in.
- `recover`: what crashed recorders left behind.
- `database`: the DuckDB file: opened for a moment, its tables made or brought up to date.
"""
