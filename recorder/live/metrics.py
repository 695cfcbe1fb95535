"""`/metrics`: the recorder's numbers for Prometheus, by its own client library. Members have numbers, and no names."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from pulsoid_rec.recorder.clock import ReceiptClock
from pulsoid_rec.recorder.connection.reconnect import State
from pulsoid_rec.recorder.health.watch import Watch
from pulsoid_rec.recorder.live.state import LiveState
from pulsoid_rec.recorder.live.viewers import Viewers
from pulsoid_rec.recorder.recorder import Recorder

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics(Collector):
    """Looks at the recorder when it is asked, so that it costs nothing meanwhile."""

    def __init__(self, recorder: Recorder, state: LiveState, watch: Watch, viewers: Viewers) -> None:
        self._recorder, self._state, self._watch, self._viewers = recorder, state, watch, viewers
        self._clock = ReceiptClock()
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def render(self) -> bytes:
        """Return the numbers in Prometheus' text format."""
        return generate_latest(self._registry)

    def describe(self) -> Iterable[Metric]:
        """Return nothing: the numbers are not looked at before they are asked for."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Yield the numbers."""
        now_us = self._clock.next_us()
        yield from self._collect_rooms(now_us)
        journal = self._recorder.journal
        for name, meaning, value in (
            ("journal_unwritten_bytes", "Received, and in no file yet", journal.unwritten_bytes),
            ("journal_backlog_bytes", "In the journal, in no closed file yet", journal.backlog_bytes),
            ("journal_lag_seconds", "Wait of the oldest row that is in no file yet", journal.lag_s),
            ("database_lag_seconds", "Wait of the oldest row that is not in the database yet", self._watch.backlog_s),
            ("viewers", "Viewers of the live page", len(self._viewers)),
        ):
            yield GaugeMetricFamily(f"pulsoid_rec_{name}", meaning, value)
        ages = GaugeMetricFamily(
            "pulsoid_rec_reading_age_seconds", "Age of a member's latest plausible reading", labels=("member",)
        )
        for member in self._state.members:
            if (latest_ms := member.latest_ms) is not None:
                ages.add_metric([str(member.number)], (self._state.clock.to_ms(now_us) - latest_ms) / 1000)
        yield ages

    def _collect_rooms(self, now_us: int) -> Iterable[Metric]:
        statuses = [room.status for room in self._recorder.rooms]
        for name, meaning, values in (
            ("readings", "Readings received", [status.readings for status in statuses]),
            ("messages", "Messages received", [status.messages for status in statuses]),
            ("rejected_messages", "Messages that were rejected", [status.rejected for status in statuses]),
            ("reconnects", "Connections after the first", [status.reconnects for status in statuses]),
            ("deaf_seconds", "Time without a connection", [gaps.total_s(now_us) for gaps in self._state.gaps]),
        ):
            counter = CounterMetricFamily(f"pulsoid_rec_{name}", meaning, labels=("room",))
            for status, value in zip(statuses, values, strict=True):
                counter.add_metric([status.room_id], value)
            yield counter
        live = GaugeMetricFamily("pulsoid_rec_room_live", "Whether a room is connected", labels=("room",))
        for status in statuses:
            live.add_metric([status.room_id], float(status.state is State.LIVE))
        yield live
