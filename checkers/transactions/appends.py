"""List-append: transactions append unique values to lists and read whole lists, so reads tell their past.

The longest list read from a key is the order of its versions; every other read must be a prefix of it.
Appends that nobody read come after all that somebody did (Elle, VLDB 2020, section 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from ostrakon.checkers.garbage import collection_paused
from ostrakon.checkers.transactions.append_anomalies import (
    drop_incompatible,
    find_dirty,
    find_disordered,
    find_lost_updates,
)
from ostrakon.checkers.transactions.columns import micro_ops
from ostrakon.checkers.transactions.consistency import canonical_name
from ostrakon.checkers.transactions.cycle import Step
from ostrakon.checkers.transactions.cycle_anomalies import STEPS
from ostrakon.checkers.transactions.dependency import RW, WR, WW
from ostrakon.checkers.transactions.edges import EdgeList
from ostrakon.checkers.transactions.findings import Findings
from ostrakon.checkers.transactions.judgement import Inference, certified, judge, proven_by
from ostrakon.checkers.transactions.observed_lists import (
    NOBODY,
    Appended,
    Lists,
    execution,
    gather,
    observed,
    plain_list,
)
from ostrakon.checkers.transactions.serial_order import moved_order, order_of_answers
from ostrakon.checkers.transactions.table import (
    FAIL,
    NotTransactions,
    Transactions,
    transactions,
    without_unknown_reads,
)
from ostrakon.checkers.transactions.version_order import CONFLICTS
from ostrakon.checkers.transactions.wording import told, word
from ostrakon.checkers.value import canonical
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History


def list_append(
    history: History,
    consistency: str = "strict-serializable",
    *,
    steps: int = STEPS,
    conflicts: int = CONFLICTS,
    every_model: bool | None = None,
    certificate: Mapping[str, Any] | None = None,
) -> Verdict:
    """Check transactions that append to lists and read lists against a consistency model.

    The value of each op is a list of micro-ops, `["append", key, value]` or `["r", key, list]`; null is
    the empty list, and `["r", key]` a read of which it is not known what it found. No value may be appended
    to one key twice.

    Whatever model was asked for, `details` name the strongest models that are `satisfied`, each of which has
    one of the `certificates` (see `ostrakon.checkers.transactions.certificate`), the weakest that are
    `violated`, and all that are `undecided`. `steps` limits the search for cycles, in edges looked at, and
    `conflicts` that for an order of versions. With `every_model` all models are decided, as they are for a
    short history anyway.

    Given a `certificate`, nothing is decided: it is replayed, and the verdict is unknown if it proves
    nothing.

    Raises: UnknownModel for a model that is not in `ostrakon.checkers.transactions.consistency`.

    >>> from ostrakon.checkers.transactions.notation import history
    >>> verdict = list_append(history("x+1 y+1 | x:[1] y:[]"), "snapshot-isolation")
    >>> verdict.valid, verdict.details["violated"]
    ('invalid', ['monotonic-atomic-view'])
    >>> print(verdict.anomalies[0].details["story"])
    G-single-item: 2 transactions, none of which can be the first
      T1 (op 2, process 100): append x 1, append y 1
      T2 (op 3, process 101): r x [1], r y []
    because
      T1 < T2 (wr): T2 read 'x' as [1], whose last value T1 had appended
      T2 < T1 (rw): T2 read 'y' as [], without the 1 that T1 appended
    """
    model = canonical_name(consistency)
    if certificate is not None:
        return certified(history, "list-append", model, certificate)
    with collection_paused():
        return _judged(history, model, steps=steps, conflicts=conflicts, every_model=every_model)


def _judged(history: History, model: str, **limits: Any) -> Verdict:
    table = transactions(history)
    ops = micro_ops(table, "append")
    if (proven := proven_by(order_of_answers(table), table, ops, "list-append", model)) is not None:
        return proven
    if ops is None:
        table = without_unknown_reads(table)
    findings = Findings(table)
    try:
        lists = gather(table, findings, ops)
        if not findings.counts and not any(known.reads for known in lists.values()):
            return Verdict.unknown("no committed transaction read anything, so there is no order to be seen")
        inferred = _infer(table, lists, findings)
        if not findings.counts and ops is not None:
            guesses = moved_order(table, *inferred.edges.ends(), observed(lists))
            if (proven := proven_by(guesses, table, ops, "list-append", model)) is not None:
                return proven
        return judge(table, inferred, model, **limits)
    except NotTransactions as error:
        return Verdict.unknown(str(error))


def _infer(table: Transactions, lists: Lists, findings: Findings) -> Inference:
    edges = EdgeList(len(table))
    for known in lists.values():
        for reader, writer in drop_incompatible(known, table, findings):
            edges.add(writer, reader, WR)
        find_dirty(known, table, findings)
        find_disordered(known, findings)
        find_lost_updates(known, findings)
        _add_unread(known, table, edges)
    _add_read(list(lists.values()), table, edges)

    return Inference(
        "list-append", edges, findings, partial(append_reason, table, lists), partial(execution, table, lists)
    )


def _add_read(lists: list[Appended], table: Transactions, edges: EdgeList) -> None:
    """The dependencies between those whose appends were read, over all keys at once.

    All orders of versions lie one after the other in one array; a read is a position in it.
    """
    lengths = np.array([len(known.longest) for known in lists], np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    key_at = np.repeat(np.arange(len(lists)), lengths)
    owners = chain.from_iterable(known.owners for known in lists)
    owner = np.fromiter(owners, np.int64, int(lengths.sum()))
    live = np.flatnonzero((owner != NOBODY) & (table.status[owner] != FAIL))
    agreed = np.arange(len(owner)) < np.repeat(
        starts + np.array([known.agreed for known in lists], np.int64), lengths
    )
    owner, key_at, agreed = owner[live], key_at[live], agreed[live]
    follows = (key_at[1:] == key_at[:-1]) & agreed[1:]
    edges.extend(owner[:-1][follows], owner[1:][follows], WW)

    reads = [len(known.readers) for known in lists]
    reader = np.fromiter(chain.from_iterable(known.readers for known in lists), np.int64, sum(reads))
    length = np.fromiter(chain.from_iterable(known.lengths for known in lists), np.int64, sum(reads))
    key = np.repeat(np.arange(len(lists)), reads)
    upto = np.searchsorted(live, starts[key] + length)
    for at, kind in ((upto - 1, WR), (upto, RW)):
        inside = (at >= 0) & (at < len(owner))
        inside[inside] = key_at[at[inside]] == key[inside]
        writer = owner[at[inside]]
        ends = (writer, reader[inside]) if kind == WR else (reader[inside], writer)
        edges.extend(*ends, kind)


def _add_unread(known: Appended, table: Transactions, edges: EdgeList) -> None:
    latest = known.unread(table)
    if not latest:
        return
    last = known.committed(table, range(len(known.longest) - 1, -1, -1))
    if last is not None and known.agreed == len(known.longest):
        edges.connect([last[1]], latest, WW)
    whole = len(known.longest)
    sources = [row for row, length in zip(known.readers, known.lengths, strict=True) if length == whole]
    edges.connect(sources, latest, RW)


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
