"""The command `pulsoid-rec`: the one place that imports both the recorder and the analysis.

Nothing imports it. `app` lists the commands; `report`, `sessions`, `export` and `demo` are files of their own, the
others are in `pulsoid_rec.recorder.cli`. `options` and `output` are what they share.
"""
