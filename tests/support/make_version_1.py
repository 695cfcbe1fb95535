r"""Make `tests/data/version-1.duckdb`, and `version-1.jsonl`, the segment of a journal that it was ingested from.

Both were written by the program that had version 1, at commit abcc50b, and are never made again: a newer program would
write its own version. There this file was run as `python make_version_1.py FOLDER`. People and rooms are made up; the
names are as odd as configs can have them, and one of the segment's lines is damaged.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from pulsoid_rec.recorder.contract.journal_files import journal_folder
from pulsoid_rec.recorder.ingest.recover import recover
from pulsoid_rec.recorder.journal.rows import AnyRow, ConnectionEventRow
from pulsoid_rec.recorder.journal.segment import HEADER, encode_line
from pulsoid_rec.recorder.pulsoid.messages import parse_message

NAME = "version-1"
BEGIN_S = 1_767_268_800  # 2026-01-01T12:00:00Z
# What a member's config may say; the last that has a name counts.
MEMBER_CONFIGS = {
    "ada-0001": ['{"name":"Ada"}', '{"color":"red"}', '{"name":"  Ada Sample "}', '{"name":"   "}', '{"name":7}'],
    "bo-00002": ['{"name":"Bo","name":"Second"}', '{"n\\u0061me":"B\\u00f6 \\ud83d\\ude00"}'],
    "cy-00003": ['{ "name" : "' + "long " * 20 + '" }', '{"name":"' + "\\u4e2d" * 63 + ' x","more":{"name":"inner"}}'],
    "dee-0004": ['{"name":"a \\"quote\\",\\na line and a \\u0000"}', '{"name":"\\u00a0\\u2003"}'],
    "eve-0005": ['{"more":{"name":"inner"}}', '{"name":null}', '{"name":["Eve"]}', "{}"],
}
ROOM_CONFIGS = {
    "north": ['{"name":"North Court","rules":[1,2.50,1e999]}', '{"theme":"dark"}', '{"name":" "}'],
    "south": ['{"theme":"light"}'],
}


def _frames(room: str) -> Iterator[tuple[float, str]]:
    """Yield what a room sends, and when, in seconds since the begin."""

    def frame(kind: str, at_s: float, payload: str) -> tuple[float, str]:
        minutes, seconds = divmod(int(at_s), 60)
        hours, minutes = divmod(minutes, 60)
        at = f"2026-01-01T{12 + hours:02}:{minutes:02}:{seconds:02}.250Z"
        return at_s, f'{{"kind":"{kind}","timestamp":"{at}","{kind}":{payload}}}'

    for number, config in enumerate(ROOM_CONFIGS[room]):
        yield frame("room_updated", number, f'{{"room_id":"{room}","config":{config}}}')
    for number, (profile, configs) in enumerate(MEMBER_CONFIGS.items()):
        for change, config in enumerate(configs):
            yield frame("room_member_updated", 5 + number + change, f'{{"profile_id":"{profile}","config":{config}}}')
    for begin_s in (20, 1500):  # two sessions
        for second in range(20):
            for number, profile in enumerate(MEMBER_CONFIGS):
                bpm = 70 + 10 * number + second % 7
                if (number, second) in {(1, 12), (2, 14)}:
                    bpm = {1: 0, 2: 900}[number]
                content = json.dumps({"profile_id": profile, "bpm": bpm})
                yield frame("heart_rate", begin_s + second, content)
                if (number, second) == (3, 10):
                    yield frame("heart_rate", begin_s + second, content)
        yield frame("room_member_removed", begin_s + 21, '{"profile_id":"eve-0005"}')
    yield 1570, "not JSON"
    yield frame("somebody_else", 1571, "{}")
    yield frame("room_updated", 1572, f'{{"room_id":"{room}","config":[]}}')


def make_rows() -> Iterator[AnyRow]:
    """Yield the rows in their order of receipt, by room."""
    for room in ROOM_CONFIGS:
        first, second = f"{room}-connection-1", f"{room}-connection-2"

        def event(at_s: float, connection: str, kind: str, code: int | None, reason: str | None) -> AnyRow:
            return ConnectionEventRow(room, connection, kind, int((BEGIN_S + at_s) * 1e6), code, reason)  # noqa: B023 - called in its turn

        yield event(-3, f"{room}-connection-0", "refused", 503, "HTTP 503")
        yield event(-1, first, "opened", None, None)
        rest = list(_frames(room))
        while rest and rest[0][0] < 1000:
            yield _parse(room, first, *rest.pop(0))
        yield event(90.5, first, "lost", None, "no sign of life")
        yield event(1400, second, "opened", None, None)
        for at_s, frame in rest:
            yield _parse(room, second, at_s, frame)
        if room == "north":  # the other was killed
            yield event(1580, second, "closed", 1000, "")


def _parse(room: str, connection: str, at_s: float, frame: str) -> AnyRow:
    return parse_message(frame, room_id=room, connection_id=connection, received_at=int((BEGIN_S + at_s + 0.3) * 1e6))


def main(folder: Path) -> None:
    """Write the segment, and the recording."""
    segment = folder / f"{NAME}.jsonl"
    lines = list(map(encode_line, make_rows()))
    lines[-1] = lines[-1].replace(b'"', b"'", 1)
    segment.write_bytes(HEADER + b"".join(lines))
    database = folder / f"{NAME}.duckdb"
    journal_folder(database).mkdir()
    shutil.copy(segment, journal_folder(database) / "run-0.jsonl")
    recover(database)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
