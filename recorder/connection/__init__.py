"""One WebSocket connection to a server: opening it, watching it, and when to reconnect.

Used by `room` and `pulsoid`. Text messages and a reason for the end come out; it does not interpret the messages.

- `server_url`: the server's URL, parsed and checked.
- `websocket`: opens TCP, TLS and the WebSocket.
- `watched_stream`: the stream between both; `text_frames` cuts whole messages out of it.
- `reconnect`: the state machine that decides when to connect again.
- `disconnects`: why a connection ended, for the state machine, the table and the user.
"""
