"""Recording: from the room's WebSocket to append-only DuckDB tables.

Read in the order a message travels:

- `server` is where it comes from; `connection` opens the WebSocket, over a `watched_stream`, where `text_frames` takes
  messages out of the bytes; `credentials`, `token_check` and `token_refresh` know the token, and speak to the server by
  `http_exchange`.
- `room` records one room: `connection_state` decides when to try again, `endings` says how it ended.
- `messages` tells what a frame says, as one of `rows`.
- `journal` puts it on disk by `segment_writer`, in the files of `segment`; `file_lock` tells whose they are.
- `ingester` decides when to bring them in, `ingest` does it, `recover` after a crash; `database` opens the file.
- `tables` is the contract with the analysis; `errors` is what a user is told.
- `record` runs it all for the rooms named; `status` tells how it goes.
- `simulator` is a Pulsoid server of our own; `cli` is the command line.
"""
