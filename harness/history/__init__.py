"""What happened, as data: ops that clients saw and events that nodes reported.

A leaf: it imports nothing else of this project, so that anyone can read a history without the harness.
"""

from ostrakon.harness.history.history import History
from ostrakon.harness.history.jsonl import DamagedFile, Journal, read_columns, read_history, read_trace
from ostrakon.harness.history.op import NEMESIS, Op, OpType, Process, UnsuitableHistory
from ostrakon.harness.history.reader import ContradictoryFile, FailMeans, Format, Recording, read_any
from ostrakon.harness.history.trace import Event, Trace

__all__ = [
    "NEMESIS",
    "ContradictoryFile",
    "DamagedFile",
    "Event",
    "FailMeans",
    "Format",
    "History",
    "Journal",
    "Op",
    "OpType",
    "Process",
    "Recording",
    "Trace",
    "UnsuitableHistory",
    "read_any",
    "read_columns",
    "read_history",
    "read_trace",
]
