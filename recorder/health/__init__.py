"""How a recorder is doing: judged in one place, for the live page, `/healthz`, `status`, `--on-trouble` and systemd.

Nothing here can hold up or end the recording.

- `watch`: whether all is well, and if not, a sentence for each thing that is wrong
- `expected`: whose readings are expected
- `note`: what a run writes about itself to a file beside its journal, and how others read it
- `judge`: how runs are doing, as seen from another process: for `status`
- `attend`: the task beside a recorder that writes and reports
- `on_trouble`: runs the user's command
- `service`: what systemd is told, and the watchdog
"""
