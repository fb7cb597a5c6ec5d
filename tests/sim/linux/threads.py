"""Programs that look at time, threads and what they are told of themselves."""

from __future__ import annotations

import datetime
import gc
import logging
import math
import os
import queue
import random
import signal
import time
import uuid
from collections.abc import Callable

import trio

from tests.sim.linux.observe import Observer


async def clocks(o: Observer) -> None:
    record = logging.makeLogRecord({})
    for label, call in (
        ("zone", lambda: time.localtime(0).tm_zone is not None),
        ("dates agree", lambda: abs(datetime.datetime.now().timestamp() - time.time()) < 2),
        ("seconds of a fresh record", lambda: abs(record.created - time.time()) < 60),
        ("relative time of a record", lambda: record.relativeCreated >= 0),
        ("garbage is collected", gc.isenabled),
        ("TZ", _zone),
    ):
        await o.see(label, call)


def _zone() -> tuple[int, str]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "XYZ-9"
    time.tzset()
    try:
        return time.localtime(0).tm_hour, time.strftime("%Z", time.localtime(0))
    finally:
        if before is None:
            del os.environ["TZ"]
        else:
            os.environ["TZ"] = before
        time.tzset()


async def calls_in_threads(o: Observer) -> None:
    run = trio.to_thread.run_sync
    loop = trio.from_thread
    await o.see("result", run, lambda: 7)
    await o.see("error", run, lambda: 1 // 0)
    await o.see("back in the loop", run, lambda: loop.run_sync(lambda: 8))
    await o.see("await in the loop", run, lambda: loop.run(trio.sleep, 0))
    await o.see("cancelled?", run, loop.check_cancelled)
    await o.see("no loop there", run, lambda: _error(trio.current_time))
    await o.see("no thread here", lambda: _error(loop.run_sync, print))
    for abandons in (False, True):
        with trio.move_on_after(0.05) as scope:
            await run(time.sleep, 0.2, abandon_on_cancel=abandons)
        seen = scope.cancelled_caught
        await o.see(f"cancelled, abandoning: {abandons}", lambda seen=seen: seen)
    began = trio.current_time()
    time.sleep(0.1)
    await o.see("the loop stands still", lambda: 0.09 < trio.current_time() - began < 0.6)
    await o.see("queue", lambda: _queue().get())
    await o.see("tokens", lambda: trio.to_thread.current_default_thread_limiter().total_tokens)


def _error(call: object, *args: object) -> str:
    try:
        call(*args)  # type: ignore[operator]
    except RuntimeError:
        return "RuntimeError"
    return "nothing"


def _queue() -> queue.Queue[int]:
    made = queue.Queue[int]()
    made.put(1)
    return made


async def signals(o: Observer) -> None:
    """What a process is told of signals, and those that it sends itself."""
    got: list[object] = []

    def note(number: int, frame: object) -> None:
        got.append(type(number).__name__)

    for label, call in (
        ("before", lambda: signal.getsignal(signal.SIGUSR1)),
        ("of pipes", lambda: signal.getsignal(signal.SIGPIPE)),
        ("handled", lambda: signal.signal(signal.SIGUSR1, note)),
        ("raised", lambda: _after(lambda: signal.raise_signal(signal.SIGUSR1), got.copy)),
        ("sent", lambda: _after(lambda: os.kill(os.getpid(), signal.SIGUSR1), got.copy)),
        ("nothing sent", lambda: os.kill(os.getpid(), 0)),
        ("to nobody", lambda: os.kill(2**22 - 7, 0)),
        ("SIGKILL is not handled", lambda: signal.signal(signal.SIGKILL, note)),
        ("no such signal", lambda: signal.signal(999, note)),
        ("no such signal to ask for", lambda: signal.getsignal(0)),
        ("no handler", lambda: signal.signal(signal.SIGUSR1, 5)),
        ("harmless", lambda: signal.raise_signal(signal.SIGCHLD)),
        ("ignored", lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN) is note),
        ("ignored when raised", lambda: signal.raise_signal(signal.SIGUSR1)),
        ("by default", lambda: signal.signal(signal.SIGUSR1, signal.SIG_DFL)),
    ):
        await o.see(label, call)


def _after(first: Callable[[], object], then: Callable[[], object]) -> object:
    first()
    time.sleep(0)
    return then()


async def lengths_of_time(o: Observer) -> None:
    """Sleeps and clocks that there are not."""
    for label, length in (
        *(("negative", -1), ("nothing", 0), ("not a number", math.nan), ("too long", 1e20)),
        *(("infinite", math.inf), ("text", "1")),
    ):
        await o.see(f"sleep: {label}", time.sleep, length)
    await o.see("no such clock", time.clock_gettime, 77)
    await o.see("sleep to the end of time", trio.sleep, 1e20)
    await o.see("time that is over", trio.sleep_until, trio.current_time() - 1)


async def seeded_randomness(o: Observer) -> None:
    """What a program draws after it has seeded `random` itself is the same everywhere."""
    for seed in (7, "text", 2.5):
        random.seed(seed)
        await o.see(f"floats after {seed!r}", lambda: [random.random() for _ in range(3)])
        await o.see(f"others after {seed!r}", lambda: (random.randint(1, 9), random.choice("abc")))
    state = random.getstate()
    first = random.sample(range(9), 3)
    random.setstate(state)
    await o.see("drawn again", lambda: random.sample(range(9), 3) == first)
    await o.see("bytes", lambda: random.randbytes(3))
    await o.see("normal", lambda: round(random.gauss(0, 1), 9))
    random.seed(1)
    await o.see("names are drawn elsewhere", lambda: uuid.uuid4() != uuid.uuid4())
    await o.see("and leave the seed alone", random.random)
    random.seed()


CASES = [clocks, calls_in_threads, signals, lengths_of_time, seeded_randomness]
