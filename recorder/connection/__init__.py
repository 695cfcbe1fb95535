"""One WebSocket connection to a server: opening it, watching it, and when to try again.

Used by `room` and `pulsoid`. Text messages and a reason for the end come out; it knows nothing of their meaning.

- `server_url`: the server's URL, parsed and checked.
- `websocket`: connects with TCP, TLS and the WebSocket upgrade.
- `watched_stream`: the bytes in between; `text_frames` cuts whole messages out of them.
- `reconnect`: the state machine that decides when to connect again.
- `disconnects`: why a connection ended, for the state machine, the table and the user.
"""
