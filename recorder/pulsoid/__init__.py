"""Pulsoid's own formats: its messages, its tokens, and its HTTP endpoints.

Used by `room`, `recorder` and `cli`. It turns a frame's text into a row, and provides a valid token.

- `messages`: parses a frame's text into a row, and never raises; `timestamps` has the rarer forms of an instant.
- `configs`: takes the name out of a config.
- `credentials`: reads the token, and replaces it in its file; `token_gate` decides which server it may go to.
- `known_secrets`: removes tokens from what a server says.
- `token_check`, `token_refresh`: the two endpoints for tokens, by `http_client`.
"""
