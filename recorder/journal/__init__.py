"""The journal: every row received is on disk within 50 ms, before it is processed any further.

`recorder` creates it, `room` appends rows, `ingest` reads the closed segments; `pulsoid` and `status` use `rows` alone.

- `rows`: the content of a line.
- `journal`: collects rows, and decides when to write, sync and close.
- `segment_writer`: writes one file so that a failing disk loses no line.
- `segment`: the format of the files, and which of them were left by recorders that have ended.
"""
