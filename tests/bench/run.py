"""Run the benchmarks, and print their table; `--write` puts it into docs/how-fast.md.

python run.py [--only 1,2,6] [--write]
"""

import argparse
import importlib
import platform
import re
import sys
import tempfile
import time
import traceback
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import psutil
from figures import Figure, to_markdown

PAGE = Path(__file__).parents[2] / "docs" / "how-fast.md"
BENCHMARKS = {
    "flooded_room": (1, 2),
    "many_rooms": (3,),
    "long_recording": (4,),
    "freshness": (5,),
    "summaries": (6, 7, 8),
    "session_lists": (19,),
    "exports": (9,),
    "starting": (10,),
    "page": (11, 17, 18),
    "ordinary_room": (12, 14),
    "stored_bytes": (13,),
    "many_segments": (15,),
    "broken_line": (16,),
    "archived": (20, 21, 22),
    "live": (23, 24, 25),
    "live_latency": (26, 27),
}
"""The modules, and the lines of the table that each fills."""


def machine() -> str:
    """Tell what this runs on."""
    memory = psutil.virtual_memory().total / 2**30
    versions = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "polars", "trio", "trio-websocket"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {platform.system()} {platform.machine()}, {processor()}, "
        f"{psutil.cpu_count()} cores, {memory:.0f} GiB; Python {platform.python_version()}, {versions}."
    )


def processor() -> str:
    """Name the processor, where that can be had."""
    about = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", about.read_text(encoding="utf-8")) if about.exists() else None
    return found[1] if found else platform.processor() or "a processor of unknown name"


def measure(wanted: set[int]) -> tuple[list[Figure], list[str]]:
    """Run benchmarks one after another; return what they found, and the names of those that failed."""
    figures: list[Figure] = []
    failed = []
    with tempfile.TemporaryDirectory(prefix="pulsoid-bench-", ignore_cleanup_errors=True) as folder:
        for name, lines in BENCHMARKS.items():
            if not wanted.intersection(lines):
                continue
            began_at = time.monotonic()
            try:
                for figure in importlib.import_module(name).measure(Path(folder)):
                    print(f"{figure.number:3} {figure.what}: {figure.measured}", file=sys.stderr, flush=True)
                    figures.append(figure)
            except Exception:  # noqa: BLE001 - whatever it is, the others are measured and shown first
                traceback.print_exc()
                failed.append(name)
            print(f"    {name} took {time.monotonic() - began_at:.0f} s", file=sys.stderr, flush=True)
    return figures, failed


def write(table: str) -> None:
    """Put the table into docs/how-fast.md."""
    text = PAGE.read_text(encoding="utf-8")
    pattern = re.compile(r"(<!-- benchmarks: [^\n]*-->\n).*?(<!-- end of benchmarks -->)", re.DOTALL)
    changed, count = pattern.subn(lambda found: f"{found[1]}\n{table}\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"{PAGE} has {count} places for benchmarks")
    PAGE.write_text(changed, encoding="utf-8")


def main() -> int:
    """Run the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="numbers of lines, with commas between them")
    parser.add_argument("--write", action="store_true", help="put the table into docs/how-fast.md")
    options = parser.parse_args()
    every = {line for lines in BENCHMARKS.values() for line in lines}
    figures, failed = measure({int(number) for number in options.only.split(",")} if options.only else every)
    table = f"{machine()}\n\n{to_markdown(figures)}"
    print(table)
    if failed:
        print(f"These failed: {', '.join(failed)}", file=sys.stderr)
        return 1
    if options.write:
        write(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
