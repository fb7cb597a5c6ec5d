"""What happened, as data: ops that clients saw and events that nodes reported.

A leaf: it imports nothing else of this project, so that anyone can read a history without the harness.
"""

from harness.history.history import History
from harness.history.jsonl import DamagedFile, Journal, read_history, read_trace
from harness.history.op import NEMESIS, Op, OpType, Process
from harness.history.trace import Event, Trace

__all__ = [
    "NEMESIS",
    "DamagedFile",
    "Event",
    "History",
    "Journal",
    "Op",
    "OpType",
    "Process",
    "Trace",
    "read_history",
    "read_trace",
]
