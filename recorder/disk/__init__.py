"""Files that survive a crash: locks that end with their process, syncing to the disk, replacing a file as a whole.

Independent of rows and rooms. Used by `journal`, `ingest`, `pulsoid` and `analysis.cli`.
"""
