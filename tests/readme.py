"""The parts of README.md that are made from the program itself. `make readme` writes them; a test compares them."""

import re
import subprocess
from pathlib import Path

from command import run_command

from pulsoid_rec.analysis.metrics.columns import SUMMARY
from pulsoid_rec.analysis.metrics.summary import SCHEMA
from pulsoid_rec.recorder.contract.tables import TABLES, Table

README = Path(__file__).parents[1] / "README.md"
COMMANDS = ("record", "recover", "report", "sessions", "export", "simulate", "demo")


def generated_parts() -> dict[str, str]:
    """Make each generated part, by the name in its markers."""
    return {"commands": _commands(), "tables": _tables(), "columns": _columns()}


def with_parts(text: str, parts: dict[str, str]) -> str:
    """Put the parts between their markers."""
    for name, part in parts.items():
        pattern = re.compile(rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text, count = pattern.subn(rf"\g<1>\n{part.replace(chr(92), chr(92) * 2)}\n\g<2>", text)
        if count != 1:
            raise ValueError(f"README.md has {count} places for {name}")
    return text


def _commands() -> str:
    return "\n".join(f"### pulsoid-rec {command}\n\n```text\n{_help(command)}\n```\n" for command in COMMANDS)


def _help(command: str) -> str:
    done = run_command(command, "--help", TERM="dumb", NO_COLOR="1")
    if done.returncode != 0:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()).strip()


def _tables() -> str:
    return "\n".join(map(_table, TABLES))


def _table(table: Table) -> str:
    rows = [f"| `{c.name}` | {c.type}{' or NULL' if c.null else ''} | {c.meaning} |" for c in table.columns]
    return "\n".join(
        (f"**`{table.name}`**. {table.meaning}\n", "| column | type | meaning |", "|---|---|---|", *rows, "")
    )


def _columns() -> str:
    rows = [f"| `{name}` | {SUMMARY[name]} |" for name in SCHEMA]
    return "\n".join(("The columns of the summary, in their order:\n", "| column | meaning |", "|---|---|", *rows, ""))


def main() -> None:
    """Write the generated parts into README.md."""
    README.write_text(with_parts(README.read_text(encoding="utf-8"), generated_parts()), encoding="utf-8")


if __name__ == "__main__":
    main()
