"""Where the recorder connects and writes unless told otherwise; the command line shows both before it loads more."""

from pathlib import Path

DEFAULT_DB = Path("data/pulsoid.duckdb")
DEFAULT_SERVER = "wss://dev.pulsoid.net"
