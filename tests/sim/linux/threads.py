"""Programs that look at time, threads and what they are told of themselves."""

from __future__ import annotations

import datetime
import gc
import logging
import os
import queue
import time

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


CASES = [clocks, calls_in_threads]
