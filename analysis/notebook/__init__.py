"""A recording in the hands of somebody at a notebook.

May import `charts` and what is below it. `explore` opens a recording; `select`, `frames`, `charts` and `repr` are what
it offers; `rendering` shows charts without a network.
"""
