"""Public histories in dbcop's binary format, such as those of PolySI's evaluation.

python -m bench.dbcop [--consistency MODEL] FILE_OR_FOLDER ...

Prints a line for each history: the database, the number of transactions, the verdict and CPU seconds without
loading. PolySI's histories are in `artifact/PolySIHistories` of the repository
`hengxin/PolySI-PVLDB2023-Artifacts` on GitHub.
"""

from __future__ import annotations

import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from ostrakon.checkers.transactions import rw_register
from ostrakon.harness.history import History, Op, OpType


class _Transaction(NamedTuple):
    micro_ops: list[list[object]]
    committed: bool


class _Reader:
    """Numbers of 64 bits, strings and events, in the order in which bincode wrote them."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def number(self) -> int:
        (number,) = struct.unpack_from("<Q", self._content, self._at)
        self._at += 8
        return int(number)

    def text(self) -> str:
        length = self.number()
        self._at += length
        return self._content[self._at - length : self._at].decode()

    def flag(self) -> bool:
        self._at += 1
        return self._content[self._at - 1] != 0

    def transaction(self) -> _Transaction:
        micro_ops: list[list[object]] = []
        for _ in range(self.number()):
            writes, key, value = self.flag(), self.number(), self.number()
            self.flag()  # Whether the event succeeded: it did wherever the transaction did.
            # A register that was never written shows 0.
            micro_ops.append(["w", key, value] if writes else ["r", key, value or None])
        return _Transaction(micro_ops, self.flag())


def read(path: Path) -> tuple[str, History]:
    """The database and the history of a file. Sessions ran at the same time; of time no more is known."""
    reader = _Reader(path.read_bytes())
    for _ in range(5):
        reader.number()  # The number of the history and how it was generated.
    database = reader.text()
    reader.text(), reader.text()  # When it began and ended.
    sessions = [[reader.transaction() for _ in range(reader.number())] for _ in range(reader.number())]
    return database, History(_ops(sessions))


def _ops(sessions: list[list[_Transaction]]) -> Iterator[Op]:
    index = 0
    for row in zip_longest(*sessions):
        present = [(session, each) for session, each in enumerate(row) if each is not None]
        for session, transaction in present:
            asked = [[f, key, value if f == "w" else None] for f, key, value in transaction.micro_ops]
            yield Op(index, index, "invoke", session, "txn", asked)
            index += 1
        for session, transaction in present:
            type_: OpType = "ok" if transaction.committed else "fail"
            yield Op(index, index, type_, session, "txn", transaction.micro_ops)
            index += 1


def main(arguments: list[str]) -> None:
    """Print a line for each history, and how often each verdict was given."""
    model = "strong-session-snapshot-isolation"
    if arguments[:1] == ["--consistency"]:
        model, arguments = arguments[1], arguments[2:]
    files = [file for name in arguments for file in _files(Path(name))]
    verdicts: Counter[str] = Counter()
    for file in files:
        database, history = read(file)
        since = time.process_time()
        verdict = rw_register(history, model, every_model=False)
        seconds = time.process_time() - since
        verdicts[verdict.valid] += 1
        print(f"{file} {database} {len(history) // 2:,} {verdict.valid} {seconds:.2f} s", flush=True)
    print(", ".join(f"{count} {valid}" for valid, count in sorted(verdicts.items())) or "no histories given")


def _files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.bincode")) if path.is_dir() else [path]


if __name__ == "__main__":
    main(sys.argv[1:])
