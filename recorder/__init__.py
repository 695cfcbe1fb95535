"""Recording: from a room's WebSocket to append-only DuckDB tables.

The rooms of this package, in the order of the data; each may import those below it, and none those above:

- `cli`: the commands that record, recover and simulate, and what they show on a terminal.
- `simulator`: a Pulsoid server to develop and test against; it shares no code with the recorder.
- `recorder`: one run of the recorder. `room` records one room; `status` holds the figures that a display shows.
- `ingest`: from the journal into the DuckDB file, exactly once; `recover` after a crash.
- `pulsoid`: what is Pulsoid's own: messages, credentials, checking and refreshing a token.
- `connection`: one WebSocket connection: opening it, watching it, and when to reconnect.
- `journal`: append-only files on disk that hold every row until it is committed to the database.
- `disk`: lock files, syncing, and replacing a file as a whole.
- `contract`: tables, errors, file names, timings and limits: all of the recorder that `analysis` may import.
"""
