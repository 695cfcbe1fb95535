"""Names as they may be displayed: nothing that a terminal or a browser would obey, and nothing defaced."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsoid_rec.recorder.contract.display import CONTROLS, FIT_ENCODING, is_visible, look_of, plain

FAMILY = "\N{MAN}\N{ZERO WIDTH JOINER}\N{WOMAN}"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
INSTEAD = "\N{REPLACEMENT CHARACTER}"


def test_what_a_terminal_would_obey_is_taken_out() -> None:
    assert plain(f"a\x1b[31m\n\u202eb{FAMILY}") == f"a{INSTEAD}[31m{INSTEAD}{INSTEAD}b{FAMILY}"


@given(st.text())
def test_no_text_keeps_a_control(text: str) -> None:
    shown = plain(text)
    assert not any(unicodedata.category(each) in {"Cc", "Zl", "Zp"} for each in shown)
    assert not any(
        unicodedata.bidirectional(each) in {"RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "FSI"} for each in shown
    )
    assert plain(shown) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627"),
        (f"{ENGLAND} Harry", f"{ENGLAND} Harry"),
        (f"Bob{ENGLAND[1:]}", "Bob"),
        ("soft\u00adhyphen", "softhyphen"),
        ("Ann\0\0", "Ann"),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
        ("a\u2028b\u2029c", f"a{INSTEAD}b{INSTEAD}c"),
        ("a\x9b2Jb\x7f", f"a{INSTEAD}2Jb{INSTEAD}"),
    ],
    ids=ascii,
)
def test_what_joins_or_shapes_others_is_not_defaced(name: str, shown: str) -> None:
    assert plain(name) == shown


@pytest.mark.parametrize(
    "name",
    ["", " \u3000", "\u3164", "\u2800\u2800", "\u0301", "\u200d\u200b", "\ufe0f", ENGLAND[1:], "\u202e", "\0\x1b"],
    ids=ascii,
)
def test_a_text_that_draws_nothing_is_not_visible(name: str) -> None:
    assert not is_visible(name)


@pytest.mark.parametrize(
    "name", ["a", "\u4e2d", "\U0001f600", "\U0001fae8", "\u2764\ufe0f", "7", "-", "\ue000", " x"], ids=ascii
)
def test_any_letter_figure_or_picture_is_visible(name: str) -> None:
    assert is_visible(name), "also those that are newer than this Python"


def test_texts_of_one_look_are_told_apart_from_others() -> None:
    assert len({look_of(text) for text in ("Zo\u00eb", "Zoe\u0308", "Zo\u00ad\u00eb", "Zo\u200d\u00eb\ufe0f")}) == 1
    assert len({look_of(text) for text in ("Zo\u00eb", "Zoe", "zo\u00eb", "Zo \u00eb")}) == 4


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("utf-8", "\u0141 \u4e2d\u6587 \u2014 \u2026 e\u0301 ?".encode()),
        ("iso8859-1", b"? ???? - . e ?"),
        ("ascii", b"? ???? - . e ?"),
        ("cp1252", b"? ???? \x97 \x85 e ?"),
        ("cp437", b"? ???? - . e ?"),
    ],
)
def test_letters_that_an_encoding_lacks_are_question_marks_as_wide_as_they_are(encoding: str, shown: bytes) -> None:
    text = "\u0141 \u4e2d\u6587 \u2014 \u2026 e\u0301 \udcff"
    assert text.encode(encoding, FIT_ENCODING) == shown


@given(
    st.text(), st.sampled_from(["utf-8", "ascii", "iso8859-1", "iso8859-5", "cp1252", "cp437", "koi8-r", "shift_jis"])
)
def test_any_text_is_written_in_any_encoding(text: str, encoding: str) -> None:
    shown = plain(text).encode(encoding, FIT_ENCODING).decode(encoding)
    assert not CONTROLS.search(shown)
