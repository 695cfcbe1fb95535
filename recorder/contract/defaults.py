"""Default server and database; apart, since the command line shows both before it loads anything else."""

from pathlib import Path

DEFAULT_DB = Path("data/pulsoid.duckdb")
ARCHIVE_VARIABLE = "PULSOID_REC_ARCHIVE"
"""Names an archive that may be read though it is on another machine, or that is read where there is no database."""

DEFAULT_SERVER = "wss://dev.pulsoid.net"
