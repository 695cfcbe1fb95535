"""From the DuckDB file to frames, in short read-only openings and bounded memory.

May import `metrics`. A path goes in; frames, results and the summary come out of `recording`.

- `database`: opens the file for one read; `config_names`, `backlog`, `members_file` read what stands beside readings.
- `buckets`: who sent when, by the quarter hour; sessions and slices come from it.
- `slices`, `packed`, `pipeline`: the one heavy pass over all readings.
- `recording`: all of it, for the rest of the package.
"""
