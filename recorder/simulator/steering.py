"""Lets events occur in a room: what `events` parses, and the play brings."""

import logging
from collections.abc import Mapping
from datetime import datetime

from pulsoid_rec.recorder.contract.display import plain
from pulsoid_rec.recorder.contract.errors import UsageError
from pulsoid_rec.recorder.contract.wording import format_list
from pulsoid_rec.recorder.simulator import wire
from pulsoid_rec.recorder.simulator.client import CUT, Disconnect
from pulsoid_rec.recorder.simulator.events import CUT_CODE, Event
from pulsoid_rec.recorder.simulator.play import Reading
from pulsoid_rec.recorder.simulator.room import Room
from pulsoid_rec.recorder.simulator.wire import Config, Kind

REMOVED = Disconnect(1008, "removed from the room")
_BINARY = bytes(range(256))

log = logging.getLogger("simulator")  # apart from the recorder's own log


def apply_event(room: Room, event: Event, at: datetime) -> None:
    """Let an event occur at `at`: queue its message for all clients who subscribed to that, heart rates or not.

    Raises `UsageError` if it needs a member that the room does not have, or names several.
    """
    name = {**room.removed, **room.members}.get(event.member, {}).get("name") or event.member
    match event.action:
        case "room":
            room.config = event.value
            room.notify(Kind.ROOM_UPDATED, {"room_id": room.room_id, "config": event.value}, at)
        case "close":
            how = CUT if event.value == CUT_CODE else Disconnect(event.value, "closed on request")
            for client in room.clients:
                client.end(how)
        case "binary":
            room.enqueue_raw(wire.binary_frame(_BINARY))
        case "send":
            room.enqueue_raw(wire.text_frame(event.value.encode()))
        case _:
            _apply_to_member(room, event, at)
    if event.occurred_us is None:  # those of a recording are too many
        log.info("%s: %s", room.room_id, plain(f"{event.action} {name}".strip()))


def _apply_to_member(room: Room, event: Event, at: datetime) -> None:
    match event.action:
        case "join":
            join_member(room, event.member, at)
        case "remove":
            remove_member(room, _find(room, event.member), at)
        case "rename":
            profile_id = _find(room, event.member)
            update_member(room, profile_id, {**room.members[profile_id], "name": event.value}, at)
        case "config":
            update_member(room, _find(room, event.member), event.value, at)
        case "bpm":
            room.send_reading(Reading(0.0, _find(room, event.member), event.value), at)
        case "admit":  # in a recording only, as the next two: a member whose first message is not there
            room.members[event.member] = event.value
        case "update":
            update_member(room, event.member, event.value, at)
        case "leave":
            room.members.setdefault(event.member, {})
            remove_member(room, event.member, at)


def update_member(room: Room, profile_id: str, config: Config, at: datetime) -> None:
    """Add a member, or change its config."""
    room.members[profile_id] = config
    room.notify(Kind.ROOM_MEMBER_UPDATED, {"profile_id": profile_id, "config": config}, at)


def remove_member(room: Room, profile_id: str, at: datetime) -> None:
    """Remove a member, notify all, and disconnect the clients with that member's token.

    The member's readings are played no more. Raises KeyError if there is no such member.
    """
    room.removed[profile_id] = room.members.pop(profile_id)
    for client in room.clients:
        client.known_members.discard(profile_id)
    room.notify(Kind.ROOM_MEMBER_REMOVED, {"profile_id": profile_id}, at)
    for client in room.clients:
        if client.token.profile_id == profile_id:
            client.end(REMOVED)


def join_member(room: Room, name: str, at: datetime) -> None:
    """Add a member: one who was removed, as before, or else somebody new. One who is there is sent again."""
    for people in (room.members, room.removed):
        if found := _called(people, name):
            profile_id = found[0]
            config = room.removed.pop(profile_id, None) or room.members[profile_id]
            break
    else:
        profile_id, config = room.invite(name)
    update_member(room, profile_id, config, at)


def _called(people: Mapping[str, Config], name: str) -> list[str]:
    """Return the one with this profile id, or else all with this name."""
    return [name] if name in people else [each for each, config in people.items() if config.get("name") == name]


def _find(room: Room, name: str) -> str:
    found = _called(room.members, name)
    if len(found) == 1:
        return found[0]
    names = format_list(found or [str(config.get("name") or each) for each, config in room.members.items()], 20)
    if found:
        raise UsageError(f"Several members of {room.room_id} are called {name!r}", f"Name one by profile id: {names}.")
    raise UsageError(f"No member of {room.room_id} is called {name!r}", f"Its members: {names or 'nobody'}.")
