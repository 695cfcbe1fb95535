"""A recording in a notebook: its frames and charts.

May import `charts` and what is below it. A path goes in, an `Excerpt` comes out.

- `explore`: opens a recording; `select`: finds rooms, sessions and members by name.
- `frames`, `mark_frames`, `charts`, `repr`: what an excerpt offers.
- `responses`: responses to marks, in words and as a chart.
- `together`: how alike members moved, as frames and charts.
- `rendering`: shows charts without a network; `picture`: as PNG, for readers that draw no charts.
"""
