"""What recorder and analysis share: tables, errors, file names, limits, and the wording of messages.

Imports nothing else of the project. Every package may import it; of the recorder, `analysis` may import nothing else.

- `tables`: each table and column, from which DDL, schemas and documentation are made.
- `version_1`: how an older recording reads as one of today's tables.
- `activity`: how readings are counted by member and quarter of an hour.
- `archive_files`, `archive_place`, `archive_bucket`: names, metadata and place of an archive's files.
- `archive_check`: whether a file is what its path says.
- `errors`: the errors a user sees, with their exit codes.
- `defaults`: the database and the server that are used unless others are named.
- `journal_files`: where a database's journal is, and what its files are called.
- `paths`: paths as a user writes them, and as DuckDB has to be given them.
- `table_check`: whether a file's tables are ours, and run nobody's SQL.
- `forgotten`: whom a database has forgotten.
- `members_file`: `members.toml`, and what it may say of a member.
- `withheld`: how messages of members without consent are counted.
- `member_labels`: members' names as they are displayed.
- `definitions`: what is plausible, held and timely; heart-rate zones, and HRmax from age.
- `owned_files`: files and folders where others may write.
- `ids`: ids of runs and connections.
- `timings`, `limits`: every wait, timeout and size limit of the recorder.
- `display`: texts that others wrote, as they may be displayed.
- `wording`: counts, lists and durations as text.
- `duckdb_errors`: DuckDB's and the system's errors, translated into one sentence.
"""
