"""Tables and the summary, written to CSV and Parquet.

May import `reading` and `metrics`. A recording goes in, a file comes out: `write` runs the `query`.
"""
