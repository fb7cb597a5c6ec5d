"""Replacements of asyncio's functions in a simulated process.

Some functions choose an order by address, make a second event loop, or leave something behind for other
loops. Those of streams are replaced by equal ones that take fewer steps where the data have arrived already.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import events, tasks
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ostrakon.harness.sim.kernel.errors import refuse
from ostrakon.harness.sim.runtimes.asyncio.loop import SimulatedTransport

_Reader: Any = asyncio.StreamReader
_Protocol: Any = asyncio.StreamReaderProtocol
_usual_readline: Any = asyncio.StreamReader.readline
_usual_drain: Any = asyncio.StreamWriter.drain


async def readline(reader: Any) -> bytes:
    """`StreamReader.readline`."""
    buffer, seen = reader._buffer, 0
    while type(reader) is _Reader and reader._exception is None:
        end = buffer.find(b"\n", seen)
        if end > reader._limit or (end < 0 and (reader._eof or len(buffer) > reader._limit)):
            break
        if end >= 0:
            line = bytes(buffer[: end + 1])
            del buffer[: end + 1]
            if reader._paused:
                reader._maybe_resume_transport()
            return line
        seen = len(buffer)
        await reader._wait_for_data("readuntil")
    rest: bytes = await _usual_readline(reader)
    return rest


async def drain(writer: Any) -> None:
    """`StreamWriter.drain`."""
    transport, protocol, reader = writer._transport, writer._protocol, writer._reader
    if (
        type(transport) is not SimulatedTransport
        or transport._closing
        or type(protocol) is not _Protocol
        or protocol._paused
        or protocol._connection_lost
        or (reader is not None and reader._exception is not None)
    ):
        await _usual_drain(writer)


def shortcuts() -> Iterator[tuple[Any, str, Any]]:
    """The functions and their replacements."""
    for owner, name, usual, ours in (
        (asyncio.StreamReader, "readline", _usual_readline, readline),
        (asyncio.StreamWriter, "drain", _usual_drain, drain),
    ):
        shortcut: Any = ours
        # Tasks are called after the functions that they run, so these keep their names.
        shortcut.__qualname__, shortcut.__module__ = usual.__qualname__, usual.__module__
        yield owner, name, shortcut


_EVENTS: Any = events
_TASKS: Any = tasks
_ON_TRIO = 'it runs Trio; start it with runtime="asyncio" if its program is for asyncio'
_OTHER_LOOPS: tuple[tuple[str, str], ...] = (
    ("uvloop", "install"),
    ("uvloop", "run"),
    ("uvloop", "new_event_loop"),
    ("nest_asyncio", "apply"),
    ("nest_asyncio2", "apply"),
)
"""Functions of packages that put something else in the place of asyncio's own event loop."""


def replacements(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """The replacements; `sandbox.py` installs them."""
    for name, ours in _STAND_INS.items():
        for owner in (asyncio, tasks, events):
            if (real := vars(owner).get(name)) is not None:
                yield owner, name, simulated(real, ours)
    yield from shortcuts()


def other_loops(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """The replacements that refuse other event loops, if their packages are imported."""
    for package, name in _OTHER_LOOPS:
        module = sys.modules.get(package)
        if module is not None and hasattr(module, name):
            yield module, name, simulated(getattr(module, name), _refusal_of(f"{package}.{name}()"))


@contextmanager
def outer_loop_aside() -> Iterator[None]:
    """While the body runs, whoever runs the world from within an event loop of its own is not to be seen."""
    loop = _EVENTS._get_running_loop()
    if loop is None:
        yield
        return
    task = asyncio.current_task(loop)
    if task is not None:
        _TASKS._leave_task(loop, task)
    _EVENTS._set_running_loop(None)
    try:
        yield
    finally:
        _EVENTS._set_running_loop(loop)
        if task is not None:
            _TASKS._enter_task(loop, task)


# Not as names of this module: there they would be replaced, as in every module that has imported them.
_REAL: dict[str, Callable[..., Any]] = {"all_tasks": tasks.all_tasks, "as_completed": tasks.as_completed}


def _ordered_tasks(process: Any, loop: Any = None) -> set[Any]:
    """`all_tasks`, as a set that is filled from the oldest task to the newest: so it has one order."""
    ordered = dict.fromkeys(sorted(_REAL["all_tasks"](loop), key=hash))
    return set(ordered)


def _in_order_as_completed(process: Any, fs: Iterable[Any], **options: Any) -> Any:
    """`as_completed`, which starts coroutines in the order of their addresses."""
    if not isinstance(fs, Iterable) or asyncio.isfuture(fs) or asyncio.iscoroutine(fs):
        return _REAL["as_completed"](fs, **options)  # It says what is wrong.
    return _REAL["as_completed"]([asyncio.ensure_future(one) for one in dict.fromkeys(fs)], **options)


def _new_event_loop(process: Any) -> Any:
    if process.event_loop is None:
        refuse(process, "asyncio in a process that runs Trio", _ON_TRIO)
    return process.new_event_loop()


def _set_event_loop(process: Any, loop: Any) -> None:
    """Without effect: inside of a running loop, `get_event_loop` never asks what was set."""


def _refusal_of(called: str) -> Callable[..., Any]:
    return lambda process, *_, **__: refuse(process, called, "use asyncio's own event loop, as it is")


_STAND_INS: dict[str, Callable[..., Any]] = {
    "all_tasks": _ordered_tasks,
    "as_completed": _in_order_as_completed,
    "new_event_loop": _new_event_loop,
    "set_event_loop": _set_event_loop,
}
