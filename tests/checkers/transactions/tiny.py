"""Tiny histories for the oracle: all there are up to symmetry, or random ones, and as a checker reads
them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ostrakon.harness.history import History, Op
from tests.checkers.transactions.oracle import INITIAL, Tiny

KEYS = "xy"
WRITERS_MAX = 2
_SHAPES = 4


def every(transactions: int, *, part: int = 0, parts: int = 1) -> Iterator[list[Tiny]]:
    """All histories of so many transactions that read and then write two keys, each written at most twice.

    Transactions with the same writes may be exchanged, and the keys; of such histories only some are left
    out. Times go round: all at once, one after another, two processes, or pairs that overlap. Of `parts`
    equal parts one can be had."""
    kinds = [(), ("x",), ("y",), ("x", "y")]
    number = 0
    for writes in itertools.combinations_with_replacement(kinds, transactions):
        writers = {key: [at for at, own in enumerate(writes) if key in own] for key in KEYS}
        if any(len(of_key) > WRITERS_MAX for of_key in writers.values()):
            continue
        if len(writers["x"]) < len(writers["y"]):
            continue
        choices = [
            [None, INITIAL, *(writer for writer in writers[key] if writer != at)]
            for at in range(transactions)
            for key in KEYS
        ]
        for chosen in itertools.product(*choices):
            number += 1
            if number % parts == part:
                yield [
                    _timed(at, number // parts, transactions, _reads(chosen[2 * at : 2 * at + 2]), own)
                    for at, own in enumerate(writes)
                ]


def _reads(sources: Sequence[int | None]) -> tuple[tuple[str, int], ...]:
    return tuple((key, source) for key, source in zip(KEYS, sources, strict=True) if source is not None)


def _timed(
    at: int, number: int, transactions: int, reads: tuple[tuple[str, int], ...], writes: tuple[str, ...]
) -> Tiny:
    # A stride that is no divisor of the number of transactions mixes writers and readers.
    place = (at * 2 + number // _SHAPES) % transactions if transactions % 2 else at
    match number % _SHAPES:
        case 0:
            return Tiny(reads, writes, -1, place, transactions + place)
        case 1:
            return Tiny(reads, writes, -1, 2 * place, 2 * place + 1)
        case 2:
            return Tiny(
                reads, writes, place % 2, 2 * (place // 2) * 2 + place % 2, 4 * (place // 2) + 2 + place % 2
            )
        case _:
            return Tiny(reads, writes, -1, 2 * place, 2 * place + 3)


def draw(rng: random.Random, transactions: int, keys: str = "xyz") -> list[Tiny]:
    """A random history: who wrote what, who read what from whom, when, and in which process."""
    keys = keys[: rng.randint(1, len(keys))]
    writers = {key: [at for at in range(transactions) if rng.random() < 0.5] for key in keys}
    processes = [rng.choice([-1, 0, 1]) for _ in range(transactions)]
    spans: list[tuple[float, float]] = []
    free: dict[int, float] = {}
    for at, process in enumerate(processes):
        begun = at * 10 + rng.random() * 15
        if process != -1:
            begun = max(begun, free.get(process, 0) + 0.01)
        spans.append((begun, begun + rng.random() * 25))
        free[process] = spans[-1][1]
    moments = sorted(moment for span in spans for moment in span)
    drawn = []
    for at in range(transactions):
        reads = tuple(
            (key, rng.choice([INITIAL, *(writer for writer in writers[key] if writer != at)]))
            for key in rng.sample(keys, len(keys))
            if rng.random() < 0.55
        )
        if reads and rng.random() < 0.2:
            reads = (*reads, rng.choice(reads))
        begun, done = (moments.index(moment) for moment in spans[at])
        drawn.append(Tiny(reads, tuple(k for k in keys if at in writers[k]), processes[at], begun, done))
    return drawn


def chains(rng: random.Random, history: Sequence[Tiny]) -> dict[str, list[int]]:
    """An order of the versions of each key, as lists would show it."""
    keys = sorted({key for one in history for key in one.writes})
    orders = {key: [at for at, one in enumerate(history) if key in one.writes] for key in keys}
    for order in orders.values():
        rng.shuffle(order)
    return orders


def shown(history: Sequence[Tiny], orders: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """The part of the order of each key that some read shows."""
    known: dict[str, list[int]] = {}
    for one in history:
        for key, source in one.reads:
            read = _prefix(orders.get(key, ()), source)
            known[key] = max(known.get(key, []), read, key=len)
    return known


def _prefix(order: Sequence[int], source: int) -> list[int]:
    return list(order[: order.index(source) + 1]) if source != INITIAL else []


def recorded(history: Sequence[Tiny], orders: Mapping[str, Sequence[int]] | None = None) -> History:
    """The history of registers; with the order of the versions of each key, of lists."""
    moments = sorted(
        moment for at, one in enumerate(history) for moment in ((one.invoked, 0, at), (one.completed, 1, at))
    )
    ops: list[Op] = []
    for _, done, at in moments:
        one = history[at]
        process = one.process if one.process != -1 else 100 + at
        micro_ops = _micro_ops(at, one, bool(done), orders)
        ops.append(Op(len(ops), len(ops), "ok" if done else "invoke", process, "txn", micro_ops))
    return History(ops)


def _micro_ops(at: int, one: Tiny, done: bool, orders: Mapping[str, Sequence[int]] | None) -> list[list[Any]]:
    micro_ops: list[list[Any]] = []
    for key, source in one.reads:
        if not done:
            value: Any = None
        elif orders is None:
            value = None if source == INITIAL else source
        else:
            value = _prefix(orders.get(key, ()), source)
        micro_ops.append(["r", key, value])
    return [*micro_ops, *(["w" if orders is None else "append", key, at] for key in one.writes)]


def without(history: Sequence[Tiny], at: int) -> list[Tiny]:
    """The history without a transaction that nobody read from."""

    def moved(source: int) -> int:
        return source - 1 if source > at else source

    return [
        replace(one, reads=tuple((key, moved(source)) for key, source in one.reads))
        for number, one in enumerate(history)
        if number != at
    ]
