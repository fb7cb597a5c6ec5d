"""Anomalies as they are found: all are counted, the first few of each name are told in full."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ostrakon.checkers.transactions.table import Transactions
from ostrakon.checkers.transactions.wording import told, word
from ostrakon.checkers.verdict import Anomaly

SHOWN = 8


class Findings:
    """Counts anomalies by name and keeps the first `SHOWN` of each."""

    def __init__(self, table: Transactions) -> None:
        self._table = table
        self.counts: Counter[str] = Counter()
        self.anomalies: list[Anomaly] = []

    def add(self, name: str, rows: Sequence[int], why: str, *values: Any) -> None:
        """One anomaly, shown by these transactions; the values fill the braces in `why`."""
        if self.wants(name):
            self.tell(name, rows, why.format(*(word(told(value)) for value in values)))
        else:
            self.counts[name] += 1

    def tell(
        self, name: str, rows: Sequence[int], why: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """One anomaly that is told in full."""
        self.counts[name] += 1
        witness = {op.index: op for row in rows for op in self._table.ops(row)}
        ops = tuple(witness[index] for index in sorted(witness))
        self.anomalies.append(Anomaly(name, why, ops, details=details or {}))

    def wants(self, name: str) -> bool:
        """Whether one more of this name would still be told, rather than counted."""
        return self.counts[name] < SHOWN
