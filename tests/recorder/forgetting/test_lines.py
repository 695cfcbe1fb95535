"""Segments, the kept journal, logs and the members file lose what is a member's, and nothing else."""

import json
import tomllib
from pathlib import Path

import pytest
from forgettable import ADA, MASK
from journal_rows import reading, write_segment

from pulsoid_rec.recorder.contract.errors import StorageError
from pulsoid_rec.recorder.forgetting.lines import clean_log, clean_members_file, clean_segment
from pulsoid_rec.recorder.forgetting.texts import Texts
from pulsoid_rec.recorder.journal.rows import AnyRow, HeartRateRow, RejectedMessageRow, RoomEventRow
from pulsoid_rec.recorder.journal.segment import has_valid_checksum

TEXTS = Texts((ADA,), ("Ada Lovelace",))
MEMBERS = f"""\
# People I train with\r

["bo"] # Bo
hr_max = 190

# Ada Lovelace, from the club
[{ADA}]
name = "Ada Lovelace"
birth_year = 1990   # she said
# end of hers

# about Cy
[cy]
name = "Cy"
'dee'.hr_max = 180
"""


def test_lines_of_a_segment_are_taken_out_or_masked_and_the_others_are_as_before(tmp_path: Path) -> None:
    rows: list[AnyRow] = [
        reading(1),
        HeartRateRow("room", "c", ADA, 60, 1, 2, "raw"),
        RoomEventRow("room", "c", None, json.dumps({"owner": ADA}), 1, 2, f'{{"by":"{ADA}"}}'),
        RejectedMessageRow("room", "c", 1, "odd", '{"name":"Ada Lovelace"}'),
        RejectedMessageRow("room", "c", 1, "odd", "another"),
        reading(2),
    ]
    path = write_segment(tmp_path, "a-0", rows)
    damaged = f'{{"table":"heart_rate","profile_id":"{ADA}"'.encode()
    path.write_bytes(path.read_bytes() + damaged + b"\nother damage\n")
    before = path.read_bytes().splitlines(keepends=True)
    assert clean_segment(path, TEXTS, dry=True) == 4
    assert path.read_bytes() == b"".join(before)
    assert clean_segment(path, TEXTS) == 4
    after = path.read_bytes().splitlines(keepends=True)
    assert after[:2] + after[3:] == [before[0], before[1], before[5], before[6], before[8]]
    assert has_valid_checksum(after[2])
    row = json.loads(after[2])
    assert (json.loads(row["config"]), json.loads(row["raw"])) == ({"owner": MASK}, {"by": MASK})
    assert clean_segment(path, TEXTS) == 0


def test_a_log_keeps_its_length_and_every_other_byte(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    content = f"ü\n{ADA} sent 'odd' \udcff\nAda Lovelaces\nAda Lovelace".encode(errors="surrogateescape")
    path.write_bytes(content)
    assert clean_log(path, TEXTS, dry=True) == 2
    assert path.read_bytes() == content
    assert clean_log(path, TEXTS) == 2
    assert path.read_bytes() == content.replace(ADA.encode(), b"*" * 36)[:-12] + b"*" * 12


def test_the_members_file_keeps_all_others_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "members.toml"
    path.write_bytes(MEMBERS.encode("utf-8-sig"))
    assert clean_members_file(path, TEXTS, dry=True) == 1
    assert path.read_bytes() == MEMBERS.encode("utf-8-sig")
    assert clean_members_file(path, TEXTS) == 1
    first, _, rest = MEMBERS.partition("# Ada")
    last = rest.partition("# end of hers\n")[2]
    assert path.read_bytes() == (first + "# end of hers\n" + last).encode("utf-8-sig")
    assert clean_members_file(path, TEXTS) == 0


@pytest.mark.parametrize("text", [f'"{ADA}" = {{hr_max = 190}}\n', f"{ADA}.hr_max = 190\n", f"[{ADA}]\n"])
def test_however_the_member_is_written(tmp_path: Path, text: str) -> None:
    path = tmp_path / "members.toml"
    path.write_text(f"'bo'.hr_max = 180\n{text}")
    assert clean_members_file(path, TEXTS) == 1
    assert tomllib.loads(path.read_text()) == {"bo": {"hr_max": 180}}


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "members.toml").write_text(MEMBERS.replace("\r", ""))
    (tmp_path / "members.toml").symlink_to(tmp_path / "there" / "members.toml")
    assert clean_members_file(tmp_path / "members.toml", TEXTS) == 1
    assert (tmp_path / "members.toml").is_symlink()
    assert ADA not in (tmp_path / "there" / "members.toml").read_text()


def test_a_file_that_would_lose_more_is_left_alone(tmp_path: Path) -> None:
    """A line that looks like a comment is a part of a text."""
    path = tmp_path / "members.toml"
    text = '[bo]\nname = """\n# Ada Lovelace\n"""\n'
    path.write_text(text)
    with pytest.raises(StorageError, match="by hand"):
        clean_members_file(path, TEXTS)
    assert path.read_text() == text
