"""A Pulsoid server on this machine, to develop and test against; the demo records from it.

Used by `cli` and tests. It imports only `contract`, so that one misreading of the protocol cannot be on both sides.

- `simulator` opens a server for a test, the demo or the command line.
- `server` answers HTTP and accepts clients; `tokens` holds the tokens that may connect; `oauth` issues more, by logins.
- `room` holds a room's members and sends events to its clients; `client` is one connection to it.
- `play` is what happens in a room over time; `people` makes it up, `replay` reads it from a file.
- `faults` are injected on request.
- `wire` builds messages and frames; `http_request` parses requests; `client_stream` is the stream under the WebSocket.
"""
