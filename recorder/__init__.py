"""Recording: from a room's WebSocket to append-only DuckDB tables.

The rooms of this package, highest first; each may import those below it, and none those above:

- `cli`: the commands that record, recover, import, archive, forget and simulate, and what they show on a terminal.
- `forgetting`: members, or all that is old, out of the database, its archive and every file around it.
- `archiving`: whole days, from the database to Parquet files.
- `live`: the live page of `record --live`, and what it serves to programs.
- `importing`: files of other programs, through the journal into the database.
- `recorder`: one run of the recorder. `room` records one room; `status` counts what a display shows.
- `consent`: who may be recorded, by the members file.
- `suspension`: notices that the process was stopped. `clock`: stamps rows in the order of their receipt.
- `marking`: marks, made by a page, by a command, or noted elsewhere.
- `ingest`: inserts the journal into the DuckDB file, exactly once; `recover` does so after a crash.
- `pulsoid`: messages, credentials, and checking and refreshing a token.
- `connection`: one WebSocket connection: opening it, watching it, and when to reconnect.
- `journal`: append-only files on disk that hold every row until it is committed to the database.
- `disk`: lock files, syncing, and replacing a file as a whole.
- `simulator`: a Pulsoid server to develop and test against; it imports only `contract`.
- `contract`: tables, errors, file names, timings and limits: all of the recorder that `analysis` may import.
"""
