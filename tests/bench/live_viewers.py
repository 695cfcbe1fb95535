"""Follow a recorder's events over so many connections; print what the first of them saw, as JSON, at SIGTERM.

python live_viewers.py PORT COUNT [--deaf]: with `--deaf` one more connection asks for the events and reads nothing.
"""

import argparse
import json
import selectors
import signal
import socket
import sys
import time


def main() -> None:
    """Follow until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--deaf", action="store_true")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    selector = selectors.DefaultSelector()
    followers = [follow(options.port) for _ in range(options.count)]
    deaf = [follow(options.port)] if options.deaf else []
    for follower in followers:
        selector.register(follower, selectors.EVENT_READ)
    received: list[tuple[float, bytes]] = []
    try:
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(2**20)  # type: ignore[union-attr] # a socket, as registered above
                if key.fileobj is followers[0]:
                    received.append((time.time() * 1000, data))
    except KeyboardInterrupt:
        json.dump(list(readings(received)), sys.stdout)
        for connection in (*followers, *deaf):
            connection.close()


def follow(port: int) -> socket.socket:
    """Ask for the events."""
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
    return connection


def readings(received: list[tuple[float, bytes]]) -> "list[tuple[str, int, int, float]]":
    """Return each reading in the updates: the member's name, its time, bpm, and when it was there."""
    names: dict[int, str] = {}
    found = []
    text = b""
    for at_ms, data in received:
        text += data
        *events, text = text.split(b"\n\n")
        for event in events:
            if b"data: " not in event:
                continue
            content = json.loads(event.partition(b"data: ")[2])
            for member in content.get("members", []):
                names[member["member"]] = member.get("name", names.get(member["member"]))
                found += [(names[member["member"]], *reading, at_ms) for reading in member.get("new", [])]
    return found


if __name__ == "__main__":
    main()
