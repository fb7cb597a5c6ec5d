"""Histories too long for the oracle: they are decided, and alike by what is quick and by what is not."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from ostrakon.checkers.transactions import list_append, rw_register
from ostrakon.checkers.transactions.columns import micro_ops
from ostrakon.checkers.transactions.replay import Replay
from ostrakon.checkers.transactions.serial_replay import serial_fault
from ostrakon.checkers.transactions.table import transactions
from ostrakon.harness.history import History, Op
from tests.checkers.transactions.store import recorded


def blind(
    transactions: int, *, seed: int, writers: int = 20, stale: bool = False, spread: float = 20.0
) -> History:
    """Transactions that read two registers and blindly write two others, each register written so many times.

    They commit when they answer; with `stale`, one of them reads a version that is three writes old.
    """
    rng = random.Random(seed)
    keys = max(8, 2 * transactions // writers)
    versions: list[list[int]] = [[] for _ in range(keys)]
    done: list[list[list[Any]]] = []
    while len(done) < transactions:
        number = len(done)
        if number * 4 < keys:
            chosen = list(range(number * 4, min(keys, number * 4 + 4)))
            reads: list[int] = []
        else:
            chosen = rng.sample(range(keys), 4)
            reads = chosen[:2]
        back = 4 if stale and number > transactions // 2 and reads and len(versions[reads[0]]) > 4 else 1
        stale = stale and back == 1
        ops: list[list[Any]] = [["r", key, versions[key][-(back if key == reads[0] else 1)]] for key in reads]
        for key in chosen[len(reads) :]:
            versions[key].append(number * 4 + len(ops))
            ops.append(["w", key, versions[key][-1]])
        done.append(ops)
    moments = [(at - rng.random() * spread, 0, at) for at in range(transactions)]
    moments += [(float(at), 1, at) for at in range(transactions)]
    history = []
    for index, (_, is_done, at) in enumerate(sorted(moments)):
        asked = [[f, key, None if f == "r" and not is_done else value] for f, key, value in done[at]]
        history.append(Op(index, index, "ok" if is_done else "invoke", at, "txn", asked))
    return History(history)


def test_blind_writes_of_many_writers_are_decided_with_a_certificate() -> None:
    ops = blind(2_000, seed=1)

    for model in ("serializable", "snapshot-isolation"):
        verdict = rw_register(ops, model)
        assert verdict.valid == "valid"
        assert all(Replay(ops).fault(each) is None for each in verdict.details["certificates"].values())


@pytest.mark.parametrize("seed", range(3))
def test_a_stale_read_among_blind_writes_is_decided_one_way_or_the_other(seed: int) -> None:
    ops = blind(600, seed=seed, stale=True)

    assert rw_register(ops, every_model=False).valid == "invalid"
    assert rw_register(ops, "serializable", every_model=False).valid != "unknown"
    assert rw_register(ops, "snapshot-isolation", every_model=False).valid != "unknown"


def test_writes_that_do_not_take_effect_when_they_answer_are_put_in_order_too() -> None:
    """The order of the answers is no serial order here."""
    asked = recorded("serial", 400, seed=2, keys=30, f="w")
    answers = [op for op in asked if op.type == "ok"]
    assert [op.process for op in answers] != sorted(op.process for op in answers)
    late: list[Op] = []
    waiting: list[Op] = []
    for op in asked:
        if op.type == "ok":
            waiting.insert(0, op)
            if len(waiting) == 3:
                late += [waiting.pop(0), waiting.pop(0), waiting.pop(0)]
            continue
        if any(held.process == op.process for held in waiting):
            late += waiting
            waiting = []
        late.append(op)
    history = History(
        Op(at, at, op.type, op.process, op.f, op.value) for at, op in enumerate([*late, *waiting])
    )

    assert rw_register(history).valid == "valid"


@pytest.mark.parametrize("f", ["append", "w"])
@pytest.mark.parametrize("seed", range(20))
def test_the_replay_on_columns_says_what_the_replay_op_by_op_says(f: str, seed: int) -> None:
    rng = random.Random(seed)
    ops = recorded("serial", 6, seed, keys=2, concurrency=3, f=f)
    table = transactions(ops)
    columns = micro_ops(table, f)
    assert columns is not None
    model = "list-append" if f == "append" else "rw-register"
    ranks = np.arange(len(table))
    agreed = set()
    for _ in range(60):
        order = [table.op(row).index for row in np.argsort(ranks).tolist()]
        for consistency in ("serializable", "strict-serializable"):
            slow = Replay(ops).fault({"model": model, "consistency": consistency, "order": order})
            quick = serial_fault(
                table, columns, ranks, lists=f == "append", realtime=consistency.startswith("strict")
            )
            assert (slow is None) == (quick is None), (slow, quick)
            agreed.add(slow is None)
        one, other = rng.sample(range(len(ranks)), 2)
        ranks[[one, other]] = ranks[[other, one]]
    assert False in agreed


@pytest.mark.parametrize("read", [[1.0, 2], [True, 2], [1, 2.0], [1, "2"], [2, 1], [1], (1, 2)])
def test_the_replay_on_columns_tells_numbers_from_what_equals_them(read: Any) -> None:
    appends = [Op(0, 0, "ok", 0, "txn", [["append", "x", 1]]), Op(1, 1, "ok", 0, "txn", [["append", "x", 2]])]

    verdict = list_append(History([*appends, Op(2, 2, "ok", 0, "txn", [["r", "x", read]])]))

    assert (verdict.valid == "valid") == (read == (1, 2))


def test_without_any_conflicts_to_spend_the_solver_is_not_asked() -> None:
    done = [op for op in blind(300, seed=1) if op.type == "ok"]
    random.Random(1).shuffle(done)
    invoked = [
        Op(
            at,
            at,
            "invoke",
            op.process,
            "txn",
            [[f, key, None if f == "r" else value] for f, key, value in op.value],
        )
        for at, op in enumerate(done)
    ]
    answered = [Op(at, at, "ok", op.process, "txn", op.value) for at, op in enumerate(done, start=len(done))]
    together = History([*invoked, *answered])

    verdict = rw_register(together, "serializable", conflicts=0, every_model=False)

    assert verdict.valid == "unknown"
    assert "the solver met 0 conflicts" in verdict.why
    assert rw_register(together, "serializable", every_model=False).valid == "valid"
