"""What each consistency model demands of an order of commits, as rules that can be decided.

Cerone, Bernardi and Gotsman (CONCUR 2015) and Biswas and Enea (OOPSLA 2019) define the levels by which
transactions a transaction sees; Adya (1999) by cycles. The rules below are the same levels as demands on one
graph: a level holds if the versions of each key can be ordered so that the rule's graph has no cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ostrakon.checkers.transactions.execution import Order

LevelRule = Literal[
    "versions",
    "reads",
    "monotonic",
    "atomic",
    "causal",
    "cursor",
    "update",
    "parallel",
    "prefix",
    "snapshot",
    "serial",
]
"""What a level demands, each with the order of the versions that is known:

versions: the order in which versions were installed has no cycle (Adya's PL-1).
reads: nor has it together with the reads (PL-2).
monotonic: a transaction that read from another does not read what that one overwrote later on (Bailis's
    monotonic atomic view; Biswas and Enea call it read committed).
atomic: whoever read from a transaction sees all that it wrote.
causal: and all that this one saw in turn.
cursor: nobody writes between a transaction's read of a key and its write of that key.
update: atomic, and of two writers of one key one sees the other.
parallel: no cycle with exactly one anti-dependency (PL-2+, parallel snapshot isolation).
prefix: everyone sees a prefix of the order of commits.
snapshot: and of two writers of one key one commits before the other starts.
serial: everyone sees the whole order of commits up to its own.
"""

FORCED: frozenset[LevelRule] = frozenset({"monotonic", "atomic", "causal", "update"})
"""Rules by which the reads alone put some versions before others, whatever the order of the rest is."""
SPLIT: frozenset[LevelRule] = frozenset({"prefix", "snapshot"})
"""Rules whose graph has two nodes for each transaction, its start and its commit."""
OVERTAKEN: frozenset[LevelRule] = frozenset({"prefix", "snapshot", "serial"})
"""Rules whose graph has anti-dependencies as edges."""
STATIC: frozenset[LevelRule] = frozenset({"versions", "reads", "monotonic", "atomic", "causal"})
"""Rules that any order of versions satisfies that agrees with the known one: decided in polynomial time."""


@dataclass(frozen=True, slots=True)
class Level:
    """A rule, and the order of time that it has to agree with."""

    rule: LevelRule
    order: Order = "none"
    items_only: bool = False
    """Whether reads of all registers at once count for nothing (Adya's PL-2.99)."""


LEVELS: dict[str, Level] = {
    "read-uncommitted": Level("versions"),
    "read-committed": Level("reads"),
    "monotonic-atomic-view": Level("monotonic"),
    "cursor-stability": Level("cursor"),
    "read-atomic": Level("atomic"),
    "update-atomic": Level("update"),
    "causal-cerone": Level("causal"),
    "consistent-view": Level("parallel"),
    "parallel-snapshot-isolation": Level("parallel"),
    "prefix": Level("prefix"),
    "snapshot-isolation": Level("snapshot"),
    "repeatable-read": Level("serial", items_only=True),
    "serializable": Level("serial"),
    "strong-session-read-uncommitted": Level("versions", "session"),
    "strong-session-read-committed": Level("reads", "session"),
    "strong-session-monotonic-atomic-view": Level("monotonic", "session"),
    "strong-session-read-atomic": Level("atomic", "session"),
    "causal": Level("causal", "session"),
    "strong-session-prefix": Level("prefix", "session"),
    "strong-session-snapshot-isolation": Level("snapshot", "session"),
    "strong-session-serializable": Level("serial", "session"),
    "strong-read-uncommitted": Level("versions", "realtime"),
    "strong-read-committed": Level("reads", "realtime"),
    "strong-snapshot-isolation": Level("snapshot", "realtime"),
    "strict-serializable": Level("serial", "realtime"),
}
"""The rule of each model."""
