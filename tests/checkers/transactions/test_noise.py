"""Histories without rhyme or reason: there is always a verdict, with a reason for every edge of a cycle."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from ostrakon.checkers.transactions import list_append, rw_register
from ostrakon.harness.history import History, Op


@pytest.mark.parametrize("seed", range(60))
def test_whatever_was_read_there_is_a_verdict_on_the_lists(seed: int) -> None:
    verdict = list_append(noise(random.Random(seed), "append"))

    assert all(anomaly.why and anomaly.witness for anomaly in verdict.anomalies)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_was_read_there_is_a_verdict_on_the_registers(seed: int) -> None:
    verdict = rw_register(noise(random.Random(seed), "w"))

    assert all(anomaly.why and anomaly.witness for anomaly in verdict.anomalies)


def noise(rng: random.Random, f: str) -> History:
    """Transactions of a few processes on two keys, that end anyhow and read anything."""
    values = itertools.count(1)
    ops: list[Op] = []
    running: dict[int, list[list[Any]]] = {}
    for _ in range(rng.randrange(4, 30)):
        process = rng.randrange(4)
        if process in running:
            asked = running.pop(process)
            done = [[name, key, value if name == f else read(rng, f, name)] for name, key, value in asked]
            ops.append(Op(len(ops), 0, rng.choice(["ok", "ok", "ok", "info", "fail"]), process, "txn", done))
        else:
            running[process] = [micro_op(rng, f, values) for _ in range(rng.randrange(1, 4))]
            ops.append(Op(len(ops), 0, "invoke", process, "txn", running[process]))
    return History(ops)


def micro_op(rng: random.Random, f: str, values: itertools.count[int]) -> list[Any]:
    key = rng.choice("xy")
    if rng.random() < 0.5:
        return [f, key, next(values)]
    return ["rp", "true", None] if f == "w" and rng.random() < 0.2 else ["r", key, None]


def read(rng: random.Random, f: str, name: str) -> Any:
    if f == "append":
        return [rng.randrange(1, 9) for _ in range(rng.choice([0, 0, 1, 1, 2, 3]))]
    if name == "rp":
        return {key: rng.randrange(1, 12) for key in "xy" if rng.random() < 0.5}
    return rng.choice([None, *range(1, 12)])
