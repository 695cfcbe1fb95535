"""Which windows of a session are compared."""

import numpy as np
from groups import drawn_bpm

from pulsoid_rec.analysis.group.windows import cut_windows, share_observed


def test_a_window_with_a_member_observed_less_than_nine_tenths_is_dropped_for_all() -> None:
    bpm = drawn_bpm(1, 2, 130, missing=0)
    bpm[30:33, 0] = np.nan  # 27 of 30 s: enough
    bpm[60:64, 1] = np.nan  # 26 of 30 s: too little
    windows = cut_windows(bpm, "raw")
    assert windows.starts_s.tolist() == [0, 30, 90]
    assert windows.seconds == 130
    np.testing.assert_equal(windows.values[:, 1], bpm[30:60].T)
    np.testing.assert_equal(windows.joined[1], bpm[[*range(60), *range(90, 120)], 1])
    assert not windows.constant.any()


def test_the_ends_of_a_session_are_lost_to_the_high_pass() -> None:
    assert cut_windows(drawn_bpm(1, 2, 300, missing=0), "high-pass").starts_s.tolist() == [*range(30, 270, 30)]


def test_a_heart_rate_that_does_not_change_is_constant_whatever_the_preparation_makes_of_it() -> None:
    bpm = drawn_bpm(2, 2, 240, missing=0)
    bpm[120:150, 1] = 77
    for windows in (cut_windows(bpm, "high-pass"), cut_windows(bpm, "raw")):
        constant = [(member, windows.starts_s[at]) for member, at in np.argwhere(windows.constant)]
        assert constant == [(1, 120)]
    steady_rise = np.column_stack([np.arange(90.0), bpm[:90, 0]])
    assert cut_windows(steady_rise, "differences").constant.tolist() == [[True] * 3, [False] * 3]


def test_nothing_observed_gives_no_windows() -> None:
    for bpm in (np.zeros((0, 2)), np.full((29, 2), 70.0), np.full((90, 2), np.nan)):
        windows = cut_windows(bpm, "high-pass")
        assert windows.values.shape[:2] == (2, 0)
        assert windows.joined.shape == (2, 0)


def test_a_member_is_observed_in_a_share_of_the_session() -> None:
    bpm = np.full((10, 3), 70.0)
    bpm[:5, 1] = np.nan
    bpm[:6, 2] = np.nan
    assert share_observed(bpm).tolist() == [1, 0.5, 0.4]
    assert share_observed(np.zeros((0, 2))).tolist() == [0, 0]
