"""Histories of objects that do as they should, or don't: for tests and benchmarks, of checkers and of users.

Clients take turns at random. What a client asks takes effect at a turn of its own, after the invocation and
before the return; so a history in which nobody lied is linearizable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from ostrakon.harness.history import History, Op

Choose = Callable[[int], int]
"""Chooses a number from 0 up to, but not including, the given one. 0 should be the plainest choice."""

_Request = tuple[str, Any]
_LIKELY: Final = 1000
_REMEMBERED: Final = 8


@dataclass(frozen=True, slots=True)
class Exemplar:
    """An object that does what it should, written down independently of the model it is checked against.

    `ask` makes up a function and an argument; the number it is given is never the same. `answer` takes
    the state, the function and the argument, and gives the state after it and the answer, which is
    REFUSED for a comparison that failed.
    """

    model: str
    initial: Any
    ask: Callable[[Choose, int], _Request]
    answer: Callable[[Any, str, Any], tuple[Any, Any]]


REFUSED: Final = object()
"""The answer to a compare-and-swap that found another value than it expected."""


@dataclass(slots=True)
class _Client:
    process: int
    asked: _Request | None = None
    acts: bool = True
    answer: Any = None
    done: bool = False


def fabricate(
    exemplar: Exemplar,
    choose: Choose,
    *,
    operations: int,
    clients: int,
    unknown: float = 0.0,
    stale: float = 0.0,
    lost: float = 0.0,
    invented: float = 0.0,
) -> History:
    """A history of that many operations, of which some shares go wrong.

    Of `unknown` nothing is heard again, and half of these never happened. `stale` are answered from an
    earlier state; `lost` are answered and then forgotten; `invented` are answered from a state to which
    something was done that nobody has asked for, or not yet.
    """
    ops: list[Op] = []
    staff = [_Client(process) for process in range(clients)]
    state, earlier = exemplar.initial, [exemplar.initial]
    processes, begun = clients, 0

    def happens(share: float) -> bool:
        return share > 0 and choose(_LIKELY) >= _LIKELY * (1 - share)

    def record(client: _Client, kind: Any, value: Any) -> None:
        assert client.asked is not None
        at = len(ops)
        ops.append(Op(at, at * 1000, kind, client.process, client.asked[0], value))

    while begun < operations or any(client.asked for client in staff):
        client = staff[choose(clients)]
        if client.asked is None:
            if begun < operations:
                client.asked, client.done = exemplar.ask(choose, begun), False
                client.acts = not happens(unknown / 2)
                begun += 1
                record(client, "invoke", client.asked[1])
        elif client.acts and not client.done:
            shown = earlier[choose(len(earlier))] if happens(stale) else state
            if happens(invented):
                shown, _ = exemplar.answer(shown, *exemplar.ask(choose, begun + choose(3)))
            _, client.answer = exemplar.answer(shown, *client.asked)
            if not happens(lost):
                state, _ = exemplar.answer(state, *client.asked)
            earlier = [*earlier[-_REMEMBERED:], state] if stale else earlier
            client.done = True
        elif not client.acts or happens(unknown / 2):
            staff[staff.index(client)] = _Client(processes)
            processes += 1
        else:
            refused = client.answer is REFUSED
            record(client, "fail" if refused else "ok", client.asked[1] if refused else client.answer)
            client.asked = None
    return History(ops)


def _register(values: Callable[[Choose, int], Any], *, cas: bool) -> Exemplar:
    def ask(choose: Choose, serial: int) -> _Request:
        match choose(3 if cas else 2):
            case 0:
                return "read", None
            case 1:
                return "write", values(choose, serial)
            case _:
                return "cas", [values(choose, max(serial - choose(4), 0)), values(choose, serial)]

    def answer(state: Any, f: str, argument: Any) -> tuple[Any, Any]:
        match f:
            case "read":
                return state, state
            case "write":
                return argument, argument
            case _:
                return (argument[1], argument) if state == argument[0] else (state, REFUSED)

    return Exemplar("cas-register" if cas else "register", None, ask, answer)


def _keyed(inner: Exemplar, keys: int, model: str) -> Exemplar:
    def ask(choose: Choose, serial: int) -> _Request:
        f, argument = inner.ask(choose, serial)
        return f, [choose(keys), argument]

    def answer(state: Mapping[int, Any], f: str, argument: Any) -> tuple[Any, Any]:
        key, asked = argument
        new, answered = inner.answer(state.get(key, inner.initial), f, asked)
        return {**state, key: new}, REFUSED if answered is REFUSED else [key, answered]

    return Exemplar(model, {}, ask, answer)


def _strings(tokens: Callable[[Choose, int], int], form: str = "x{}y") -> Exemplar:
    def ask(choose: Choose, serial: int) -> _Request:
        f = ("get", "append", "append", "put", "get")[choose(5)]
        return f, None if f == "get" else form.format(tokens(choose, serial))

    def answer(state: str, f: str, argument: Any) -> tuple[str, Any]:
        match f:
            case "get":
                return state, state
            case "put":
                return argument, argument
            case _:
                return state + argument, argument

    return Exemplar("kv", "", ask, answer)


def _lists(tokens: Callable[[Choose, int], int]) -> Exemplar:
    def ask(choose: Choose, serial: int) -> _Request:
        return ("append", tokens(choose, serial)) if choose(2) else ("read", None)

    def answer(state: list[int], f: str, argument: Any) -> tuple[list[int], Any]:
        return (state, state) if f == "read" else ([*state, argument], argument)

    return Exemplar("list-append", [], ask, answer)


def _line(model: str, enter: str, leave: str, at: int, tokens: Callable[[Choose, int], int]) -> Exemplar:
    def ask(choose: Choose, serial: int) -> _Request:
        return (enter, tokens(choose, serial)) if choose(2) else (leave, None)

    def answer(state: list[int], f: str, argument: Any) -> tuple[list[int], Any]:
        if f == enter:
            return [*state, argument], argument
        left = list(state)
        return (left, left.pop(at)) if state else (state, None)

    return Exemplar(model, [], ask, answer)


def _set_answer(state: frozenset[int], f: str, argument: Any) -> tuple[frozenset[int], Any]:
    match f:
        case "add":
            return state | {argument}, argument
        case "remove":
            return state - {argument}, argument
        case "contains":
            return state, argument in state
        case _:
            return state, sorted(state)


def _counter_answer(state: int, f: str, argument: Any) -> tuple[int, Any]:
    return (state, state) if f == "read" else (state + argument, argument)


def _mutex_answer(held: bool, f: str, argument: Any) -> tuple[bool, Any]:
    return (held, REFUSED) if held == (f == "acquire") else (not held, None)


def _few(choose: Choose, serial: int) -> int:
    return choose(5)


def _fresh(choose: Choose, serial: int) -> int:
    return serial


def _mostly_fresh(choose: Choose, serial: int) -> int:
    return serial if choose(8) else choose(3)


def _fs(
    *fs: str, argument: Callable[[Choose], Any] = lambda choose: None
) -> Callable[[Choose, int], _Request]:
    def ask(choose: Choose, serial: int) -> _Request:
        f = fs[choose(len(fs))]
        return f, None if f == "read" else argument(choose)

    return ask


_CAS: Final = _register(_few, cas=True)

EXEMPLARS: Final[Mapping[str, Exemplar]] = MappingProxyType(
    {
        "register": _register(_few, cas=False),
        "register, unique values": _register(_fresh, cas=False),
        "cas-register": _CAS,
        "cas-register, unique values": _register(_fresh, cas=True),
        "cas-register, few values twice": _register(_mostly_fresh, cas=True),
        "keyed-cas-register": _keyed(_CAS, 3, "keyed-cas-register"),
        "kv": _keyed(_strings(_fresh), 3, "kv"),
        "kv, few tokens twice": _keyed(_strings(_mostly_fresh), 2, "kv"),
        "kv, tokens run together": _keyed(_strings(lambda choose, serial: serial // 2, "{:b}"), 2, "kv"),
        "list-append": _keyed(_lists(_fresh), 3, "list-append"),
        "list-append, few elements twice": _keyed(_lists(_mostly_fresh), 2, "list-append"),
        "fifo-queue": _line("fifo-queue", "enqueue", "dequeue", 0, _fresh),
        "fifo-queue, few values twice": _line("fifo-queue", "enqueue", "dequeue", 0, _mostly_fresh),
        "unordered-queue": _line("unordered-queue", "enqueue", "dequeue", -1, _mostly_fresh),
        "stack": _line("stack", "push", "pop", -1, _fresh),
        "stack, few values twice": _line("stack", "push", "pop", -1, _mostly_fresh),
        "set": Exemplar(
            "set",
            frozenset(),
            _fs("contains", "add", "remove", "read", argument=lambda choose: choose(3)),
            _set_answer,
        ),
        "set, no reads": Exemplar(
            "set",
            frozenset(),
            _fs("contains", "add", "remove", argument=lambda choose: choose(3)),
            _set_answer,
        ),
        "counter": Exemplar(
            "counter", 0, _fs("read", "add", argument=lambda choose: 1 + choose(3)), _counter_answer
        ),
        "mutex": Exemplar("mutex", False, _fs("acquire", "release"), _mutex_answer),
    }
)
"""The objects by name, with the models that judge them."""
