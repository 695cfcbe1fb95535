"""What is installed is pinned by version and by hash, and an audit that could not look everything up never passes."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import audit
import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSIONS = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
HASHES = (ROOT / "constraints-hashes.txt").read_text(encoding="utf-8").splitlines()
LINE = re.compile(
    r"(?P<release>[a-z0-9-]+==[0-9a-z.]+)(?: ;[^#]*?)?"  # with where it is for
    r"(?: --hash=sha256:[0-9a-f]{64})+  # [a-z0-9 ]+"
)


def canonical(requirement: str) -> str:
    match = re.match(r"[\w.-]+", requirement)
    assert match
    return re.sub(r"[-_.]+", "-", match[0]).lower()


def test_every_version_has_its_hashes_and_nothing_else_is_pinned() -> None:
    lines = [LINE.fullmatch(line) for line in HASHES]
    assert None not in lines, "a release, where it is for, hashes, what it is for: no address, no option"
    assert {line["release"] for line in lines if line} == set(VERSIONS)
    assert len({canonical(version) for version in VERSIONS}) == len(VERSIONS), "one version each"


@pytest.mark.parametrize("group", ["user", *PROJECT["project"]["optional-dependencies"]])
def test_each_group_has_what_pyproject_names_and_what_builds_the_project(group: str) -> None:
    needed = [*PROJECT["build-system"]["requires"], *PROJECT["project"]["dependencies"]]
    needed += PROJECT["project"]["optional-dependencies"].get(group, [])
    pinned = {canonical(line) for line in HASHES if re.search(rf" #.* {group}", line)}  # as the Makefile selects them
    assert {canonical(each) for each in needed} <= pinned


def test_no_line_is_chosen_for_what_it_is_not_for() -> None:
    groups = ["user", *PROJECT["project"]["optional-dependencies"]]
    assert not [(one, other) for one in groups for other in groups if one != other and other.startswith(one)]


@pytest.mark.process
def test_pip_refuses_a_file_with_another_hash(tmp_path: Path) -> None:
    wheel = tmp_path / "made_up-1.0-py3-none-any.whl"
    wheel.write_bytes(b"what somebody put in its place")
    (tmp_path / "list.txt").write_text(f"made-up==1.0 --hash=sha256:{'0' * 64}  # user\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-index", "--find-links", str(tmp_path)]
    done = subprocess.run(
        [*command, "-r", str(tmp_path / "list.txt")], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr


SOUND = {"name": "trio", "version": "0.35.0", "vulns": []}
FAULTY = {"name": "h11", "version": "0.1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["0.16"], "aliases": []}]}
UNKNOWN = {"name": "h11", "skip_reason": "Dependency not found"}


@pytest.mark.parametrize(
    ("found", "said", "code"),
    [
        ([SOUND], "0 known vulnerabilities in 1 versions.", 0),
        ([SOUND, FAULTY], "h11 0.1: PYSEC-1, fixed in 0.16\n1 known vulnerabilities in 2 versions.", 1),
        ([SOUND, UNKNOWN], "1 versions were not audited", 2),
        ([FAULTY, UNKNOWN], "1 versions were not audited", 1),
        ([UNKNOWN], audit.NO_ADVISORIES, 2),
    ],
)
def test_an_audit_passes_only_if_all_was_looked_up_and_nothing_found(
    found: list[dict[str, object]], said: str, code: int
) -> None:
    text, ended = audit.judge(json.dumps({"dependencies": found, "fixes": []}))
    assert said in text
    assert ended == code


def test_an_audit_without_a_network_is_one_sentence() -> None:
    assert audit.judge("") == (audit.OFFLINE, 2)
