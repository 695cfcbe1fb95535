"""Limits of memory and of sizes. Tests pass smaller ones."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, unless a name says otherwise."""

    id_chars: int = 256  # of a room's id
    message_bytes: int = 4 * 2**20  # a message; a larger one ends the connection
    queued_messages: int = 64  # messages between trio-websocket's reader and the receiver
    http_head_bytes: int = 2**16  # kept of the head of the server's answer to the upgrade
    name_chars: int = 64  # kept of a room's or member's name; `config` has all of it

    memory_bytes: int = 64 * 2**20  # rows in memory; above it nothing more is received
    segment_bytes: int = 8 * 2**20  # a segment; above it a new one is started
    large_segment_bytes: int = 64 * 2**10  # a segment that is ingested without waiting for more
    batch_bytes: int = 64 * 2**20  # segments ingested before the database is closed for a moment
    wal_bytes: int = 96 * 2**10  # committed rows in the database's WAL; above it a checkpoint is made
    low_disk_bytes: int = 200 * 2**20  # free space of the database's disk, below which a warning is logged

    log_bytes: int = 2 * 2**20  # of a run's log; above it a new file is begun, and one old one kept
    logs_kept: int = 20  # runs whose logs are kept


DEFAULT_LIMITS = Limits()
