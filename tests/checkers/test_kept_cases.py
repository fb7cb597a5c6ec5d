"""Histories that were judged wrongly once, where they are kept beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from ostrakon.harness.catalogue import find_model
from ostrakon.harness.history import read_any

CASES = Path(__file__).parents[3] / "shared" / "cases" / "histories"

JUDGED = [
    ("queue_lin.edn", "total-queue", "unknown", "may have taken it"),
    ("queue_info_deq.edn", "total-queue", "unknown", "may have taken it"),
    ("jep282.edn", "total-queue", "unknown", "may have taken it"),
    ("sf_100unseen.edn", "set-full", "unknown", "no read shows an element"),
    ("sf_100unseen.edn", "set", "unknown", "the last read shows nothing"),
    ("sf_absent_conc1.edn", "set-full", "unknown", "no read shows an element"),
    ("sf_never_read.edn", "set-full", "unknown", "the set was never read"),
    ("crdb17815.edn", "bank", "invalid", "all accounts hold 48 together, where it should be 50"),
    ("crdb17815m.edn", "bank", "invalid", "all accounts hold 48 together, where it should be 50"),
    ("double-discard.edn", "register", "invalid", "a value was seen that nobody had written"),
    ("mapkey_min.edn", "register", "valid", "one operation"),
    ("keyedvec.edn", "keyed-register", "valid", "2 operations"),
    ("true-is-not-one-w2.jsonl", "register", "invalid", "read -> 1 (4..5)"),
    ("true-is-not-one-k1.edn", "kv", "invalid", "get -> 1 (4..5) on 'x'"),
    ("true-is-not-one-q1.edn", "fifo-queue", "invalid", "dequeue -> true (4..5)"),
]


@pytest.mark.parametrize(("name", "model", "valid", "why"), JUDGED)
def test_a_kept_case_is_judged_rightly(name: str, model: str, valid: str, why: str) -> None:
    if not (path := CASES / name).is_file():
        pytest.skip(f"{name} is not kept beside this checkout")

    verdict = find_model(model)(read_any(path).history)

    assert verdict.valid == valid
    assert why in verdict.why
