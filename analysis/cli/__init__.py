"""The command `pulsoid-rec`: the one room that imports both the recorder and the analysis. Nothing imports it.

- `app`: lists the commands; those of the recorder are in `pulsoid_rec.recorder.cli`.
- `mark`, `report`, `sessions`, `export`, `demo`: a command each.
- `options`, `recording`, `output`, `progress`: what they share.
- `mark_rooms`: what `mark` looks up.
- `spark`: `python -m pulsoid_rec.analysis.spark`, a command of its own.
"""
