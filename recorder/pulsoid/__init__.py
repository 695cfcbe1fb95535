"""Pulsoid's own formats: its messages, its tokens, and its HTTP endpoints.

Used by `room`, `recorder` and `cli`. It turns a frame's text into a row, and provides a valid token.

- `messages`: parses a frame's text into a row, and never raises; `timestamps` has the rarer forms of an instant.
- `configs`: takes the name out of a config.
- `credentials`: reads the token, from a `token_file` or an entry of the `system_keyring`, and changes it there, under
  the `token_lock`; `token_gate` decides which server it may go to.
- `login`: logs in and out, by `device_login`; `saved_login` is where that is kept, and how `record` finds it.
- `known_secrets`: removes tokens from what a server says.
- `token_check`, `token_refresh`: the check and the refresh, by `http_client`; `token_end` warns before the end.
"""
