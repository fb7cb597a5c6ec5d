"""`note`: a program reports an event, for targets, monitors, checkers and diagrams.

    from ostrakon import note

    async def lead(term):
        note("leading", term=term)

Outside of a trial it does nothing and takes about 0.1 µs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ostrakon.harness.history import Event

FIRST_NUMBER = 1 << 20
"""The first sequence number of notes. Events that a program numbers itself have lower numbers."""
_FIELDS = frozenset(Event.__struct_fields__) - {"time", "node", "incarnation", "seq", "event", "detail"}

Reporter = Callable[[str, Mapping[str, Any]], object]
"""Receives the name and the fields of an event, as the caller of `note` gave them."""
_reporter: Reporter | None = None


def note(event: str, /, **fields: Any) -> None:
    """Report that something has happened at this node: `note("leading", term=3)`.

    Fields with the name of a field of `Event` (`slot`, `ballot`, `value`, `to`, `message`, `cause`, ...) set
    that field; all other fields become items of its `detail`. Call `note` at the moment when others can
    observe the event, which is usually just before a message is sent or just after a sync.
    """
    sandbox = sys.modules.get("ostrakon.harness.sim.sandbox.sandbox")
    process = sandbox.running_process() if sandbox is not None else None
    if process is not None:
        if (on_note := process.machine.world.on_note) is not None:
            on_note(process, event, fields)
    elif _reporter is not None:
        _reporter(event, fields)


def report_to(reporter: Reporter | None) -> None:
    """Set the receiver of notes in a process that is a live node; None for no receiver."""
    global _reporter
    _reporter = reporter


class Notes:
    """Converts the notes of nodes into numbered events, which have no time yet."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int], int] = {}

    def event(self, node: str, incarnation: int, event: str, fields: Mapping[str, Any]) -> Event:
        """The event of a note by this incarnation of a node, at time 0."""
        number = self._numbers.get((node, incarnation), FIRST_NUMBER)
        self._numbers[node, incarnation] = number + 1
        own = {name: _plain(value) for name, value in fields.items() if name in _FIELDS}
        detail = {name: _plain(value) for name, value in fields.items() if name not in _FIELDS}
        return Event(0, node, incarnation, number, event, **{**own, "detail": detail or None})


def _plain(value: Any) -> Any:
    """The value itself if a trace file can hold it, else its `repr`."""
    try:
        msgspec.json.encode(value)
    except TypeError:
        return repr(value)
    return value
