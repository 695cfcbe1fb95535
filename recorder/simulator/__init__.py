"""A Pulsoid server of our own: what users develop against, what the demo runs on, what the tests talk to.

- `simulator` is what a test or the demo opens, `control` what it is steered and counted with.
- `server` answers HTTP and lets clients in; `tokens` says who may come in.
- `room` holds a room's members and tells its clients what happens; `client` is one connection to it.
- `play` is what happens in a room, by the clock; `people` makes it up, `replay` reads it from a file.
- `faults` are troubles on request.
- `wire` builds messages and frames; `http_request` and `client_stream` are what lies below the WebSocket.
"""
