"""The recorder's commands: `record`, `recover`, `import`, `archive` and `simulate`, a file each.

Only the composition root, `pulsoid_rec.analysis.cli`, imports from here.

- `live_status`, `screen`, `recording_log`: what a recording shows, and where it is logged; `threaded_stream`: without
  waiting for a terminal or disk that hangs.
- `interrupts`: Ctrl-C while modules are still being loaded.
- `options`: options that several commands share.
"""
