"""Ingest the journal into the DuckDB file: each segment exactly once, however often that is interrupted.

Reads closed segments and commits their rows. Used by `recorder` and `cli`.

- `schedule`: when to ingest, and what to do while the database is locked.
- `ingest`: one segment in one transaction, together with its name.
- `recover`: ingests what crashed recorders left.
- `database`: the DuckDB file: opened briefly, its tables created and checked.
- `migration`: brings an older file up to today's tables.
"""
