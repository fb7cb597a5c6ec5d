"""Functions of asyncio that a simulated process must not meet as they are, and what stands in for them.

They choose an order by address, make a second event loop, or leave something behind for the loops of others.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import events, tasks
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ostrakon.harness.sim.kernel.errors import refuse
from ostrakon.harness.sim.runtimes.asyncio.streams import shortcuts

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
    """What stands in, for `sandbox.py` to install."""
    for name, ours in _STAND_INS.items():
        for owner in (asyncio, tasks, events):
            if (real := vars(owner).get(name)) is not None:
                yield owner, name, simulated(real, ours)
    yield from shortcuts()


def other_loops(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """What refuses the event loops of others, as far as they are imported."""
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
