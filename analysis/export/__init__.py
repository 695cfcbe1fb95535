"""Exports: tables and the summary as CSV and Parquet files; heart rates as FIT files and as a BIDS dataset.

May import `reading` and `metrics`. A recording goes in, files come out.

- `write`: CSV and Parquet, by the SQL that `query` makes.
- `series`: each member's heart rate in each session, second by second, with phases and marks.
- `fit`, `bids`: a folder of files made of them; `bids_texts` is what a dataset says of itself, `file_names` what files
  are called.
"""
