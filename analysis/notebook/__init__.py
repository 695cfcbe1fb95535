"""A recording in a notebook: its frames and charts.

May import `charts` and what is below it. `explore` opens a recording; `select`, `frames`, `charts` and `repr` are what
it offers; `rendering` shows charts without a network.
"""
