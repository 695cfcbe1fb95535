"""Exports: tables and the summary as CSV and Parquet files.

May import `reading` and `metrics`. A recording goes in, a file comes out: `write` runs the SQL that `query` makes.
"""
