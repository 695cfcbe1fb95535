"""`POST /control`: changes a room at any time, by an event in the grammar of `events`.

A page in the same browser can send requests here, and by a name that leads here (DNS rebinding) even read the answers.
So the host has to be called as the loopback is, and a token has to come in a header, which no page can add for another
origin unless `--cors` admits it.
"""

from collections.abc import Collection, Mapping
from http import HTTPStatus

import msgspec

from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.simulator.events import parse_event
from pulsoid_rec.recorder.simulator.http_request import Request, Response, refuse
from pulsoid_rec.recorder.simulator.room import Room
from pulsoid_rec.recorder.simulator.steering import apply_event

CONTROL_PATH = "/control"
_LOOPBACK_NAMES = {"127.0.0.1", "localhost"}


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    event: str
    room: str | None = None


def control(request: Request, rooms: Mapping[str, Room], tokens: Collection[str]) -> Response:
    """Let the event occur that a request has as its body: as text, or in JSON as `{"event": TEXT, "room": ID}`.

    With several rooms one has to be named, there or in the query. One of `tokens` opens it, expired or not.
    """
    if request.headers.get("host", "").lower().partition(":")[0] not in _LOOPBACK_NAMES:
        return refuse(HTTPStatus.FORBIDDEN, "This is for 127.0.0.1 and localhost.")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or token.strip() not in tokens:
        return refuse(HTTPStatus.UNAUTHORIZED, "Send the header `Authorization: Bearer TOKEN`, with a token of a room.")
    try:
        body = _parse_body(request)
        room = _choose_room(rooms, body.room)
        event = parse_event(body.event)
        apply_event(room, event, room.now())
    except UsageError as error:
        return refuse(HTTPStatus.BAD_REQUEST, str(error))
    return Response(HTTPStatus.OK, {"room": room.room_id, "event": body.event, "connections": len(room.clients)})


def _parse_body(request: Request) -> _Body:
    try:
        text = request.body.decode().strip("\r\n")
        body = msgspec.json.decode(text, type=_Body) if text.startswith("{") else _Body(text)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise UsageError(
            f"The body is no event: {error}", 'Send text such as remove:Ada, or JSON: {"event": "remove:Ada"}.'
        ) from None
    return body if body.room is not None else _Body(body.event, request.query.get("room"))


def _choose_room(rooms: Mapping[str, Room], room_id: str | None) -> Room:
    if room_id is None and len(rooms) == 1:
        return next(iter(rooms.values()))
    if room_id is not None and room_id in rooms:
        return rooms[room_id]
    raise UsageError(
        "There are several rooms" if room_id is None else f"There is no room {room_id!r}",
        f"Name one as {CONTROL_PATH}?room=ID: {', '.join(rooms)}.",
    )
