"""Why a connection, or an attempt at one, ended: for the state machine, `connection_events` and the user. Pure."""

from dataclasses import dataclass, field

from pulsoid_rec.recorder.connection.reconnect import Event
from pulsoid_rec.recorder.contract.errors import RefusedError

_REFUSED_STATUSES = {401, 403, 404}
_CLOSED = {
    1001: "the server is going away",
    1008: "the server closed the connection: policy violation",
    1011: "the server closed the connection: internal error",
    1012: "the server is restarting",
    1013: "the server is overloaded",
}
_LOST = {
    1002: "the server violated the WebSocket protocol",
    1006: "the connection was lost",
    1007: "the server sent a text that is not UTF-8",
    1009: "the server sent a message that is too large",
}


@dataclass(frozen=True)
class Disconnect:
    """How a connection or an attempt ended, for the state machine and as a row's content."""

    event: Event
    kind: str  # closed, refused or lost
    code: int | None
    reason: str
    retry_after_s: float | None = field(default=None, compare=False)  # that the server requires to wait
    lived_s: float | None = None  # from opening to the last sign of life; None of an attempt
    ended_at: int | None = None  # of a connection that was lost: the last sign of life, in microseconds since 1970, UTC

    @property
    def is_invalid_data(self) -> bool:
        """Whether the server sent something that cannot be split into messages."""
        return self.code in {1002, 1007, 1009}


def failed_attempt(reason: str, status: int | None, retry_after_s: float | None = None) -> Disconnect:
    """Return how an attempt ended that led to no connection; `status` is the server's HTTP answer, if any."""
    event = Event.REFUSED if status in _REFUSED_STATUSES else Event.FAILED
    return Disconnect(event, "refused" if status else "lost", status, reason, retry_after_s)


def ended_connection(code: int, close_reason: str | None = None) -> Disconnect:
    """Return how a connection ended, from its WebSocket close code and the reason the server sent."""
    code = int(code)
    if code in _LOST:
        return Disconnect(Event.ENDED, "lost", code, f"{_LOST[code]} ({code})")
    printable = "".join(character if character.isprintable() else "?" for character in close_reason or "")
    details = f"{code}: {printable}" if printable else f"{code}"
    reason = _CLOSED.get(code, "the server closed the connection")
    return Disconnect(Event.ENDED, "closed", code, f"{reason} ({details})")


def refused_error(room_id: str, refusal: Disconnect) -> RefusedError:
    """Return the error for the user: what a refusal means and what to do."""
    match refusal.code:
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
            return RefusedError(f"The server has no room {room_id!r} (404)", "Check the room's id and --server.")
    return RefusedError(f"Cannot record room {room_id!r}: {refusal.reason}", "Correct that and start again.")
