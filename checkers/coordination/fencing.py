"""Fencing tokens: a later grant of a lock has a higher token, and lower tokens are no longer accepted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Op


def fencing(history: History) -> Verdict:
    """Check fencing tokens: an `ok` op never has a lower token than an op on the lock that ended before it
    began.

    The value of an `ok` op is [lock, token]: an `acquire` that got the token, or an op that used it. No token
    may be granted to two processes. The verdict is unknown if no lock was granted.

    >>> late = History([
    ...     Op(0, 0, "invoke", 0, "acquire", "l"), Op(1, 1, "ok", 0, "acquire", ["l", 1]),
    ...     Op(2, 2, "invoke", 1, "acquire", "l"), Op(3, 3, "ok", 1, "acquire", ["l", 2]),
    ...     Op(4, 4, "invoke", 0, "write", "l"), Op(5, 5, "ok", 0, "write", ["l", 1])])
    >>> fencing(late).why
    'process 0 did a write by token 1 of lock "l", which process 1 had by token 2 before'
    """
    if not any(_grant(op) for op in history.where(f="acquire", type="ok")):
        return Verdict.unknown("no lock was ever granted with a token")
    granted = sum(1 for _ in history.where(f="acquire", type="ok"))
    return Verdict.of([*_given_twice(history), *_late(history)], granted=granted)


def _grant(op: Op) -> tuple[Any, int] | None:
    """The lock and the token of an op; None if its value is not of this form."""
    match op.value:
        case (lock, int(token)) | [lock, int(token)]:
            return lock, token
    return None


def _given_twice(history: History) -> Iterator[Anomaly]:
    first: dict[tuple[Key, int], Op] = {}
    for op in history.where(f="acquire", type="ok"):
        if (grant := _grant(op)) is not None:
            lock, token = grant
            earlier = first.setdefault((canonical(lock), token), op)
            if earlier.process != op.process:
                why = (
                    f"token {token} of lock {value_text(lock)} was given to process {earlier.process} "
                    f"and to process {op.process}"
                )
                yield Anomaly("token given twice", why, (earlier, op))


def _late(history: History) -> Iterator[Anomaly]:
    highest: dict[Key, Op] = {}
    begun: dict[int, dict[Key, Op]] = {}
    for op in history.clients:
        if op.type == "invoke":
            begun[op.index] = dict(highest)
        elif op.type == "ok" and (grant := _grant(op)) is not None:
            (lock, token), key = grant, canonical(grant[0])
            invoked = history.invocation(op)
            before = begun.get(invoked.index, {}).get(key) if invoked is not None else None
            if before is not None and token < before.value[1]:
                assert invoked is not None
                why = (
                    f"process {op.process} did a {op.f} by token {token} of lock {value_text(lock)}, "
                    f"which process {before.process} had by token {before.value[1]} before"
                )
                yield Anomaly("stale token", why, (before, invoked, op))
            if key not in highest or token > highest[key].value[1]:
                highest[key] = op
