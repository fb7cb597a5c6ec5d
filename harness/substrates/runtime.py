"""Which event loop a program is written for.

**The rule.** The nearest code that names asyncio or Trio decides: the program's own first, then that of the
functions and classes which it refers to, then what those refer to, and so on, but for installed packages. If
none of it names either, the imports of the program's module decide: asyncio if it has that and not Trio, else
Trio. Where asyncio and Trio are named equally near, it has to be said.

    async def node() -> None:            # asyncio: `asyncio.start_server` is asyncio's
        server = await asyncio.start_server(serve, "0.0.0.0", 4000)
        await server.serve_forever()
"""

from __future__ import annotations

import functools
import inspect
import os
import sys
import sysconfig
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Literal
from weakref import WeakKeyDictionary

Runtime = Literal["trio", "asyncio", "asyncio-shuffle"]
"""`asyncio-shuffle` is asyncio with the tasks of a pass in an order that the schedule chooses."""
RUNTIMES: tuple[Runtime, ...] = ("trio", "asyncio", "asyncio-shuffle")
_LIBRARIES = ("trio", "asyncio")
_LOOKED_AT_MOST = 1000
"""How many functions, classes and values are looked at before it is given up."""
_INSTALLED = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "purelib", "platlib")})


class UnknownRuntime(ValueError):
    """It cannot be told which event loop a program is written for."""


def runtime_of(program: Any) -> Runtime:
    """The event loop that a program is written for, by its code.

    Raises: UnknownRuntime if it names both asyncio and Trio.
    """
    function = _function(program)
    if function is None:
        return "trio"
    if (known := _known.get(function)) is not None:
        return known
    owner = _owner(program)
    named = _named_by([function] if owner is None else [function, owner])
    if not named:
        imported = {_library(value) for value in function.__globals__.values()}
        named = {"asyncio"} if "asyncio" in imported and "trio" not in imported else set()
    if len(named) > 1:
        raise UnknownRuntime(
            f"{function.__module__}.{function.__qualname__}, or what it calls, names both asyncio and trio: "
            'say runtime="asyncio" or runtime="trio" for the one that it runs on'
        )
    runtime = _known[function] = "asyncio" if "asyncio" in named else "trio"
    return runtime


_known: WeakKeyDictionary[FunctionType, Runtime] = WeakKeyDictionary()


def _owner(program: Any) -> type | None:
    """The class of the object that a program is a method of, or that is the program."""
    while isinstance(program, functools.partial):
        program = program.func
    if isinstance(program, MethodType):
        program = program.__self__
    return None if isinstance(program, FunctionType | type) else type(program)


def _function(program: Any) -> FunctionType | None:
    """The function behind partials, bound methods, decorators and objects that can be called."""
    while isinstance(program, functools.partial):
        program = program.func
    if isinstance(program, MethodType):
        program = program.__func__
    elif not isinstance(program, FunctionType | type):
        program = type(program).__call__ if callable(program) else None
    program = inspect.unwrap(program) if program is not None else None
    return program if isinstance(program, FunctionType) else None


def _named_by(ahead: list[Any]) -> set[str]:
    """The libraries that the nearest code names which names any: of these, or of what they refer to."""
    seen: dict[int, Any] = {}
    while ahead and len(seen) < _LOOKED_AT_MOST:
        seen.update((id(value), value) for value in ahead)
        referred = [value for one in ahead for value in _referred_to(one)]
        if found := {library for value in referred if (library := _library(value))}:
            return found
        further = {id(value): value for value in referred if id(value) not in seen and _is_followed(value)}
        ahead = list(further.values())
    return set()


def _is_followed(value: Any) -> bool:
    """Whether it is code that may be somebody's program, and not a package that programs use."""
    module = sys.modules.get(str(getattr(value, "__module__", None)))
    file = getattr(module, "__file__", None)
    return file is not None and not file.startswith(_INSTALLED)


def _referred_to(value: Any) -> Iterator[Any]:
    if isinstance(value, type):
        yield from vars(value).values()
    elif (function := _function(value)) is not None:
        names = set(_names(function.__code__))
        yield from (function.__globals__[name] for name in sorted(names & function.__globals__.keys()))
        for cell in function.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:
                continue  # Not assigned yet.


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _library(value: Any) -> str | None:
    """The library that a module is, or that a function or class belongs to."""
    name = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None)
    if not isinstance(name, str):
        return None
    package = name.partition(".")[0].removeprefix("_")  # Its part in C is `_asyncio`.
    return package if package in _LIBRARIES else None
