"""Take members, or all that is old, out of a recording, and everything that belongs to it.

Used by `cli`. The database and each file of the archive are written anew without their rows. Killed at any instant, the
old or the new one is there as a whole.

- `forget`: members, out of everything.
- `retention`: whole days, out of everything.
- `members`: whom the user means.
- `texts`: ids and names in texts, and what finds them.
- `rows`: which rows of a table are about members.
- `database`: out of the database.
- `archived`: out of the files of an archive.
- `lines`: out of files of lines: journal, logs, members file.
- `files`: where these files are; and waiting for recorders that run.
- `receipts`: what is noted of it, without ids and names.
- `search`: what is left, in the bytes of every file.
"""
