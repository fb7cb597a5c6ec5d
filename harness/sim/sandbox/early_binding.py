"""Functions that modules took by name before the simulation began: `from time import monotonic`, and dates.

Replacing `time.monotonic` does not reach a module that holds on to the function itself, and replacing
anything in `datetime` does not reach the classes, which are written in C. Both are found and replaced here.
"""

from __future__ import annotations

import ctypes
import datetime
import functools
import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ostrakon.harness.sim.sandbox.patches import Patch


def bound_early(patches: tuple[Patch, ...]) -> Iterator[Patch]:
    """The same in every other module that has imported one of these functions by name.

    To be asked while the real ones are in place.
    """
    real = ((vars(owner).get(name), patch) for owner, name, patch in patches)
    ours = {id(function): patch for function, patch in real if callable(function)}
    owners = {id(owner) for owner, _, _ in patches}
    for module in list(sys.modules.values()):
        attributes = getattr(module, "__dict__", None)
        if id(module) not in owners and isinstance(attributes, dict):
            held = [(name, ours[id(value)]) for name, value in attributes.items() if id(value) in ours]
            yield from ((module, name, patch) for name, patch in held)


@contextmanager
def virtual_dates(wall_time: Callable[[], float | None]) -> Iterator[None]:
    """Let `datetime.now`, `utcnow` and `today` show `wall_time()` in UTC, unless that is None."""
    _put(_virtual(wall_time))
    try:
        yield
    finally:
        _put(_REAL)


@functools.cache
def _virtual(wall_time: Callable[[], float | None]) -> Mapping[str, Any]:
    def now(cls: Any, tz: datetime.tzinfo | None = None) -> Any:
        seconds = wall_time()
        if seconds is None:
            return _REAL["now"].__get__(None, cls)(tz)
        return cls.fromtimestamp(seconds, tz) if tz is not None else _in_utc(cls, seconds)

    def utcnow(cls: Any) -> Any:
        seconds = wall_time()
        return _REAL["utcnow"].__get__(None, cls)() if seconds is None else _in_utc(cls, seconds)

    def today(cls: Any) -> Any:
        seconds = wall_time()
        if seconds is None:
            return _REAL["today"].__get__(None, cls)()
        moment = _in_utc(datetime.datetime, seconds)
        return moment if issubclass(cls, datetime.datetime) else cls(moment.year, moment.month, moment.day)

    return {"now": classmethod(now), "utcnow": classmethod(utcnow), "today": classmethod(today)}


def _in_utc(cls: Any, seconds: float) -> Any:
    return cls.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None)


_OWNERS: Mapping[str, type] = {"now": datetime.datetime, "utcnow": datetime.datetime, "today": datetime.date}
_ATTRIBUTES: Mapping[str, dict[str, Any]] = {
    name: gc.get_referents(vars(owner))[0] for name, owner in _OWNERS.items()
}
"""The dictionaries of classes that are written in C, to which Python code cannot write otherwise."""
_REAL: Mapping[str, Any] = {name: vars(owner)[name] for name, owner in _OWNERS.items()}


_DATE = ctypes.py_object(datetime.date)


def _put(methods: Mapping[str, Any]) -> None:
    for name, method in methods.items():
        _ATTRIBUTES[name][name] = method
    ctypes.pythonapi.PyType_Modified(_DATE)  # And with it all classes below, of which datetime is one.
