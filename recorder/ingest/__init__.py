"""From the journal into the DuckDB file: each segment exactly once, however often that is interrupted.

Segments go in, committed rows come out. Used by `recorder` and the command line.

- `schedule`: when to ingest, and what to do while the database is locked.
- `ingest`: one segment in one transaction, together with its name.
- `recover`: what crashed recorders left.
- `database`: the DuckDB file: opened for a moment, its tables made and checked.
"""
