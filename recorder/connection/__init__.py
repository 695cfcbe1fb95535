"""One WebSocket connection to a server: opening it, watching it, and when to reconnect.

Used by `recorder`, `room`, `status`, `pulsoid` and `cli`. It delivers text messages, which it does not parse, and the
reason for the end.

- `server_url`: the server's URL, parsed and checked.
- `proxy`: the proxy set for a server, and a connection through it.
- `websocket`: opens TCP, TLS and the WebSocket.
- `wire`: the TCP connection; `poller` reads all of them in one task.
- `watched_stream`: the stream under the WebSocket, over the wire or over TLS; `text_frames` splits it into messages.
- `http_fields`: when a server that refuses may be tried again, and where it moved to.
- `liveness`: whether a connection is still alive, and how to leave it.
- `reconnect`: the state machine that decides when to connect again.
- `disconnects`: why a connection ended, for the state machine, the table and the user.
"""
