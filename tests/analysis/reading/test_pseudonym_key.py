"""The key of pseudonyms: made once, for its owner alone, and refused where it is not."""

import os
import threading
from pathlib import Path

import pytest

from pulsoid_rec.analysis.reading.pseudonym_key import read_or_make_key
from pulsoid_rec.recorder.contract.errors import UsageError


def test_a_key_is_made_once_for_its_owner_alone_and_its_place_is_announced(tmp_path: Path) -> None:
    path, told = tmp_path / "a.key", list[str]()
    key = read_or_make_key(path, told.append)
    assert len(key) == 32
    assert read_or_make_key(path, told.append) == key
    assert [str(path) in text for text in told] == [True]
    assert key.hex() not in told[0]
    assert os.name != "posix" or path.stat().st_mode & 0o777 == 0o600
    assert read_or_make_key(tmp_path / "b.key", told.append) != key
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.key", "b.key"]


def test_all_who_make_a_key_at_once_get_the_same(tmp_path: Path) -> None:
    keys = list[bytes]()
    threads = [
        threading.Thread(target=lambda: keys.append(read_or_make_key(tmp_path / "a.key", lambda _: None)))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


@pytest.mark.skipif(os.name != "posix", reason="access is not in the mode there")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.key"
    read_or_make_key(path, lambda _: None)
    path.chmod(mode)
    with pytest.raises(UsageError, match="Others can read the key"):
        read_or_make_key(path, lambda _: None)


@pytest.mark.parametrize("content", [b"", b"no key", b"ab" * 31, b"ab" * 33, b"\xff" * 64])
def test_another_file_is_no_key_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(UsageError, match="is no key of pseudonyms"):
        read_or_make_key(path, lambda _: None)
    assert path.read_bytes() == content


def test_a_key_that_cannot_be_made_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Cannot use the key .*no such file or directory"):
        read_or_make_key(tmp_path / "none" / "a.key", lambda _: None)
    (tmp_path / "folder.key").mkdir()
    with pytest.raises(UsageError, match=r"Cannot use the key .*folder.key"):
        read_or_make_key(tmp_path / "folder.key", lambda _: None)


@pytest.mark.skipif(os.name != "posix", reason="links may not be made there")
def test_what_was_not_made_is_not_announced(tmp_path: Path) -> None:
    (tmp_path / "link.key").symlink_to(tmp_path / "nowhere")
    told = list[str]()
    with pytest.raises(UsageError, match=r"Cannot use the key .*no such file"):
        read_or_make_key(tmp_path / "link.key", told.append)
    assert told == []
