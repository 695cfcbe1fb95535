"""Recording: from the room's WebSocket to append-only DuckDB tables.

Read in the order a message travels:

- `connection` speaks to the server; `connection_state` decides when to try again; `credentials` knows the token.
- `messages` tells what a frame says; `journal` puts it on disk; `ingest` brings it from there into the tables.
- `tables` is the contract with the analysis; `database` opens the file; `errors` is what a user is told.
- `record` runs it all for the rooms named; `status` shows how it goes.
- `simulator` is a Pulsoid server of our own; `cli` is the command line.
"""
