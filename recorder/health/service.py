"""What systemd is told of a service of `Type=notify`: that it records, how it is doing, and that it still reads.

The protocol of `sd_notify(3)`: datagrams to the socket in `NOTIFY_SOCKET`. Without that variable nothing is done, as on
macOS and Windows. The watchdog is not fed by a timer: a byte is put into a socket that the task which reads all rooms
reads too, and it is fed as that byte arrives there. Whatever stops the reading starves it.
"""

import contextlib
import os
import re
import socket
from collections.abc import Mapping

import trio

from pulsoid_rec.recorder.connection.poller import Poller

SOCKET_VARIABLE = "NOTIFY_SOCKET"
VARIABLES = (SOCKET_VARIABLE, "WATCHDOG_USEC", "WATCHDOG_PID")
"""What systemd sets for the service, and nobody else is to use."""


class Service:
    """Sends to systemd. Never waits, never fails."""

    def __init__(self, address: str, watchdog_s: float | None) -> None:
        # A name that begins with @ is of Linux's abstract sockets.
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self.watchdog_s = watchdog_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._status = ""

    def send(self, *lines: str) -> None:
        """Send lines such as `READY=1`."""
        with contextlib.suppress(OSError):
            self._socket.sendto("\n".join(lines).encode(), self._address)

    def set_status(self, text: str) -> None:
        """Say how the recorder is doing, in a line, unless it was said last."""
        if text != self._status:
            self._status = text
            self.send("STATUS=" + text.replace("\n", " "))

    def close(self) -> None:
        """Send no more."""
        self._socket.close()

    async def feed_watchdog(self, poller: Poller) -> None:
        """Feed the watchdog from the poller's task, until cancelled."""
        if self.watchdog_s is None or not poller.is_available:
            return
        pulse, heart = socket.socketpair()
        with pulse, heart:
            heart.setblocking(False)
            pulse.setblocking(False)
            poller.register(heart.fileno(), _Heart(heart, self))
            try:
                while True:
                    with contextlib.suppress(BlockingIOError):
                        pulse.send(b"\0")
                    await trio.sleep(self.watchdog_s / 3)
            finally:
                poller.unregister(heart.fileno())


class _Heart:
    def __init__(self, heart: socket.socket, service: Service) -> None:
        self._heart, self._service = heart, service

    def on_readable(self) -> int:
        self._service.send("WATCHDOG=1")
        return len(self._heart.recv(64))


def find_service(variables: Mapping[str, str] = os.environ) -> Service | None:
    """Return the service that this process is; None if it is not started by systemd, or wants to hear nothing."""
    address = variables.get(SOCKET_VARIABLE, "")
    if not address.startswith(("/", "@")) or not hasattr(socket, "AF_UNIX"):
        return None
    is_for_us = variables.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    microseconds = variables.get("WATCHDOG_USEC", "")
    has_watchdog = is_for_us and re.fullmatch("[0-9]{1,15}", microseconds) and int(microseconds)
    return Service(address, int(microseconds) / 1e6 if has_watchdog else None)
