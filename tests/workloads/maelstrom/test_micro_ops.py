from __future__ import annotations

import random
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.generator import limit, play, quick
from ostrakon.harness.planning import plan_for
from ostrakon.workloads.maelstrom.kafka import KAFKA
from ostrakon.workloads.maelstrom.transactions import TXN_LIST_APPEND

COUNTS = st.integers(1, 6)


def micro_ops(workload: Any, seed: int, **options: int) -> list[list[Any]]:
    """The values of the first two hundred ops of a workload."""
    plan = plan_for(workload, seed=0, options={"bin": "node", **options})
    ops = play(limit(200, workload.generator(plan, random.Random(seed))), concurrency=2, complete=quick)
    return [op.value for op in ops if op.type == "invoke" and op.f in ("txn", "send", "poll")]


@given(st.integers(0, 2**32), COUNTS, COUNTS, COUNTS)
def test_transactions_keep_to_the_options(seed: int, keys: int, writes_most: int, length_most: int) -> None:
    txns = micro_ops(
        TXN_LIST_APPEND, seed, key_count=keys, max_writes_per_key=writes_most, max_txn_length=length_most
    )

    assert txns
    assert all(1 <= len(txn) <= length_most for txn in txns)
    writes = [(key, value) for txn in txns for f, key, value in txn if f == "append"]
    assert len({value for _, value in writes}) == len(writes), "no value is written twice"
    assert max(Counter(key for key, _ in writes).values(), default=0) <= writes_most
    touched = {key for txn in txns for _, key, _ in txn}
    assert max(touched) < keys + len(writes) // writes_most + 1


def test_some_keys_are_used_more_than_others_and_all_are_used() -> None:
    txns = micro_ops(TXN_LIST_APPEND, 1, key_count=4, max_writes_per_key=10_000)

    used = Counter(key for txn in txns for _, key, _ in txn)

    assert sorted(used, key=lambda key: -used[key]) == [0, 1, 2, 3]
    assert used[0] > 1.5 * used[1]


@given(st.integers(0, 2**32))
def test_messages_of_logs_are_unique_and_the_final_phase_reads_every_key(seed: int) -> None:
    plan = plan_for(KAFKA, seed=0, options={"bin": "node", "max_writes_per_key": 3}, time_limit_s=4.0)
    sent = [value for [[f, *value]] in micro_ops(KAFKA, seed, max_writes_per_key=3) if f == "send"]

    assert KAFKA.final is not None
    read = next(
        op.value["keys"]
        for op in play(limit(12, KAFKA.final(plan, random.Random(seed))), concurrency=6, complete=quick)
        if op.type == "invoke" and op.f == "assign"
    )
    assert len({message for _, message in sent}) == len(sent)
    assert {key for key, _ in sent} <= set(read)
