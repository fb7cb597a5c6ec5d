"""Clocks of processes of this machine, set while they run."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ostrakon.harness.hosts.clock import HostClock, NoClocks, encoded, patched, require_clocks

_TELL = """
import ctypes, struct, sys, time
libc = ctypes.CDLL(None)
libc.time.restype = ctypes.c_long
for _ in sys.stdin:
    timeval = ctypes.create_string_buffer(16)
    libc.gettimeofday(timeval, None)
    kept = ctypes.c_long()
    libc.time(ctypes.byref(kept))
    seconds, microseconds = struct.unpack('qq', timeval)
    told = time.time(), seconds + microseconds / 1e6, libc.time(None), kept.value, time.monotonic()
    print(*map(repr, told), flush=True)
"""


def _why_not() -> str:
    try:
        require_clocks()
    except NoClocks as error:
        return str(error)
    return ""


needs_clocks = pytest.mark.skipif(
    sys.platform != "linux" or bool(why := _why_not()), reason="clocks of processes cannot be set here"
)


@contextmanager
def a_process() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _TELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def told(process: subprocess.Popen[str]) -> list[float]:
    """What the process reads: the wall clock by four functions, and the monotonic clock."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    return [float(word) for word in process.stdout.readline().split()]


@needs_clocks
@pytest.mark.parametrize("seconds", [3600.5, -60.25, 0.75, -0.001])
def test_a_process_reads_a_wall_clock_that_was_set_and_is_set_right_again(seconds: float) -> None:
    with a_process() as process:
        told(process)
        clock = HostClock(lambda: [process.pid], lambda: False)
        clock.step(seconds)
        before, monotonic = time.time(), time.monotonic()
        *walls, steady = told(process)
        after = time.time()
        clock.step(-seconds)
        *right, _ = told(process)

    assert all(before + seconds - 1 <= wall <= after + seconds for wall in walls)
    assert all(before + seconds - 1e-5 <= wall for wall in walls[:2]), "these tell fractions"
    assert monotonic <= steady <= time.monotonic(), "the monotonic clock is left alone"
    assert all(before - 1 <= wall <= time.time() for wall in right)


@needs_clocks
def test_a_process_that_reads_the_clock_all_the_time_survives_many_jumps() -> None:
    program = "import time\nwhile True: time.time(); time.time_ns(); time.monotonic()"
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        clock = HostClock(lambda: [process.pid], lambda: False)
        for _ in range(50):
            clock.step(1.5)
            clock.step(-1.5)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


@needs_clocks
def test_a_process_that_starts_while_the_clock_is_off_follows() -> None:
    pids: list[int] = []
    clock = HostClock(lambda: pids, lambda: False)
    clock.step(100.0)
    with a_process() as process:
        told(process)
        pids.append(process.pid)
        clock.follow()

        assert told(process)[0] == pytest.approx(time.time() + 100, abs=5)


def test_only_a_time_that_is_nearer_to_the_clock_that_was_set_counts() -> None:
    clock = HostClock(list, lambda: False)
    clock.step(10.0)
    for seconds in (0.0, 4.0, 6.0, 10.0):
        clock.compare(1000.0 + seconds, 999.9, 1000.1, 1.0)
    assert clock.wall_readings == 2

    clock.step(-9.5)
    clock.compare(1000.5, 1000.0, 1000.0, 1.0)
    assert clock.wall_readings == 2, "half a second cannot be told by a clock of seconds"
    clock.compare(1000.5, 999.7, 1000.3, 0.001)
    assert clock.wall_readings == 2, "nor by an answer that took longer"


def test_an_offset_is_whole_seconds_and_nanoseconds_from_zero_on() -> None:
    assert encoded(-1) == (-1).to_bytes(8, "little", signed=True) + (999_999_999).to_bytes(8, "little")


def test_an_image_without_the_functions_is_refused() -> None:
    image = bytearray(4096)
    image[32:40] = (64).to_bytes(8, "little")
    image[56] = 1
    image[64:80] = (2).to_bytes(8, "little") + (256).to_bytes(8, "little")
    dynamic = [(6, 512), (5, 512), (0, 0)]
    for number, (tag, value) in enumerate(dynamic):
        at = 256 + 16 * number
        image[at : at + 16] = tag.to_bytes(8, "little") + value.to_bytes(8, "little")

    with pytest.raises(NoClocks, match="has no __vdso_clock_gettime"):
        patched(bytes(image))
