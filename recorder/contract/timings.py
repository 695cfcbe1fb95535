"""Every wait, interval and timeout of the recorder. Tests pass shorter ones."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Timings:
    """Durations, in seconds."""

    connect_timeout_s: float = 10.0  # to choose a proxy, again for TCP with TLS, and for the upgrade
    answer_timeout_s: float = 10.0  # for the answer to a token check or refresh
    poll_every_s: float = 0.005  # between two looks for what has arrived, where one task reads all connections
    poll_turn_s: float = 0.01  # that it reads before other tasks have their turn
    ping_interval_s: float = 10.0  # between pings
    silence_s: float = 3.0  # without a byte after a message, before the server is pinged at once
    pong_timeout_s: float = 5.0  # without a byte from the server after a ping
    recheck_delay_s: float = 0.5  # before a connection counts as lost: bytes may wait if this process was stopped
    tick_s: float = 0.5  # between looks at whether the process was stopped, or the machine asleep
    suspended_after_s: float = 5.0  # without a look: that counts as a stop, and ends every connection
    drain_timeout_s: float = 60.0  # for what waits in the socket after a stop to be received
    close_timeout_s: float = 0.5  # for the WebSocket closing handshake

    first_reconnect_s: float = 1.0  # before the first reconnect; doubles with each failure
    longest_reconnect_s: float = 30.0  # before any reconnect
    after_connection_s: float = 0.5  # before a reconnect after a connection that was not short
    refused_reconnect_s: float = 60.0  # before a reconnect after a refusal
    steady_after_s: float = 5.0  # that a connection must last to reset the reconnect delay
    longest_retry_after_s: float = 600.0  # that a server's Retry-After is heeded

    write_every_s: float = 0.05  # between writes of the journal
    sync_every_s: float = 1.0  # between syncs of the journal
    rewrite_after_s: float = 1.0  # before a failed write of the journal is retried
    segment_age_s: float = 1.6  # before a segment is closed; a tenth of a second later others can read its rows
    large_segment_age_s: float = 1.0  # the same for a large one

    ingest_retry_s: float = 0.05  # before the first retry of an ingest; doubles with each failure
    longest_busy_retry_s: float = 0.5  # before any retry while another process holds the database
    longest_error_retry_s: float = 10.0  # before any retry after another error
    report_busy_after_s: float = 5.0  # of a locked database before it is logged
    readers_turn_s: float = 0.1  # that the database stays closed between batches
    recover_timeout_s: float = 10.0  # that `recover` waits for a locked database
    mark_timeout_s: float = 1.5  # that `mark` waits for a locked database, with the mark in the journal
    archive_timeout_s: float = 600.0  # that `archive` waits for a locked database
    archive_turn_s: float = 0.25  # that `archive` holds the database for small days before others have their turn
    forget_timeout_s: float = 30.0  # that `forget` waits for running recorders to be done with what came before
    last_checkpoint_timeout_s: float = 0.5  # that the last checkpoint waits for a locked database
    housekeeping_interval_s: float = 10.0  # between looks for segments of dead recorders, and at the disk's free space

    consent_interval_s: float = 1.0  # between looks at the members file; a change counts once it is that old
    withheld_interval_s: float = 10.0  # between rows that count messages of members without consent

    refresh_interval_s: float = 600.0  # between two refreshes of a token
    refresh_timeout_s: float = 2.5  # for a refresh to finish once the recorder ends
    token_lock_retry_s: float = 0.1  # between checks whether another process still refreshes the token
    token_lock_report_s: float = 5.0  # of such waiting before it is logged
    token_lock_timeout_s: float = 30.0  # of such waiting before the refresh is given up; a refresh takes less
    token_end_interval_s: float = 600.0  # between looks whether the token ends soon
    shortest_login_poll_s: float = 1.0  # between two requests for a login's token, whatever the server says
    login_slow_down_s: float = 5.0  # longer between them when the server says so: RFC 8628, section 3.5

    live_update_s: float = 1.0  # between two updates of the live page
    live_send_timeout_s: float = 10.0  # for a viewer of it to take what is sent
    live_request_timeout_s: float = 5.0  # for a request to it to arrive; an idle connection is closed after as long
    live_history_retry_s: float = 0.5  # before what was recorded earlier is looked for again
    unhealthy_after_s: float = (
        60.0  # of a room that is not live, or of rows not in the database, before that is an error
    )

    status_every_s: float = 2.0  # between two writes of the status file
    stale_status_s: float = 10.0  # since the last one, before a recorder counts as stopped
    missing_after_s: float = 300.0  # that somebody expected may be silent while the room is heard
    trouble_interval_s: float = 60.0  # between two runs of the command of --on-trouble
    trouble_timeout_s: float = 60.0  # for that command to end
    trouble_grace_s: float = 10.0  # before it is run for the first time: rooms are being connected

    disconnect_timeout_s: float = 1.5  # for all rooms to disconnect at the end
    shutdown_timeout_s: float = 4.0  # for everything to be in the database at the end


DEFAULT_TIMINGS = Timings()
