"""Pulsoid's own formats: its messages, its tokens, and its HTTP endpoints.

Used by `room` and `recorder`. A frame's text goes in and a row comes out; or a valid token comes out.

- `messages`: parses a frame into a row, and never raises.
- `credentials`: reads the token, and replaces it in its file.
- `token_check`, `token_refresh`: the two endpoints for tokens, by `http_client`.
"""
