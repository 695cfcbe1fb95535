"""Files that survive a crash. Used by `journal`, `ingest`, `pulsoid` and `analysis.cli`.

- `lock_file`: locks that end with their process.
- `sync`: files and folders, synced to the disk.
- `replace`: a file, replaced as a whole.
"""
