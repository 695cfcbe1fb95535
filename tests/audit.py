"""Look up known vulnerabilities of the versions in constraints.txt, for `make audit`; needs a network.

Exits with 0 if there are none, 1 if there are some, and 2 if not all versions could be looked up.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path

FOLDER = Path(".venv-audit")
OFFLINE = "Nothing was audited: the package index cannot be reached. Try again with a network."
NO_ADVISORIES = "Nothing was audited: the package index that pip uses here has no advisories. Try again with another."


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the audit's own environment."""
    python = FOLDER / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    return subprocess.run([python, "-m", *arguments], capture_output=True, text=True, check=False)


def audit() -> tuple[str, int]:
    """Return what was found, as text, and the exit code."""
    venv.create(FOLDER, with_pip=True)
    if run("pip", "install", "--quiet", "--retries", "1", "pip-audit").returncode:
        return OFFLINE, 2
    done = run("pip_audit", "--requirement", "constraints.txt", "--no-deps", "--disable-pip", "--format", "json")
    return judge(done.stdout)


def judge(output: str) -> tuple[str, int]:
    """Return what the output of pip-audit says, as text, and the exit code."""
    if not output.strip():  # it ended with an exception
        return OFFLINE, 2
    found = json.loads(output)["dependencies"]
    known = [each for each in found if "vulns" in each]
    faults = [
        f"{each['name']} {each['version']}: {vulnerability['id']}, fixed in "
        f"{', '.join(vulnerability['fix_versions']) or 'no version yet'}"
        for each in known
        for vulnerability in each["vulns"]
    ]
    if not known:
        return NO_ADVISORIES, 2
    lines = [*faults, f"{len(faults)} known vulnerabilities in {len(known)} versions."]
    if len(known) < len(found):
        lines.append(f"{len(found) - len(known)} versions were not audited: the package index has no data on them.")
    return "\n".join(lines), 1 if faults else 2 if len(known) < len(found) else 0


if __name__ == "__main__":
    text, code = audit()
    print(text)  # noqa: T201 - what it is for
    raise SystemExit(code)
