"""Import a file of somebody else's recording, or of an export of ours, through the journal into the database.

Used by `cli`. A file's rows are parsed and gathered first, beyond some number on the disk; then they are written in the
order of time, as the recorder writes what it receives. So nothing is written of a file that holds no reading.

- `columns`: which column means what, by name.
- `source`: opens a CSV or Parquet file, and yields its rows as texts.
- `instants`: times of files: with a zone or without, epochs, and seconds since a start.
- `parse`: a row's texts into a reading, or the reason why not.
- `gather`: a whole file: its readings in the order of time, and the lines that cannot be read.
- `store`: writes them to the journal and ingests it.
- `marks`: marks that were noted elsewhere, from a CSV file.
"""
