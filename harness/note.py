"""`note`: any program reports events of its own, for targets, monitors, checkers and diagrams.

    from ostrakon import note

    async def lead(term):
        note("leading", term=term)

Outside of a trial it does nothing, and costs a tenth of a microsecond.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ostrakon.harness.history import Event

FIRST_NUMBER = 1 << 20
"""The first sequence number of notes: events that a program numbers itself lie below."""
_FIELDS = frozenset(Event.__struct_fields__) - {"time", "node", "incarnation", "seq", "event", "detail"}

Reporter = Callable[[str, Mapping[str, Any]], object]
"""Takes an event's name and fields, as `note` was given them."""
_reporter: Reporter | None = None


def note(event: str, /, **fields: Any) -> None:
    """Report that something has happened at this node: `note("leading", term=3)`.

    Fields that an `Event` has (`slot`, `ballot`, `value`, `to`, `message`, `cause`, ...) become its own; all
    others become its `detail`, by name. Call it when others can observe what happened, which is mostly just
    before a message leaves or just after a sync.
    """
    sandbox = sys.modules.get("ostrakon.harness.sim.sandbox.sandbox")
    process = sandbox.running_process() if sandbox is not None else None
    if process is not None:
        if (on_note := process.machine.world.on_note) is not None:
            on_note(process, event, fields)
    elif _reporter is not None:
        _reporter(event, fields)


def report_to(reporter: Reporter | None) -> None:
    """Where notes of this process go when it is a live node; None for nowhere."""
    global _reporter
    _reporter = reporter


class Notes:
    """Numbers the notes of nodes, and makes events of them, without their time."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int], int] = {}

    def event(self, node: str, incarnation: int, event: str, fields: Mapping[str, Any]) -> Event:
        """The event that a note of a node's incarnation reports, at time 0."""
        number = self._numbers.get((node, incarnation), FIRST_NUMBER)
        self._numbers[node, incarnation] = number + 1
        own = {name: _plain(value) for name, value in fields.items() if name in _FIELDS}
        detail = {name: _plain(value) for name, value in fields.items() if name not in _FIELDS}
        return Event(0, node, incarnation, number, event, **{**own, "detail": detail or None})


def _plain(value: Any) -> Any:
    """A value as a trace file can hold it: its text, where it is no plain data."""
    try:
        msgspec.json.encode(value)
    except TypeError:
        return repr(value)
    return value
