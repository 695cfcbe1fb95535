"""`pulsoid-rec simulate`."""

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pulsoid_rec.recorder.cli.options import check_room_ids, path_option, value_option
from pulsoid_rec.recorder.contract.display import print_lines
from pulsoid_rec.recorder.contract.errors import StorageError, UsageError
from pulsoid_rec.recorder.contract.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pulsoid_rec.recorder.simulator.events import Event
    from pulsoid_rec.recorder.simulator.play import Play
    from pulsoid_rec.recorder.simulator.tokens import Token

ROOM = "demo"
MEMBERS = 5
ENDLESS_CUT_S = 3600.0
_RECORDING_MARK = b"DUCK"  # after the first 8 bytes of a DuckDB file


def simulate(
    *,
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="TCP port on this machine; 0 takes any.")
    ] = 8765,
    room: Annotated[
        list[str] | None, value_option("ID", "A room; repeatable.", "demo, or those of a recording that is replayed")
    ] = None,
    token: Annotated[
        list[str] | None,
        value_option(
            "[KIND:]TEXT",
            "A token that opens the rooms; repeatable. Or one that does not: stranger:TEXT is of somebody who is no "
            "member (403); no-scope:TEXT lacks data:room:read, no-plan:TEXT the paid plan, expired:TEXT is too old "
            "(401; the token check has Pulsoid's own errors).",
            "demo-token, or with --replay a new one, which is printed",
        ),
    ] = None,
    members: Annotated[
        int | None, value_option("N", "People to make up in each room.", str(MEMBERS), min=1, max=1000)
    ] = None,
    replay: Annotated[
        Path | None,
        path_option(
            "Play this CSV of time_s (seconds, may be fractional), member, bpm (beats per minute) and perhaps event "
            "(as of --event) instead. Lines without time_s or bpm are left out. Or play a recording: every message of "
            "a session of each room.",
            metavar="FILE",
        ),
    ] = None,
    session: Annotated[
        str | None, value_option("N", "Which session of a recording to replay; see `sessions`.", "each room's latest")
    ] = None,
    event: Annotated[
        list[str] | None,
        value_option(
            "SECONDS:EVENT",
            "What happens in every room so many seconds after its play begins; repeatable. join:NAME and remove:NAME "
            "(by name or profile id) change the members, rename:NAME:NEW and config:NAME:{JSON} a member, room:{JSON} "
            "the room. bpm:NAME:NUMBER sends a reading, send:TEXT any text, binary a binary frame. close:CODE closes "
            "every connection, 1006 without a close frame.",
            "made-up people join, leave and are renamed now and then",
        ),
    ] = None,
    speed: Annotated[float, typer.Option(metavar="X", help="How fast to play: 60 plays an hour in a minute.")] = 1.0,
    duration: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="End the play after this many seconds of play time. Otherwise a file plays to its end, and made-up "
            "people play for ever, or for 3600 s at a speed above 1.",
            show_default=False,
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Exit when all is played; otherwise the connections stay open in silence.")
    ] = False,
    cors: Annotated[
        bool,
        typer.Option("--cors", help="Admit pages in a browser: any that is open, if it knows the token."),
    ] = False,
    tls: Annotated[
        bool,
        typer.Option(
            "--tls",
            help="Serve wss:// and https:// by a certificate that is made for this run; the file by which clients can "
            "trust it is printed. It needs the extra `tls`.",
        ),
    ] = False,
    device: Annotated[
        Literal["ask", "approve", "deny", "expire", "slow"] | None,
        value_option(
            "MODE",
            "How `pulsoid-rec login` goes: ask, on the page that it shows; or by itself: approve, deny, expire, slow "
            "(approve, but ask to slow down first).",
            "ask, but no login with --replay: who can log in can read along",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(metavar="N", help="A number that other people and other faults follow from.")
    ] = 1,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME:NUMBER",
            help="A fault to inject; repeatable. drop:S cuts each connection about every S seconds; stall:S stops "
            "sending on each after about S seconds; expire:S makes tokens expire after S seconds; refuse:STATUS "
            "refuses every connection with that HTTP status; garbage:N follows about one reading in N with a malformed "
            "message; repeat:N resends the room's latest N readings to each new connection.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Simulate Pulsoid on this machine, to develop and test against.

    It serves rooms as Pulsoid does, of made-up people or from a file. A room's play begins when its first client
    connects, so that a recorder sees all of it. Played faster than real time, its events carry the times they would
    have had, the last one about now. After it the connections stay open in silence; with --once the server ends, with
    exit code 0.

    At any time, POST /control with a token of the start lets an event occur, as of --event without the seconds: the
    text itself, or JSON such as {"event": "remove:Ada", "room": "demo"}. Of several rooms, name one so, or by ?room=ID.

    It also answers GET /api/v1/token/validate and POST /oauth2/token, /oauth2/device_authorization and /oauth2/revoke:
    `pulsoid-rec login --client-id demo-client` gets a token. demo-token, and those, are refreshed with
    client_id=demo-client and client_secret=demo-secret; the refresh token of demo-token is demo-refresh-token.
    """
    from pulsoid_rec.recorder.cli.simulator_run import run_simulator
    from pulsoid_rec.recorder.simulator.events import parse_timed_event
    from pulsoid_rec.recorder.simulator.faults import parse_faults
    from pulsoid_rec.recorder.simulator.oauth import DeviceFlow
    from pulsoid_rec.recorder.simulator.simulator import SimulatorConfig

    if replay is not None and members is not None:
        raise UsageError(
            "--members and --replay are both given", "Leave one out: a replay has the members of its file."
        )
    if session is not None and replay is None:
        raise UsageError("--session is of a recording", "Give its DuckDB file with --replay.")
    for option, number in (("--speed", speed), ("--duration", duration)):
        if number is not None and not (math.isfinite(number) and number > 0):
            raise UsageError(f"{option} is {number:g}", "Give a number above 0.")
    if replay is None and duration is None and speed > 1:
        duration = ENDLESS_CUT_S  # without an end, their events would lie in the future
    events = tuple(sorted(map(parse_timed_event, event or []), key=lambda one: one.time_s))
    if events and events[-1].time_s >= (duration or math.inf):
        raise UsageError(
            f"An --event is at {events[-1].time_s:g} s, when the play has ended", "Give a longer --duration."
        )
    rooms = check_room_ids(room or [])
    plays = _read_replay(replay, rooms, session) if replay is not None else None
    tokens, shown_token = _parse_tokens(token or [], is_demo=replay is None)
    config = SimulatorConfig(
        rooms={
            room_id: _add_events(play, events, duration)
            for room_id, play in (plays or _make_people(rooms, members or MEMBERS, seed, has_events=bool(events)))
        },
        tokens=tokens,
        speed=speed,
        port=port,
        faults=parse_faults(fault or []),
        seed=seed,
        admits_pages=cors,
        device_flow=None if replay is not None and device is None else DeviceFlow(device or "ask"),
    )
    # Readings that are replayed are not to be mixed with those they come from, which have the same room.
    into = "replayed.duckdb" if replay is not None and _is_recording(replay) else None
    run_simulator(config, shown_token=shown_token, into=into, once=once, tls=tls)


def _parse_tokens(texts: list[str], *, is_demo: bool) -> "tuple[tuple[Token, ...], str]":
    """Return the tokens, and the one to print; one that is given may be a real one, and is not printed."""
    import secrets

    from pulsoid_rec.recorder.simulator.tokens import DEMO_REFRESH_TOKEN, DEMO_TOKEN, Token, parse_token

    given = [parse_token(text) for text in texts]
    if len({token.access_token for token in given}) < len(given):
        raise UsageError("A --token is given twice", "Give each token once.")
    if any(":" not in text for text in texts):
        shown = "YOUR_TOKEN"
    else:
        # Other users of this machine can connect too, and know the demo's token: people's own readings have another.
        shown = DEMO_TOKEN if is_demo else secrets.token_urlsafe(12)
        given.append(Token(shown))
    return tuple(
        replace(token, refresh_token=DEMO_REFRESH_TOKEN) if token.access_token == DEMO_TOKEN else token
        for token in given
    ), shown


def _read_replay(path: Path, rooms: tuple[str, ...], session: str | None) -> "Iterable[tuple[str, Play]]":
    """Return the play of each room: of a recording, or of a CSV file, the same for all."""
    from pulsoid_rec.recorder.simulator.replay import read_replay

    if _is_recording(path):
        if not path.exists():
            raise StorageError(f"There is no {path}", "Choose another with --replay.")
        from pulsoid_rec.analysis.cli.replay_recording import read_plays

        return read_plays(path, rooms, session).items()
    if session is not None:
        raise UsageError("--session is of a recording", "Give its DuckDB file with --replay.")
    play = read_replay(path)
    if play.holes:
        print_lines(f"Left out {format_count(play.holes, 'line')} of {path} without bpm or time_s.")
    return [(room_id, play) for room_id in rooms or (ROOM,)]


def _is_recording(path: Path) -> bool:
    from pulsoid_rec.recorder.contract.owned_files import open_file

    try:
        with open(path, "rb", opener=open_file) as file:
            return file.read(12)[8:] == _RECORDING_MARK
    except OSError:
        return path.suffix == ".duckdb"


def _make_people(rooms: tuple[str, ...], count: int, seed: int, *, has_events: bool) -> "Iterator[tuple[str, Play]]":
    from pulsoid_rec.recorder.simulator.people import make_visits, play_people

    for room_id in rooms or (ROOM,):
        play = play_people(count, seed, room_id)
        yield room_id, play if has_events else replace(play, events=make_visits(count, seed, room_id))


def _add_events(play: "Play", events: "tuple[Event, ...]", duration_s: float | None) -> "Play":
    if events:
        together = tuple(sorted([*play.events, *events], key=lambda event: event.time_s))
        play = replace(play, events=together, length_s=max(play.length_s, events[-1].time_s))
    return play if duration_s is None else play.first(duration_s)
