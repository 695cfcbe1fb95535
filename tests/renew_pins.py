"""Renew the versions in constraints.txt, and constraints-hashes.txt, for `make pins`.

Versions stay where they fit pyproject.toml, unless --upgrade is given. A line of constraints-hashes.txt is a release
with the hashes of all its files, for every platform, and at its end what it is installed for: `user`, or an extra.
Both files hold names, versions and hashes alone: no address of where files come from.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

CONSTRAINTS = Path("constraints.txt")
HASHES = Path("constraints-hashes.txt")
PROJECT = Path("pyproject.toml")
OLDEST_PYTHON = "3.11.5"
"""For which Python versions are resolved: older ones of 3.11 have no release of soupsieve that is free of faults."""


def resolve(*options: str, also: str = "") -> list[str]:
    """Give the releases that pyproject.toml needs on any platform, a line each."""
    command = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--python-version",
        OLDEST_PYTHON,
    ]
    command += ["--no-header", "--no-annotate", *options, str(PROJECT), *(["-"] if also else [])]
    done = subprocess.run(command, input=also, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.replace("\\\n", "").splitlines()


def name_of(line: str) -> str:
    return line.partition("==")[0]


def main() -> None:
    """Write both files anew."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))
    kept = () if "--upgrade" in sys.argv[1:] else ("--constraint", str(CONSTRAINTS))
    versions = [re.sub(r"\s*;.*", "", line) for line in resolve("--all-extras", *kept)]
    twice = sorted({line for line in versions if [name_of(each) for each in versions].count(name_of(line)) > 1})
    if twice:
        raise SystemExit(f"No version is for all platforms: {', '.join(twice)}. Limit it in pyproject.toml.")
    CONSTRAINTS.write_text("".join(f"{line}\n" for line in versions), encoding="utf-8")

    groups: dict[str, list[str]] = {}
    to_build = "\n".join(project["build-system"]["requires"])
    for group in ("user", *project["project"]["optional-dependencies"]):
        extra = () if group == "user" else ("--extra", group)
        for line in resolve("--constraint", str(CONSTRAINTS), "--generate-hashes", *extra, also=to_build):
            groups.setdefault(" ".join(line.split()), []).append(group)
    lines = sorted(f"{line}  # {' '.join(groups[line])}\n" for line in groups)
    HASHES.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
