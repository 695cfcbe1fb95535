"""The token: where it is read from, how it is replaced, and that nothing repeats it."""

import json
import logging
import os
import stat
from pathlib import Path

import pytest

from pulsoid_rec.recorder.connection.server_url import parse_server_url
from pulsoid_rec.recorder.contract.defaults import DEFAULT_SERVER
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.pulsoid.credentials import TOKEN_VARIABLE, Credentials, TokenPair

TOKEN = "t0ken-nobody-may-see"
PULSOID = parse_server_url(DEFAULT_SERVER)
needs_posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "token"


def token_in(file: Path | None) -> str:
    return Credentials(file).read(PULSOID).token


@pytest.mark.parametrize(
    ("content", "pair"),
    [
        (TOKEN, TokenPair(TOKEN)),
        (f"\ufeff  {TOKEN}\r\n\n", TokenPair(TOKEN)),
        (json.dumps({"access_token": TOKEN}), TokenPair(TOKEN)),
        (
            json.dumps(
                {"access_token": f" {TOKEN}\n", "refresh_token": "r", "previous": {"refresh_token": "p", "x": 5}}
            ),
            TokenPair(TOKEN, "r", {"refresh_token": "p"}),
        ),
        ("\ufeff\n" + json.dumps({"access_token": TOKEN, "refresh_token": "", "x": [1]}), TokenPair(TOKEN)),
        (json.dumps({"access_token": TOKEN, "refresh_token": None, "server": None, "previous": 5}), TokenPair(TOKEN)),
    ],
)
def test_a_file_holds_a_token_or_json_with_one(file: Path, content: str, pair: TokenPair) -> None:
    file.write_text(content, encoding="utf-8")
    assert Credentials(file).read(PULSOID) == pair
    assert token_in(file) == TOKEN


@pytest.mark.parametrize(
    "content",
    [
        *(f'"{TOKEN}"', f"'{TOKEN}'\n", f"Bearer {TOKEN}", f"Authorization: Bearer {TOKEN}\r\n", f'"Bearer {TOKEN}"'),
        *(
            f"PULSOID_TOKEN={TOKEN}",
            f'export PULSOID_TOKEN="{TOKEN}"\n',
            f"  set PULSOID_TOKEN={TOKEN}",
            f"token = {TOKEN}",
        ),
        *(f"$env:PULSOID_TOKEN = '{TOKEN}'\r\n", f'$Env:PULSOID_TOKEN="Bearer {TOKEN}"', f"access_token='{TOKEN}'"),
        *(json.dumps({"access_token": wrapped}) for wrapped in (f"Bearer {TOKEN}", f'"{TOKEN}"')),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_token_is_taken_out_of_what_people_copy_with_it_in_any_encoding_of_windows(
    file: Path, monkeypatch: pytest.MonkeyPatch, content: str, encoding: str
) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    file.write_bytes((mark + content).encode(encoding))
    assert token_in(file) == TOKEN
    if not content.startswith("{"):
        monkeypatch.setenv(TOKEN_VARIABLE, content)
        assert token_in(None) == TOKEN


@pytest.mark.parametrize("token", ["dG9rZW4=", "token==", "a=b", "bearer", "3f0c9c1e-6f0b", "'half", "x.y~z+/_-"])
def test_a_token_that_looks_like_such_a_thing_stays_as_it_is(file: Path, token: str) -> None:
    file.write_text(token)
    assert token_in(file) == token


def test_json_in_utf_16_is_replaced_by_utf_8(file: Path) -> None:
    file.write_text(json.dumps({"access_token": "old", "note": "☕"}), encoding="utf-16")
    Credentials(file).write({"access_token": "new"})
    assert json.loads(file.read_bytes().decode()) == {"access_token": "new", "note": "☕"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\xff\xfe", "is empty"),
        (b'""', "is empty"),
        (b"PULSOID_TOKEN=", "is empty"),
        (TOKEN.encode("utf-16-le"), "contains blanks or other invalid characters"),
        (b"\xff\xfe" + TOKEN.encode() + b"x", "is not text in UTF-8 or UTF-16"),
        (b"# mine\nPULSOID_TOKEN=" + TOKEN.encode(), "contains blanks or other invalid characters"),
        (b" \n", "is empty"),
        (b"two " + TOKEN.encode(), "contains blanks or other invalid characters"),
        (TOKEN.encode() + b"\nsecond line", "contains blanks or other invalid characters"),
        ("tökén".encode() + TOKEN.encode(), "contains blanks or other invalid characters"),
        (b"\xff" + TOKEN.encode(), "is not text in UTF-8 or UTF-16"),
        (b"{" + TOKEN.encode(), "begins like JSON but is not valid JSON"),
        (b'{"a":' * 5000 + TOKEN.encode(), "begins like JSON but is not valid JSON"),
        (b'{"token":"' + TOKEN.encode() + b'"}', "has no text `access_token`"),
        (b'{"access_token":["' + TOKEN.encode() + b'"]}', "has no text `access_token`"),
        (b'{"access_token":""}', "is empty"),
    ],
)
def test_what_can_be_no_token_is_reported_without_repeating_it(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        token_in(file)
    assert words in caught.value.message
    assert str(file) in caught.value.message
    assert TOKEN not in str(caught.value) + repr(caught.value)


def test_a_missing_file_a_folder_and_a_missing_variable_are_told_apart(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="There is no token file"):
        token_in(file)
    with pytest.raises(UsageError, match=r"cannot be read|Is a directory"):
        token_in(file.parent)
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    with pytest.raises(UsageError, match="There is no token"):
        token_in(None)
    monkeypatch.setenv(TOKEN_VARIABLE, f" {TOKEN} ")
    assert token_in(None) == TOKEN


def test_the_token_is_read_again_each_time(file: Path) -> None:
    for token in ("first", "second"):
        file.write_text(token)
        assert token_in(file) == token


def test_nothing_shows_the_token_by_its_repr(file: Path) -> None:
    secret = {"access_token": TOKEN, "refresh_token": TOKEN + "2"}
    file.write_text(json.dumps(secret | {"previous": secret}))
    credentials = Credentials(file)
    pair = credentials.read(PULSOID)
    assert TOKEN not in repr(credentials) + repr(pair) + str(pair)


@needs_posix
def test_writing_changes_some_fields_keeps_the_others_and_is_for_the_owner_alone(file: Path) -> None:
    file.write_text(json.dumps({"access_token": "old", "note": "Jürgen's ☕", "deep": {"a": [1, None]}}))
    file.chmod(0o644)
    Credentials(file).write({"access_token": "new", "refresh_token": "r"})
    assert json.loads(file.read_text(encoding="utf-8")) == {
        "access_token": "new",
        "note": "Jürgen's ☕",
        "deep": {"a": [1, None]},
        "refresh_token": "r",
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


@needs_posix
def test_nothing_is_written_through_a_link(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "real"
    target.parent.mkdir()
    target.write_text('{"access_token":"old"}')
    file.symlink_to(target)
    assert token_in(file) == "old"
    with pytest.raises(UsageError, match="is a symbolic link, and no token is written through one"):
        Credentials(file).write({"access_token": "new"})
    assert file.is_symlink()
    assert target.read_text() == '{"access_token":"old"}'


def test_writing_removes_what_becomes_none_and_nothing_else(file: Path) -> None:
    file.write_text('{"access_token":"old","note":null,"previous":{}}')
    Credentials(file).write({"previous": None, "expires_in": None})
    assert json.loads(file.read_text()) == {"access_token": "old", "note": None}


@pytest.mark.parametrize("fault", ["write", "fsync", "replace"])
def test_a_write_that_fails_leaves_the_file_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    file.write_text('{"access_token":"old"}')

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    if fault == "write":
        monkeypatch.setattr(os, "open", fail)
    elif fault == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    else:
        monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        Credentials(file).write({"access_token": "new"})
    monkeypatch.undo()
    assert file.read_text() == '{"access_token":"old"}'
    assert list(file.parent.iterdir()) == [file]


@needs_posix
@pytest.mark.parametrize(
    ("mode", "is_shared"), [(0o600, False), (0o400, False), (0o640, True), (0o644, True), (0o604, True)]
)
def test_a_token_file_that_others_can_read_is_warned_about(
    file: Path, caplog: pytest.LogCaptureFixture, mode: int, is_shared: bool
) -> None:
    file.write_text(TOKEN)
    file.chmod(mode)
    with caplog.at_level(logging.WARNING, logger="pulsoid_rec.recorder"):
        Credentials(file).warn_if_shared()
        Credentials().warn_if_shared()
    assert [record.levelname for record in caplog.records] == ["WARNING"] * is_shared
    assert ("chmod 600" in caplog.text) is is_shared
