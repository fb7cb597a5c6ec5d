"""Histories and traces as data: ops of clients and events of nodes, with readers and writers of files.

A leaf: it imports nothing else of this project, so that a history can be read without the harness. Each name
is loaded when it is first used, because commands that read no history should start quickly.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ostrakon.harness.history.history import History as History
    from ostrakon.harness.history.jsonl import DamagedFile as DamagedFile
    from ostrakon.harness.history.jsonl import Journal as Journal
    from ostrakon.harness.history.jsonl import read_columns as read_columns
    from ostrakon.harness.history.jsonl import read_history as read_history
    from ostrakon.harness.history.jsonl import read_trace as read_trace
    from ostrakon.harness.history.op import NEMESIS as NEMESIS
    from ostrakon.harness.history.op import Op as Op
    from ostrakon.harness.history.op import OpType as OpType
    from ostrakon.harness.history.op import Process as Process
    from ostrakon.harness.history.op import UnsuitableHistory as UnsuitableHistory
    from ostrakon.harness.history.reader import ContradictoryFile as ContradictoryFile
    from ostrakon.harness.history.reader import FailMeans as FailMeans
    from ostrakon.harness.history.reader import Format as Format
    from ostrakon.harness.history.reader import ReadHistory as ReadHistory
    from ostrakon.harness.history.reader import read_any as read_any
    from ostrakon.harness.history.trace import Event as Event
    from ostrakon.harness.history.trace import Trace as Trace

_MODULES: Final = {
    "history": ("History",),
    "jsonl": ("DamagedFile", "Journal", "read_columns", "read_history", "read_trace"),
    "op": ("NEMESIS", "Op", "OpType", "Process", "UnsuitableHistory"),
    "reader": ("ContradictoryFile", "FailMeans", "Format", "ReadHistory", "read_any"),
    "trace": ("Event", "Trace"),
}
_HOMES: Final = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found  # The next use does not come here.
    return found
