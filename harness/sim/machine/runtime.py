"""Which event loop a program is written for.

**The rule.** A program is for asyncio if its own code names asyncio and not Trio: the function, those of its
module that it calls, and the classes there that it makes. What names both has to be told. If none of that
names either, it is for asyncio if its module has imported asyncio and not Trio, and runs on Trio else.

    async def node() -> None:            # asyncio: `asyncio.start_server` is asyncio's
        server = await asyncio.start_server(serve, "0.0.0.0", 4000)
        await server.serve_forever()
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Literal
from weakref import WeakKeyDictionary

from ostrakon.harness.sim.kernel.errors import SimulationError

Runtime = Literal["trio", "asyncio", "asyncio-shuffle"]
"""`asyncio-shuffle` is asyncio with the tasks of a pass in an order that the schedule chooses."""
RUNTIMES: tuple[Runtime, ...] = ("trio", "asyncio", "asyncio-shuffle")
_LIBRARIES = ("trio", "asyncio")


class UnknownRuntime(SimulationError):
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
    named = _named_by(function, [function] if owner is None else [function, owner])
    if not named:
        imported = {_library(value) for value in function.__globals__.values()}
        named = {"asyncio"} if "asyncio" in imported and "trio" not in imported else set()
    if len(named) > 1:
        raise UnknownRuntime(
            f"{function.__module__}.{function.__qualname__}, or what it calls there, names both asyncio and "
            'trio, so it cannot be told which of them it runs on: say runtime="asyncio" or runtime="trio"'
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


def _named_by(function: FunctionType, ahead: list[Any]) -> set[str]:
    """The libraries that this code names, and that of the function's module which it refers to."""
    seen: list[Any] = []
    found: set[str] = set()
    while ahead:
        value = ahead.pop()
        if any(value is one for one in seen):
            continue
        seen.append(value)
        library = _library(value)
        if library:
            found.add(library)
        elif getattr(value, "__module__", None) == function.__module__:
            ahead.extend(_referred_to(value))
    return found


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
