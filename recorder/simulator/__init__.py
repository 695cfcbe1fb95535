"""A Pulsoid server on this machine, to develop and test against; the demo records from it.

- `simulator` opens a server for a test, the demo or the command line.
- `server` answers HTTP and lets clients in; `tokens` holds the tokens that may connect.
- `room` holds a room's members and sends its clients what happens; `client` is one connection to it.
- `play` is what happens in a room over time; `people` makes it up, `replay` reads it from a file.
- `faults` are injected on request.
- `wire` builds messages and frames; `http_request` and `client_stream` are below the WebSocket.
"""
