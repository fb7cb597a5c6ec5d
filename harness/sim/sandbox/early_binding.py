"""Functions that modules took by name before the simulation began: `from time import monotonic`, and dates.

Replacing `time.monotonic` does not reach a module that holds on to the function itself, and replacing
anything in `datetime` does not reach the classes, which are written in C. Both are found and replaced here.
A name that is bound while a world runs is bound to ours, which does as the real one outside of worlds.
"""

from __future__ import annotations

import _threading_local
import ctypes
import datetime
import functools
import gc
import os
import sys
import threading
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import FunctionType
from typing import Any

from ostrakon.harness.sim.sandbox.patches import Patch


def bound_early(patches: Iterable[Patch]) -> Iterator[Patch]:
    """The same patches wherever else a module holds one of the functions that they replace.

    That is by name (`from time import monotonic`), as an attribute of a class, as a default argument, or in a
    closure (`dataclasses.field(default_factory=time.time)`). To be asked while nothing is patched.
    """
    known = list(patches)
    real = ((_attribute(owner, name), patch) for owner, name, patch in known)
    ours = {id(function): patch for function, patch in real if callable(function)}
    owners = {(id(owner), name) for owner, name, _ in known}
    finder = _Finder(ours, owners)
    for module in list(sys.modules.values()):
        name = getattr(module, "__name__", "")
        attributes = getattr(module, "__dict__", None)
        # Python's own machinery for imports must go on reading the real disk, and so must we.
        if isinstance(attributes, dict) and name not in _NEVER and not str(name).startswith(_NEVER_BELOW):
            yield from finder.in_namespace(module, attributes)


_NEVER = frozenset(sys.builtin_module_names) - {"__main__"} | {"zipimport", "_frozen_importlib_external"}
_NEVER_BELOW = ("importlib.", "ostrakon.harness.sim.")
_REAL_LOCAL = threading.local
"""The one that is written in C: its attributes belong to threads of the operating system; see
`started_threads`."""
_OURS = f"{os.sep}harness{os.sep}sim{os.sep}"
_HEAP_TYPE, _IMMUTABLE_TYPE = 1 << 9, 1 << 8
"""Flags of classes: made at run time; immutable."""


class _Finder:
    """Looks for references to functions, in each class and function once."""

    def __init__(self, ours: Mapping[int, Any], owners: Container[tuple[int, str]]) -> None:
        self._ours, self._owners = ours, owners
        self._seen: set[int] = set()
        self._locals: dict[int, _threading_local.local] = {}

    def in_namespace(self, owner: Any, attributes: Mapping[str, Any]) -> Iterator[Patch]:
        """Search a module or a class, except for the names that are patched anyway."""
        ours = self._ours
        for name, value in list(attributes.items()):
            inner = value.__func__ if isinstance(value, staticmethod | classmethod) else value
            if id(inner) in ours and (id(owner), name) not in self._owners:
                patch = ours[id(inner)]
                yield owner, name, patch if inner is value else type(value)(patch)
            elif isinstance(inner, FunctionType):
                yield from self._in_function(inner)
            elif type(value) is _REAL_LOCAL:
                yield owner, name, self._locals.setdefault(id(value), _threading_local.local())
            elif isinstance(value, type) and id(value) not in self._seen:
                self._seen.add(id(value))
                if value.__flags__ & _HEAP_TYPE and not value.__flags__ & _IMMUTABLE_TYPE:
                    yield from self.in_namespace(value, vars(value))

    def _in_function(self, function: FunctionType) -> Iterator[Patch]:
        if id(function) in self._seen or _OURS in function.__code__.co_filename:
            return  # Ours hold the real functions on purpose.
        self._seen.add(id(function))
        ours = self._ours
        if (defaults := function.__defaults__) and any(id(value) in ours for value in defaults):
            yield function, "__defaults__", tuple(ours.get(id(value), value) for value in defaults)
        if (named := function.__kwdefaults__) and any(id(value) in ours for value in named.values()):
            yield (
                function,
                "__kwdefaults__",
                {key: ours.get(id(value), value) for key, value in named.items()},
            )
        for cell in function.__closure__ or ():
            try:
                held = cell.cell_contents
            except ValueError:
                continue  # Nothing is in it yet.
            if id(held) in ours:
                yield cell, "cell_contents", ours[id(held)]
            elif isinstance(held, FunctionType):
                yield from self._in_function(held)


def _attribute(owner: Any, name: str) -> Any:
    return vars(owner).get(name) if hasattr(owner, "__dict__") else None


@contextmanager
def virtual_dates(wall_time: Callable[[], float | None]) -> Iterator[None]:
    """Let `datetime.now`, `utcnow` and `today` show `wall_time()`, unless that is None."""
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
        return cls.fromtimestamp(seconds, tz)

    def utcnow(cls: Any) -> Any:
        seconds = wall_time()
        return _REAL["utcnow"].__get__(None, cls)() if seconds is None else _in_utc(cls, seconds)

    def today(cls: Any) -> Any:
        seconds = wall_time()
        if seconds is None:
            return _REAL["today"].__get__(None, cls)()
        moment = datetime.datetime.fromtimestamp(seconds)
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
