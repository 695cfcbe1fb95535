"""The recorder's commands: `record`, `recover`, `import` (`import_.py`), `archive`, `forget`, `simulate`, a file each.

Only the composition root, `pulsoid_rec.analysis.cli`, imports from here.

- `live_status`, `screen`, `recording_log`: what a recording shows, and where it is logged; `threaded_stream`: without
  waiting for a terminal or disk that hangs.
- `live`: the options `--live`, and the page of a recording.
- `interrupts`: Ctrl-C while modules are still being loaded; `process_start`: when the process started, for `mark`.
- `options`: options that several commands share.
"""
