"""How a connection, or an attempt at one, ended: for the state machine, for `connection_events`, and in words. Pure."""

from dataclasses import dataclass

from pulsoid_rec.recorder.connection.reconnect import Event
from pulsoid_rec.recorder.contract.errors import RefusedError

REFUSALS = {401, 403, 404}
"""HTTP answers that waiting alone does not mend."""

_CLOSED = {
    1000: "the server ended the connection",
    1001: "the server is going away",
    1005: "the server ended the connection",
    1008: "the server ended the connection, by its rules",
    1011: "the server ended the connection, over a fault of its own",
    1012: "the server is starting anew",
    1013: "the server has too much to do",
}
_BROKEN_OFF = {
    1002: "what the server sent is no proper WebSocket",
    1006: "the connection broke off",
    1007: "the server sent a text that is not UTF-8",
    1009: "the server sent a message that is too large",
}


NOT_UNDERSTOOD = {1002, 1007, 1009}
"""Close codes of what cannot be taken apart into messages."""


@dataclass(frozen=True)
class End:
    """How it ended."""

    event: Event
    kind: str  # closed, refused or lost
    code: int | None
    reason: str


def end_of_attempt(reason: str, status: int | None) -> End:
    """Tell how an attempt ended that came to no connection, whatever HTTP status the server gave."""
    if status in REFUSALS:
        return End(Event.REFUSED, "refused", status, reason)
    return End(Event.FAILED, "refused" if status else "lost", status, reason)


def end_of_live(code: int, said: str | None = None) -> End:
    """Tell how a connection ended by its WebSocket close code, and by what the server said to it."""
    code = int(code)
    if code in _BROKEN_OFF:
        return End(Event.ENDED, "lost", code, f"{_BROKEN_OFF[code]} ({code})")
    words = _CLOSED.get(code, "the server ended the connection")
    return End(Event.ENDED, "closed", code, f"{words} ({code}{_after_colon(said)})")


def _after_colon(said: str | None) -> str:
    """Make what a server said fit for a line on the screen."""
    if not said:
        return ""
    return ": " + "".join(character if character.isprintable() else "?" for character in said)


def refusal(room_id: str, status: int | None, reason: str) -> RefusedError:
    """Say in words what a refusal means for the user."""
    match status:
        case 401:
            return RefusedError(
                "The server refused the token (401): it is unknown, has expired, or lacks the scope data:room:read",
                "Get a new one at https://pulsoid.net/ui/keys.",
            )
        case 403:
            return RefusedError(
                f"The token's owner is not a member of room {room_id!r} (403)",
                "Check the room's id, or join the room with that account.",
            )
        case 404:
            return RefusedError(f"The server knows no room {room_id!r} (404)", "Check the room's id and --server.")
    return RefusedError(f"Room {room_id!r} cannot be recorded: {reason}", "Mend that, and start again.")
