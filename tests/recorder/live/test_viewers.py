"""Those who follow the events: each gets a snapshot and all after it, or is let go."""

from contextlib import aclosing

import pytest

from pulsoid_rec.recorder.contract.limits import Limits
from pulsoid_rec.recorder.live.viewers import TooManyViewersError, Viewers

made: list[bytes] = []


async def make_snapshot() -> bytes:
    made.append(b"snapshot %d" % len(made))
    return made[-1]


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    made.clear()


async def test_who_comes_between_two_updates_gets_the_same_snapshot_and_whoever_comes_later_another() -> None:
    viewers = Viewers(make_snapshot, Limits())
    async with aclosing(viewers.follow()) as one, aclosing(viewers.follow()) as two, aclosing(viewers.follow()) as late:
        assert (await anext(one), await anext(two)) == (b"snapshot 0", b"snapshot 0")
        viewers.send(b"update")
        assert await anext(late) == b"snapshot 1"
        viewers.send(b"all anew", is_snapshot=True)
        assert [await anext(one), await anext(one)] == [b"update", b"all anew"]
        assert await anext(late) == b"all anew"
        assert len(viewers) == 3
    assert len(viewers) == 0


async def test_who_falls_behind_gets_what_waits_and_then_the_end() -> None:
    viewers = Viewers(make_snapshot, Limits(live_waiting=2))
    async with aclosing(viewers.follow()) as slow, aclosing(viewers.follow()) as quick:
        await anext(slow)
        await anext(quick)
        for number in range(4):
            viewers.send(b"%d" % number)
            assert await anext(quick) == b"%d" % number
        assert len(viewers) == 1
        assert [event async for event in slow] == [b"0", b"1"]


async def test_no_more_than_the_limit_may_come() -> None:
    viewers = Viewers(make_snapshot, Limits(live_viewers=1))
    async with aclosing(viewers.follow()) as one:
        await anext(one)
        with pytest.raises(TooManyViewersError):
            await anext(viewers.follow())
    async with aclosing(viewers.follow()) as another:
        assert await anext(another) == b"snapshot 0"
