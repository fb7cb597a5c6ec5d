"""Whether a workload is what it must be: each part of its kind, each function callable as it will be called.

A mistake in a workload is told before anything runs, in a sentence that begins with the user's line.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from ostrakon.harness.history.suggestion import suggestion
from ostrakon.harness.plan import BadPlan, Plan, is_name, mistyped, require_sense
from ostrakon.harness.substrates.runtime import RUNTIMES
from ostrakon.harness.user_code import at
from ostrakon.harness.workload import Leeway, Quiescence, SeededBug, Site, Vocabulary, Workload


class BadWorkload(BadPlan):
    """A workload is not what it must be; the message says which part, where it is and what would be right."""


_FUNCTIONS = {
    "program": ("site",),
    "connect": ("site", "process"),
    "generator": ("plan", "rng"),
    "check": ("plan", "history", "trace"),
    "final": ("plan", "rng"),
    "model": ("resolved", "folder"),
    "watch": ("plan",),
    "describe": ("message",),
    "shared": ("plan", "site"),
    "option_problems": ("options",),
}
"""The parts of a workload that are functions, each with the arguments that it is called with."""
_OPTIONAL = frozenset(("final", "model", "watch", "describe", "shared", "option_problems"))
_INSTANCES: dict[str, type] = {"quiescence": Quiescence, "leeway": Leeway, "vocabulary": Vocabulary}
"""The parts that are None or of a class."""


def require_workload(workload: Workload) -> None:
    """Nothing, if every part of the workload is of the kind that it must be.

    Raises: BadWorkload, naming all that are not.
    """
    if not isinstance(workload, Workload):
        raise BadWorkload(
            f"{workload!r} is a {type(workload).__name__}; expected a Workload or the name of one"
        )
    if problems := list(_problems(workload)):
        raise BadWorkload(at(workload.place, f"the workload {workload.name!r}: {'; '.join(problems)}"))


def started(workload: Workload, site: Site) -> Awaitable[None]:
    """What a node of the workload awaits. Raises: BadWorkload, if the program is no async function."""
    running = workload.program(site)
    if running is None and workload.node_loop != "trio":
        return _nothing()  # An ordinary function for asyncio, whose `asyncio.run` is over.
    if not inspect.isawaitable(running):
        if inspect.isasyncgen(running):
            told = "an async generator: it must not contain `yield`"
        else:
            told = f"{running!r}, which cannot be awaited: make it `async def`, or return its coroutine"
        raise BadWorkload(f"program(site) of the workload {workload.name!r} returned {told}")
    return running


async def _nothing() -> None:
    pass


def misfit(function: Callable[..., Any], name: str, parameters: tuple[str, ...]) -> str:
    """What is wrong with a function that is to be called with these positional arguments; empty if nothing.

    Example: `misfit(serve, "program", ("site",))`.
    """
    try:
        return _misfit(function, name, parameters)
    except TypeError:  # It cannot be hashed.
        return _misfit.__wrapped__(function, name, parameters)


@lru_cache(maxsize=256)
def _misfit(function: Callable[..., Any], name: str, parameters: tuple[str, ...]) -> str:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # Of some builtins nothing is known.
        return ""
    try:
        signature.bind(*parameters)
    except TypeError:
        shown = getattr(function, "__name__", type(function).__name__).replace("<lambda>", "lambda")
        return (
            f"{name} is called as {name}({', '.join(parameters)}), and what was given takes {shown}"
            f"{signature.replace(return_annotation=signature.empty)}"
        )
    return ""


def _problems(workload: Workload) -> Iterator[str]:
    if not is_name(workload.name):
        yield (
            f"name is {workload.name!r}, expected letters, digits, '-', '_' and '.', the first a letter or "
            "digit: a folder of the store has this name"
        )
    for part, parameters in _FUNCTIONS.items():
        value = getattr(workload, part)
        if value is None and part in _OPTIONAL:
            continue
        if not callable(value):
            yield f"{part} is {value!r}, expected a function: {part}({', '.join(parameters)})"
        elif problem := misfit(value, part, parameters):
            yield problem
    yield from _wrong_values(workload)
    yield from _wrong_defaults(workload)
    for part in ("runtime", "client_runtime"):
        if (value := getattr(workload, part)) not in (None, *RUNTIMES):
            yield f"{part} is {value!r}; {suggestion(str(value), RUNTIMES)}"


def _wrong_values(workload: Workload) -> Iterator[str]:
    for part in ("timeout_s", "busy_s", "steady_s"):
        value = getattr(workload, part)
        if not (part == "steady_s" and value is None) and not (_is_number(value) and value > 0):
            yield f"{part} is {value!r}, expected seconds, more than 0"
    for part in ("shared", "datagrams"):
        if getattr(workload, part) and not workload.is_live_only:
            yield f"{part} is for workloads with is_live_only: a simulation does not have it"
    if workload.datagrams and workload.framing is None:
        yield "datagrams needs a framing, by which the messages of a connection are told apart"
    if not isinstance(workload.about, str):
        yield f"about is {workload.about!r}, expected a sentence"
    for part, kind in _INSTANCES.items():
        if (value := getattr(workload, part)) is not None and not isinstance(value, kind):
            yield f"{part} is {value!r}, expected a {kind.__name__}"
    if (framing := workload.framing) is not None and not callable(getattr(framing, "splitter", None)):
        yield f"framing is {framing!r}, expected one such as LengthPrefixed()"
    for part, (is_value, told) in _MAPPINGS.items():
        value = getattr(workload, part)
        if not isinstance(value, Mapping):
            yield f"{part} is {value!r}, expected a dict of {told} by name"
            continue
        for name, each in value.items():
            if not isinstance(name, str) or not is_value(each):
                yield f"{part} has {name!r}: {each!r}, expected {told} by name"
    for part in ("points", "detects"):
        if not isinstance(value := getattr(workload, part), tuple | list):
            yield f"{part} is {value!r}, expected a tuple"
        else:
            is_right, told = _ELEMENTS[part]
            yield from (f"{part} has {each!r}, expected {told}" for each in value if not is_right(each))


def _wrong_defaults(workload: Workload) -> Iterator[str]:
    if not isinstance(defaults := workload.defaults, Mapping):
        yield f"defaults is {defaults!r}, expected a dict of fields of a plan, such as {{'nodes': 3}}"
        return
    fields = Plan.__struct_fields__
    unknown = [name for name in defaults if name not in fields]
    for name in unknown:
        yield f"defaults has {name!r}, which is no field of a plan; {suggestion(str(name), fields)}"
    if wrong := [f"defaults: {problem}" for problem in mistyped(defaults)]:
        yield from wrong
    elif not unknown and is_name(workload.name):
        try:
            require_sense(Plan(**{"workload": workload.name, "seed": 0, **defaults}))
        except BadPlan as error:
            yield f"defaults: {error}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_bug(value: object) -> bool:
    return isinstance(value, SeededBug)


_MAPPINGS: dict[str, tuple[Callable[[object], bool], str]] = {
    "bugs": (_is_bug, "SeededBug"),
    "options": (_is_text, "a text, what the option means,"),
    "targets": (callable, "functions of events and nodes"),
}
_ELEMENTS: dict[str, tuple[Callable[[object], bool], str]] = {
    "points": (_is_text, "the name of a branch"),
    "detects": (_is_error, "a class of errors"),
}
