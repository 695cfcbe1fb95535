"""From the DuckDB file to frames, in short read-only openings and bounded memory.

May import `metrics`. A path goes in; frames, results and the summary come out.

- `recording`: all of it, for the rest of the package; `grid_reading`, `lazy`: as a grid, and as lazy frames.
- `database`: opens the file for one read, and gets frames from it by `arrow_stream`.
- `archive`, `archive_listing`, `archive_damage`: shows the rows of an archive among those of the file.
- `marks`: marks, placed on the clock of the readings.
- `left_out`: rows of forgotten members in files of others, which are not shown.
- `buckets`: readings of each member by the quarter of an hour; sessions and slices come from them.
- `room_leads`: which readings are untimely, and so left out of all that is read.
- `slices`, `packed`, `pipeline`: the one heavy pass over all readings; `results`: all that comes of it.
- `rooms`: the same of rooms that an engine hands over in batches, whole or split among tasks.
- `pseudonyms`, `pseudonym_key`, `hidden_ids`: pseudonyms in place of ids, in all that is read; moved times.
- `config_names`, `connections`: names, and how connections ended.
- `members_file`, `rejected`, `backlog`: `members.toml` as a frame, rejected messages, and what is still in the journal.
"""
