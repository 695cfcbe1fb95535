"""What the export is compared with: DuckDB's COPY, as it comes. `python copy_by_hand.py DATABASE PARQUET`."""

import sys

import duckdb

if __name__ == "__main__":
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        connection.execute(f"COPY heart_rate TO '{sys.argv[2]}' (FORMAT parquet)")
