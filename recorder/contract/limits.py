"""Limits of memory, work and sizes. Tests pass smaller ones; `docs/limits.md` is made from the comments."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How much of each thing there may be; a name ends with the unit, where it is not a count.

    Past a limit of what a server sends, the message is rejected and the connection lives on.
    """

    id_chars: int = 256  # of a profile's or room's id in a message
    config_bytes: int = 64 * 2**10  # of a `config`
    message_bytes: int = 128 * 2**10  # of a message; a larger one is not even parsed
    message_fragments: int = 4096  # that a message comes in
    endless_bytes: int = 16 * 2**20  # of a message, with one more for each fragment; a larger one ends the connection
    raw_bytes: int = 64 * 2**10  # kept of a rejected message
    http_head_bytes: int = 64 * 2**10  # kept of the head of the server's answer to the upgrade
    name_chars: int = 64  # shown of a name
    label_chars: int = 200  # of a mark's label; a longer one is refused
    members: int = 10_000  # of a room that are shown; above it those whose last reading is oldest are left out
    live_members: int = 500  # on the live page; above it those who came later are only counted
    live_viewers: int = 100  # who follow the live page at once
    live_connections: int = 256  # to the live page's port, whatever they are for; more are closed at once
    live_waiting: int = 8  # events that wait for a viewer; one who takes none of them is disconnected
    live_request_bytes: int = 8 * 2**10  # of a request to the live page, and of its head
    status_members: int = 500  # listed by `pulsoid-rec status`; of more those heard last, the others are counted
    import_members: int = 100_000  # of a file that is imported; if there are more, the file is refused

    memory_bytes: int = 64 * 2**20  # of messages in memory; above it nothing more is received
    segment_bytes: int = 8 * 2**20  # of a segment of the journal; above it a new one is started
    large_segment_bytes: int = 64 * 2**10  # of a segment that is ingested without waiting for more
    batch_bytes: int = 64 * 2**20  # of segments ingested before the database is closed for a moment
    wal_bytes: int = 144 * 2**10  # of committed rows in the database's WAL; above it a checkpoint is made
    large_wal_bytes: int = 4 * 2**20  # of the same where a checkpoint takes long
    low_disk_bytes: int = 200 * 2**20  # of free space on the database's disk; below it a warning is logged

    log_bytes: int = 2 * 2**20  # of a run's log; above it a new file is begun, and one old one kept
    logs_kept: int = 20  # runs whose logs are kept


DEFAULT_LIMITS = Limits()
