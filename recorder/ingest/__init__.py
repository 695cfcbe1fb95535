"""Ingest the journal into the DuckDB file: each segment exactly once, however often that is interrupted.

Reads closed segments and commits their rows. Used by `recorder` and `cli`.

- `schedule`: when to ingest, and what to do while the database is locked.
- `ingest`: segments, each exactly once; checkpoints, and what is removed after them.
- `segment_ingest`: one segment, as a whole if possible, else in pieces.
- `segment_rows`: the statements that insert a segment's file, in one transaction with its name.
- `forgotten_lines`: lines of forgotten members, which are left out.
- `rejected_lines`: what becomes of lines that cannot be stored.
- `stored_marks`: reads back the marks that are there.
- `kept`: the kept journal, one compressed file a day.
- `recover`: ingests what crashed recorders left.
- `database`: the DuckDB file: opened briefly, its tables created and checked.
- `archive_identity`: the name under which a file archives.
- `migration`: brings an older file up to today's tables.
"""
