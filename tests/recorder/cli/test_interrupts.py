"""Ctrl-C is not lost before trio listens, even where Python ignores it, and tears no module that is being loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

LOSE_ONE = """
import signal, sys, weakref
from pulsoid_rec.recorder.cli.interrupts import note_interrupts, run_in_trio

class Thing:
    pass

async def go_on(answer):
    print("went on")
    return answer

if "noted" in sys.argv:
    note_interrupts()
thing = Thing()
reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT) if "lost" in sys.argv else None)
del thing
try:
    print(run_in_trio(go_on, 42))
except KeyboardInterrupt:
    print("interrupted")
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
"""


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["noted", "lost"], "interrupted\n"),
        (["noted"], "went on\n42\n"),
        (["lost"], "went on\n42\n"),  # as Python has it by itself: the reason for all this
    ],
)
def test_an_interrupt_that_python_ignores_ends_the_command_before_trio(arguments: list[str], printed: str) -> None:
    done = subprocess.run([sys.executable, "-c", LOSE_ONE, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout == printed
    assert ("Exception ignored" in done.stderr) == ("lost" in arguments)


TERMINATE_IN_A_THREAD = """
import os, signal, sys, time, trio
from pulsoid_rec.recorder.cli.interrupts import note_interrupts, run_in_trio

def terminate():
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(120)

async def go_on():
    await trio.to_thread.run_sync(terminate, abandon_on_cancel=True)
    print("went on")

note_interrupts()
note_interrupts(signal.SIGTERM)
try:
    run_in_trio(go_on)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that can be handled")
def test_a_termination_while_trio_waits_for_a_thread_ends_the_command_at_once() -> None:
    command = [sys.executable, "-c", TERMINATE_IN_A_THREAD]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "interrupted\n"
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT that is ignored from outside")
def test_an_interrupt_that_is_ignored_stays_so() -> None:
    """As of what runs in the background of a shell's script."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "from pulsoid_rec.recorder.cli.interrupts import note_interrupts; note_interrupts()\n"
        "signal.raise_signal(signal.SIGINT); print('goes on')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "goes on\n"


LOAD_SLOWLY = """
import signal, sys, time
from pulsoid_rec.recorder.cli.interrupts import note_interrupts, run_in_trio

async def go_on():
    print("went on")

note_interrupts()
try:
    import slow_to_load
    if "trio" in sys.argv:
        run_in_trio(go_on)
    for _ in range(6000):
        time.sleep(0.02)  # one that comes from a thread ends no sleep
    print("went on")
except KeyboardInterrupt:
    print("interrupted")
time.sleep(0.2)  # and not a second time
"""


@pytest.mark.parametrize("then", ["trio", "other"])
def test_an_interrupt_waits_until_a_module_is_loaded(tmp_path: Path, then: str) -> None:
    module = tmp_path / "slow_to_load.py"
    module.write_text("import signal; signal.raise_signal(signal.SIGINT); print('loaded')", encoding="utf-8")
    command = [sys.executable, "-c", LOAD_SLOWLY, then]
    paths = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": paths}, timeout=60
    )
    assert done.stdout == "loaded\ninterrupted\n"
    assert done.stderr == ""
