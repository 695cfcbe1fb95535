"""Move whole days of a recording to an archive of Parquet files: each row is in one of the two, however it is killed.

Used by `cli`. For each table and day, the intent is committed first. Then the file is written under a temporary name,
read back, synced and renamed. Then one transaction notes it and deletes its rows. A file that is intended and not noted
is written again by the next run, under the same name: its rows are all in the database still.

- `cutoff`: which days are archived.
- `notes`: what is noted in a database of its archive; by that a copy is distinguished from the original.
- `store`, `bucket_store`: puts files into an archive, as a whole or not at all.
- `parquet`: the SQL that writes a file and reads it back.
- `move`: one table and day.
- `archive`: all of them, in turns with recorders and readers.
- `access`: keeps other runs away, and waits for the database.
- `check`: compares an archive with what is noted of it.
- `rewrite`: copies a database into a new file, which takes its place.
"""
