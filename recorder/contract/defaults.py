"""Default server and database; apart, since the command line shows both before it loads anything else."""

from pathlib import Path

DEFAULT_DB = Path("data/pulsoid.duckdb")
DEFAULT_SERVER = "wss://dev.pulsoid.net"
