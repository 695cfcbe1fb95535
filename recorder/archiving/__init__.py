"""Move whole days of a recording to an archive of Parquet files: each row is in one of the two, however it is killed.

Used by `cli`. Of a table and day first the intent is committed. Then the file is written under a temporary name, read
back, synced and renamed. Then one transaction notes it and deletes its rows. What was intended and not noted is done
again under the same name: its rows are all in the database still.

- `cutoff`: which days are archived.
- `notes`: what a database knows of its archive; a copy is told from the original by that.
- `store`: puts files into an archive, as a whole or not at all.
- `parquet`: the SQL that writes a file and reads it back.
- `move`: one table and day.
- `archive`: all of them, in turns with recorders and readers.
- `access`: no other run beside it, and waiting for the database.
- `check`: compares an archive with what is noted of it.
- `rewrite`: copies a database into a new file, which takes its place.
"""
