"""Why one transaction depends on another, read off what both did to lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ostrakon.checkers.transactions.cycle import Step
from ostrakon.checkers.transactions.dependency import RW, WR
from ostrakon.checkers.transactions.lists import Lists, plain_list
from ostrakon.checkers.transactions.table import Transactions
from ostrakon.checkers.transactions.wording import told, word
from ostrakon.checkers.value import canonical


def append_reason(table: Transactions, lists: Lists, step: Step, earlier: str, later: str) -> str:
    """A clause that names the key and the values, such as "T1 appended 1 to 'x' and T2 read it as [1]"."""
    if step.kind & WR:
        reasons = _read(table, lists, step, earlier, later)
    elif step.kind & RW:
        reasons = _overlooked(table, lists, step, earlier, later)
    else:
        reasons = _built_upon(table, lists, step, earlier, later)
    return next(reasons)


def _read(table: Transactions, lists: Lists, step: Step, earlier: str, later: str) -> Iterator[str]:
    reads = _reads(table, step.later)
    for key, read in reads:
        if read and lists[key].writers.get(read[-1]) == step.earlier:
            yield f"{later} read {told(key)} as {word(read)}, whose last value {earlier} had appended"
    for key, read in reads:
        for value in reversed(read):
            if lists[key].writers.get(value) == step.earlier:
                seen = f"{later} read {told(key)} as {word(read)}"
                yield f"{seen}, with the {told(value)} that {earlier} had appended"


def _overlooked(table: Transactions, lists: Lists, step: Step, earlier: str, later: str) -> Iterator[str]:
    reads = _reads(table, step.earlier)
    for key, read in reads:
        following = lists[key].committed(table, range(len(read), len(lists[key].longest)))
        if following is not None and following[1] == step.later:
            yield f"{earlier} read {told(key)} as {word(read)}, before {later} appended {told(following[0])}"
    for key, read in reads:
        for value in (value for value in _appends(table, step.later, key) if value not in read):
            seen = f"{earlier} read {told(key)} as {word(read)}"
            yield f"{seen}, without the {told(value)} that {later} appended"


def _built_upon(table: Transactions, lists: Lists, step: Step, earlier: str, later: str) -> Iterator[str]:
    for key in dict.fromkeys(canonical(key) for f, key, _ in table.micro_ops[step.later] if f == "append"):
        longest = lists[key].longest
        for value in _appends(table, step.later, key):
            at = longest.index(value) if value in longest else len(longest)
            before = lists[key].committed(table, range(at - 1, -1, -1))
            if before is not None and before[1] == step.earlier:
                own = f"{later} appended {told(value)} to {told(key)}"
                yield f"{own} after {earlier} had appended {told(before[0])}"


def _reads(table: Transactions, row: int) -> list[tuple[Any, list[Any]]]:
    return [(canonical(key), plain_list(value)) for f, key, value in table.micro_ops[row] if f == "r"]


def _appends(table: Transactions, row: int, key: Any) -> list[Any]:
    return [
        canonical(value)
        for f, its_key, value in table.micro_ops[row]
        if f == "append" and canonical(its_key) == key
    ]
