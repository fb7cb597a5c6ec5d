"""Reads and writes of registers by key, as the checkers of sessions, causality and order take them apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ostrakon.checkers.shape import is_pair, is_plain, misfit
from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History, Op, Process


@dataclass(frozen=True, slots=True)
class Access:
    """One read or write that took place, or, of a write, may have."""

    asked: Op
    done: Op | None
    """How it ended; a write that is not `ok` may have happened all the same."""
    key: Key
    value: Key | None
    """What was read or written; None is what a register holds at first."""

    @property
    def is_write(self) -> bool:
        """Whether it wrote."""
        return self.asked.f == "write"

    @property
    def process(self) -> Process:
        """Who did it."""
        return self.asked.process

    @property
    def ops(self) -> tuple[Op, ...]:
        """Both ends, as a witness."""
        return (self.asked,) if self.done is None else (self.asked, self.done)

    def __str__(self) -> str:
        key, value = _pair((self.done or self.asked).value)
        verb = "write" if self.is_write else "read"
        return f"process {self.process}'s {verb} of {value_text(value)} at {value_text(key)}"


def no_accesses(history: History) -> Verdict | None:
    """Unknown, naming the first op that is no read or write; None if all are."""
    for op in history.where(type="invoke"):
        if op.f not in ("read", "write"):
            return Verdict.unknown(f"op {op.index} is {op.f!r}; expected nothing but read and write")
    said = (*history.where(f="read", type="ok"), *history.where(f="write", type="invoke"))
    return misfit(said, "[key, value], both plain", _is_access)


def _is_access(value: Any) -> bool:
    return is_plain(value) or (is_pair(value) and all(is_plain(part) for part in value))


def accesses(history: History) -> Iterator[Access]:
    """All `read` and `write` ops that may have happened, in order of invocation.

    A value is [key, value]; anything else is taken for the value of the only register there is.
    """
    for asked, done in history.pairs:
        if asked.f not in ("read", "write") or (done is not None and done.type == "fail"):
            continue
        if asked.f == "read" and (done is None or done.type != "ok"):
            continue
        said = asked if asked.f == "write" or done is None else done
        key, value = _pair(said.value)
        yield Access(asked, done, canonical(key), None if value is None else canonical(value))


def _pair(value: Any) -> tuple[Any, Any]:
    return (value[0], value[1]) if is_pair(value) else (None, value)
