"""Files that survive a crash: locks that end with their process, syncing to the disk, replacing a file as a whole.

Knows nothing of rows or rooms. Used by `journal`, `ingest`, `pulsoid` and the command line.
"""
