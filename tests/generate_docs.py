"""The parts of docs/ that are made from the program itself. `make docs` writes them; a test compares them."""

import inspect
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from command import run_here

from pulsoid_rec.analysis.cli.app import COMMANDS
from pulsoid_rec.analysis.group.figures import FIGURES as TOGETHER
from pulsoid_rec.analysis.metrics.columns import SUMMARY
from pulsoid_rec.recorder.contract.limits import DEFAULT_LIMITS, Limits
from pulsoid_rec.recorder.contract.tables import TABLES, Table

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FIGURES = {column.name: column.meaning for column in SUMMARY}
"""The columns of the summary in their order, and what each means."""


def generated_parts() -> dict[str, Callable[[], str]]:
    """List what makes each generated part, by page and by the name in its markers."""
    return {"commands": _commands, "tables": _tables, "figures": _figures, "limits": _limits, "group": _group}


def with_part(text: str, name: str, part: str) -> str:
    """Put a part between its markers in a page."""
    pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    text, count = pattern.subn(lambda found: f"{found[1]}\n{part}\n{found[2]}", text)
    if count != 1:
        raise ValueError(f"The page has {count} places for {name}")
    return text


def _commands() -> str:
    names = [command.__name__ for command in COMMANDS]
    return "\n".join(f"### pulsoid-rec {name}\n\n```text\n{_help(name)}\n```\n" for name in names)


def _help(command: str) -> str:
    done = run_here(command, "--help", TERM="dumb", NO_COLOR="1")
    if done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip()


def _tables() -> str:
    return "\n".join(map(_table, TABLES))


def _table(table: Table) -> str:
    rows = [f"| `{c.name}` | {c.type}{' or NULL' if c.null else ''} | {c.meaning} |" for c in table.columns]
    return "\n".join(
        (f"### {table.name}\n", table.meaning, "", "| column | type | meaning |", "|---|---|---|", *rows, "")
    )


def _figures() -> str:
    rows = [f"| `{name}` | {meaning} |" for name, meaning in FIGURES.items()]
    return "\n".join(("| column | meaning |", "|---|---|", *rows, ""))


def _group() -> str:
    rows = [f"| `{column.name}` | {column.meaning} |" for column in TOGETHER]
    return "\n".join(("| column | meaning |", "|---|---|", *rows, ""))


def _limits() -> str:
    """Make a table of the limits: their meaning is in the comments behind them."""
    meanings = re.findall(r"^    (\w+): int = .*?  # (.*)$", inspect.getsource(Limits), re.MULTILINE)
    rows = [f"| `{name}` | {_amount(name, getattr(DEFAULT_LIMITS, name))} | {meaning} |" for name, meaning in meanings]
    return "\n".join(("| limit | value | of what |", "|---|---|---|", *rows, ""))


def _amount(name: str, value: int) -> str:
    if not name.endswith("_bytes"):
        return f"{value:,}"
    return f"{value / 2**20:g} MiB" if value >= 2**20 else f"{value / 2**10:g} KiB"


def main() -> None:
    """Write the generated parts into their pages."""
    for name, make in generated_parts().items():
        page = DOCS / f"{name}.md"
        page.write_text(with_part(page.read_text(encoding="utf-8"), name, make()), encoding="utf-8")


if __name__ == "__main__":
    main()
