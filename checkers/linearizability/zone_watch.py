"""Registers watched while a history grows, where no value is written twice.

The method of zones, as in `zones`, op by op. Let f of a value be when the first operation that wrote or saw
it returned, and s when the last one was invoked. Of two values with f(A) < s(B) and f(B) < s(A) each must
precede the other, which cannot be. As f never changes and s only grows, an answer can bring the values that
it is about into conflict only with such as have their f among what s has just passed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from ostrakon.checkers.value import Key, canonical, value_text
from ostrakon.harness.history import Op, Process

_START = -1
"""When what gives a register its first value returned: before anything was invoked."""


class ZoneWatch:
    """Tells the first answer by which registers are not linearizable any more.

    Ops are `read` and `write` (or as they are called here); with `keyed`, values are pairs of a key and what
    is read or written there, and each key is a register of its own. A register of which a value was written
    twice, or to which anything else was done, is watched no further: nothing is said of it.

    >>> watch = ZoneWatch()
    >>> told = [Op(0, 0, "invoke", 0, "write", 1), Op(1, 1, "ok", 0, "write", 1),
    ...         Op(2, 2, "invoke", 0, "read"), Op(3, 3, "ok", 0, "read", None)]
    >>> [why for op in told if (why := watch.op(op))]
    ['process 0 read null after 1 was there, and 1 came after null was: each must precede the other']
    """

    def __init__(
        self, *, initial: Any = None, read: str = "read", write: str = "write", keyed: bool = False
    ) -> None:
        self._initial, self._read, self._write, self._keyed = initial, read, write, keyed
        self._registers: dict[Hashable, _Register | None] = {}
        """By key; None is one that is not watched any more."""
        self._invoked: dict[Process, int] = {}
        """When what each process is at was invoked, as a position in the history."""

    def op(self, op: Op) -> str | None:
        """What is wrong with the next op of the history, in a sentence.

        `index` must be its position there.
        """
        process = op.process
        if process == "nemesis":
            return None
        key, value = op.value if self._keyed else (None, op.value)
        if op.type == "invoke":
            self._invoked[process] = op.index
            if op.f == self._read:
                return None
        elif op.type == "info":
            return None
        name = key if type(key) is str or key is None else canonical(key)
        try:
            register = self._registers[name]
        except KeyError:
            register = self._registers[name] = _Register(canonical(self._initial), self._initial)
        if register is None:
            return None
        try:
            return self._judge(register, op, value)
        except _Unsuitable:
            self._registers[name] = None
            return None

    def _judge(self, register: _Register, op: Op, value: Any) -> str | None:
        if op.f == self._write:
            match op.type:
                case "invoke":
                    register.begin(canonical(value), op.index)
                case "ok":
                    return register.returned(canonical(value), value, self._invoked[op.process], op)
                case "fail":
                    return register.unwrite(canonical(value), op)
            return None
        if op.f != self._read:
            raise _Unsuitable
        if op.type != "ok":
            return None
        return register.returned(canonical(value), value, self._invoked[op.process], op)


class _Unsuitable(Exception):
    """The method cannot tell anything about this register."""


@dataclass(slots=True, eq=False)
class _Zone:
    """A value, and when it was certainly there."""

    value: Any
    f: int
    s: int
    """Less than f as long as all its operations were concurrent."""


@dataclass(slots=True, eq=False)
class _Register:
    """The values of one register."""

    start: Key
    initial: Any
    begun: dict[Key, int] = field(default_factory=dict)
    """By value, when its write was invoked."""
    zones: dict[Key, _Zone] = field(default_factory=dict)
    fs: list[int] = field(default_factory=list)
    """The f of all zones, ascending."""
    by_f: list[_Zone] = field(default_factory=list)
    """All zones, in the same order."""
    spans: list[int] = field(default_factory=list)
    """The f of all zones with f < s, ascending. They do not overlap, so their s ascend too."""
    spanning: dict[int, _Zone] = field(default_factory=dict)
    """These zones by their f."""

    def __post_init__(self) -> None:
        self._add(self.start, _Zone(self.initial, _START, _START))

    def begin(self, key: Key, at: int) -> None:
        """A value is about to be written. Raises: _Unsuitable, if it was before."""
        if key in self.begun or key == self.start:
            raise _Unsuitable
        self.begun[key] = at

    def unwrite(self, key: Key, op: Op) -> str | None:
        """A write turned out not to have happened."""
        if key in self.zones:
            return f"{value_text(op.value)} was read, and the write of it, by process {op.process}, failed"
        self.begun.pop(key, None)
        return None

    def returned(self, key: Key, value: Any, invoked: int, op: Op) -> str | None:
        """Somebody wrote or saw a value."""
        zone = self.zones.get(key)
        if zone is None:
            begun = self.begun.get(key)
            if begun is None:
                return f"process {op.process} read {value_text(value)}, which nobody had written"
            self._add(key, _Zone(value, op.index, max(begun, invoked)))
            return None
        return self._extend(zone, invoked, op) if invoked > zone.s else None

    def _add(self, key: Key, zone: _Zone) -> None:
        # All that was invoked was invoked before now, so nothing can be in conflict with a new zone yet.
        self.zones[key] = zone
        self.fs.append(zone.f)
        self.by_f.append(zone)

    def _extend(self, zone: _Zone, s: int, op: Op) -> str | None:
        """An operation invoked at `s` saw a value that was there before."""
        before, zone.s = max(zone.s, zone.f), s
        other = self._spanning(zone.f, min(s, zone.f))
        if other is None and s > zone.f:
            if before == zone.f:
                insort(self.spans, zone.f)
                self.spanning[zone.f] = zone
            other = self._within(zone, before, s)
        if other is None:
            return None
        one, two = value_text(zone.value), value_text(other.value)
        return (
            f"process {op.process} read {one} after {two} was there, and {two} came after {one} was: "
            f"each must precede the other"
        )

    def _spanning(self, f: int, below: int) -> _Zone | None:
        """The zone with an f below `below` that goes on beyond `f`, if any: it can only be the last."""
        at = bisect_left(self.spans, below) - 1
        zone = self.spanning[self.spans[at]] if at >= 0 else None
        return zone if zone is not None and zone.s > f else None

    def _within(self, zone: _Zone, after: int, s: int) -> _Zone | None:
        """A zone with an f between, to which something belongs that was invoked after this zone's f."""
        first, last = bisect_left(self.fs, after), bisect_left(self.fs, s)
        for other in self.by_f[first:last]:
            if other.s > zone.f and other is not zone:
                return other
        return None
