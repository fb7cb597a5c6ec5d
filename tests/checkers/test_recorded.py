"""Recorded histories of other projects, with the verdicts that are known for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ostrakon.checkers.collections.counter import counter
from ostrakon.checkers.collections.set_full import set_full
from ostrakon.checkers.collections.sets import final_set
from ostrakon.checkers.consistency.bank import bank
from ostrakon.checkers.consistency.long_fork import long_fork
from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.history import History, read_any

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "histories" / "elle-cli" / "jepsen"

pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason=f"there are no recorded histories in {RECORDED}"
)

KNOWN: list[tuple[str, Callable[[History], Verdict], str]] = [
    ("counter.edn", counter, "valid"),
    ("counter.json", counter, "valid"),
    ("set_full.edn", set_full, "invalid"),
    ("set_full.json", set_full, "invalid"),
    ("set.edn", final_set, "valid"),
    ("bank.edn", bank, "valid"),
    ("bank.json", bank, "valid"),
    ("bank-tidb.edn", bank, "invalid"),
    ("bank-neg.edn", partial(bank, negative_balances=True), "valid"),
    ("bank-negative-balances.json", bank, "invalid"),
    ("long-fork.edn", long_fork, "invalid"),
]


@pytest.mark.parametrize(("name", "check", "valid"), KNOWN, ids=[name for name, _, _ in KNOWN])
def test_the_verdict_is_the_one_that_is_known(
    name: str, check: Callable[[History], Verdict], valid: str
) -> None:
    verdict = check(read_any(RECORDED / name).history)

    assert verdict.valid == valid, verdict.why
