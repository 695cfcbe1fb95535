"""What each test may do: one that is not marked `process` is `pure`, and can start no process and open no socket."""

import gc
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import coverage
import hypothesis
import pytest

_FORBIDDEN = {
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.system",
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.sendto",
    "subprocess.Popen",
}
_pure_running: list[pytest.Item] = []
_FOLDER = Path(__file__).parent

# How long an example takes depends on what else the machine does: that is no property of the program.
hypothesis.settings.register_profile("tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("tests")


def _refuse_processes_and_sockets(event: str, _arguments: tuple[object, ...]) -> None:
    if _pure_running and event in _FORBIDDEN:
        pytest.fail(f"{event} in a test that is not marked `process`", pytrace=False)


# A proxy of the developer's environment is for no test, nor for a process that a test starts.
for _name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[_name]

# Nor is what the developer has logged in to.
os.environ["XDG_CONFIG_HOME"] = f"{tempfile.gettempdir()}/pulsoid-rec-tests-no-such-folder"

sys.addaudithook(_refuse_processes_and_sockets)

# What is loaded to collect the tests stays to the end: to look through it for garbage takes a quarter of that time. The
# tests' own is collected as rarely as in a command.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(50_000)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("process") is None:
            item.add_marker("pure")
    # Those of the whole program, which take longest, first: at the end all workers have short ones left to share, and
    # one alone starts what a file needs.
    items.sort(key=lambda item: item.path.parent != _FOLDER)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _pure_running[:] = [item] if item.get_closest_marker("pure") else []
    try:
        with ExitStack() as stack:
            if item.get_closest_marker("slow"):
                stack.enter_context(_unmeasured())
            if item.get_closest_marker("slow") or item.get_closest_marker("unmeasured"):
                stack.enter_context(_processes_unmeasured())
            return (yield)
    finally:
        _pure_running.clear()


@contextmanager
def _unmeasured() -> Iterator[None]:
    """Measure no coverage here: it takes half as long again, and adds no line."""
    measuring = coverage.Coverage.current()
    if measuring is not None:
        measuring.stop()
    try:
        yield
    finally:
        if measuring is not None:
            measuring.start()


@contextmanager
def _processes_unmeasured() -> Iterator[None]:
    """Measure none in processes that are started: each takes a quarter of a second of computing time less."""
    variables = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith("COVERAGE_PROCESS")}
    try:
        yield
    finally:
        os.environ.update(variables)
