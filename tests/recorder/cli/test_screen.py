"""The screen: somebody who stops it, or does not read it, stops nothing else."""

import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import TextIO

import pytest

from pulsoid_rec.recorder.cli.screen import MOST_WAITING, open_screen
from pulsoid_rec.recorder.cli.threaded_stream import ThreadedStream


@contextmanager
def stderr_in_a_pipe() -> Iterator[tuple[int, TextIO]]:
    """Give what reads stderr, and stderr. (As a fixture, it would be pytest's own again when the test begins.)"""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w", encoding="utf-8") as stream, redirect_stderr(stream):
        yield reading, stream
    os.close(reading)


def read_all(reading: int) -> str:
    os.set_blocking(reading, False)
    read = b""
    try:
        while data := os.read(reading, 2**16):
            read += data
    except BlockingIOError:
        pass
    return read.decode()


def fill(writing: int) -> None:
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(writing, True)


def test_all_is_written_in_order_and_the_stream_is_restored_at_the_end() -> None:
    with stderr_in_a_pipe() as (reading, stream):
        sys.stderr.write("before, ")
        with open_screen():
            for number in range(100):
                sys.stderr.write(f"{number} \N{SNOWMAN} \udcff ")
                sys.stderr.flush()
            assert not sys.stderr.isatty()
            assert sys.stderr.fileno() == stream.fileno()
        assert sys.stderr is stream
        sys.stderr.write("after\n")
        sys.stderr.flush()
        output = "".join(f"{number} \N{SNOWMAN} ? " for number in range(100))
        assert read_all(reading) == f"before, {output}after\n"


def test_a_stream_that_takes_nothing_blocks_no_writer() -> None:
    with stderr_in_a_pipe() as (reading, stream):
        fill(stream.fileno())
        began_at = time.monotonic()
        with open_screen():
            for number in range(5 * MOST_WAITING):
                sys.stderr.write(f"{number}\n")
            assert time.monotonic() - began_at < 1
        assert time.monotonic() - began_at < 5
        read_all(reading)
        for thread in threading.enumerate():
            if thread.name == "Screen":
                thread.join(5)
                assert not thread.is_alive()


def test_a_stream_that_is_no_longer_read_is_no_error() -> None:
    with stderr_in_a_pipe() as (reading, stream):
        os.dup2(os.open(os.devnull, os.O_RDONLY), reading)  # whoever read it is gone
        with open_screen():
            for number in range(100):
                sys.stderr.write(f"{number}\n")
        assert sys.stderr is stream


def test_what_is_no_file_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for stream in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stderr", stream)
        with open_screen():
            assert sys.stderr is stream


def test_a_terminal_that_would_block_is_tried_again_now_and_then() -> None:
    """As one that another program, which shares it, has made non-blocking."""
    written: list[bytes] = []
    attempts = 0

    def write_some(data: bytes) -> int | None:
        nonlocal attempts
        attempts += 1
        if attempts < 4:
            return None
        written.append(data)
        return len(data)

    began_at = time.monotonic()
    stream = ThreadedStream(write_some, encoding="utf-8", errors="strict", most_waiting=10)
    stream.write("text")
    assert stream.finish()
    assert written == [b"text"]
    assert time.monotonic() - began_at > 0.1, "it does not try without a pause"
