"""Certificates: what they look like, that they are checked anew, and that wrong ones prove nothing."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from ostrakon.checkers.transactions import list_append, replay, rw_register
from ostrakon.checkers.transactions.notation import history
from ostrakon.checkers.transactions.replay import Replay
from tests.checkers.transactions import tiny
from tests.checkers.transactions.store import recorded


def test_a_serial_certificate_is_the_order_of_the_commits() -> None:
    verdict = rw_register(history("x=1 | x=2 ; x:1"))

    assert verdict.details["certificates"] == {
        "strict-serializable": {
            "model": "rw-register",
            "consistency": "strict-serializable",
            "order": [3, 2, 5],
        }
    }


def test_a_certificate_of_snapshots_tells_starts_from_commits() -> None:
    verdict = list_append(history("x:[] y+1 | y:[] x+1"), "snapshot-isolation")

    order = verdict.details["certificates"]["strong-snapshot-isolation"]["order"]
    assert sorted(order[:2]) == [["start", 2], ["start", 3]]
    assert sorted(order[2:]) == [2, 3]


def test_a_transaction_of_unknown_outcome_commits_only_if_somebody_saw_it() -> None:
    seen = rw_register(history("x=1~ | x:1")).details["certificates"]["strict-serializable"]["order"]
    unseen = rw_register(history("x=1~ | x:")).details["certificates"]["strict-serializable"]["order"]

    assert len(seen) == 2
    assert len(unseen) == 1


def test_a_kept_certificate_is_checked_anew() -> None:
    ops = recorded("serial", 50, seed=3, f="w")
    kept = rw_register(ops).details["certificates"]["strict-serializable"]

    again = rw_register(ops, "serializable", certificate=kept)

    assert again.valid == "valid"
    assert "satisfies strict-serializable" in again.why


def test_a_verdict_written_as_json_is_as_good_as_its_certificate() -> None:
    ops = history("x=1 ; x:1")

    again = rw_register(ops, certificate=rw_register(ops).to_json())

    assert again.valid == "valid"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"order": [1]}, "op 3 is ok, but does not commit"),
        ({"order": [1, 3, 3]}, "op 3 commits twice"),
        ({"order": [1, 3, 9]}, "9 is no transaction that may have committed"),
        ({"order": [3, 1]}, "op 3 read 1 of 'x'; what it sees is null"),
        ({"order": [["start", 3], 1, 3]}, "transactions have no start apart from their commit"),
        ({"order": None}, "it is no certificate of this history"),
        ({"consistency": "read-committed"}, "no certificate for 'serializable', or what is stronger"),
        ({"consistency": "eventual"}, "no certificate for 'serializable', or what is stronger"),
        ({"model": "list-append"}, "is for the model 'list-append', not for 'rw-register'"),
    ],
)
def test_a_wrong_certificate_proves_nothing_and_it_is_said_why(change: dict[str, Any], why: str) -> None:
    given = {"model": "rw-register", "consistency": "serializable", "order": [1, 3], **change}

    verdict = rw_register(history("x=1 ; x:1"), "serializable", certificate=given)

    assert verdict.valid == "unknown"
    assert why in verdict.why


WRONG = {
    "x=1 | x:1 ; x:": ("serializable", [2, 3, 5], "op 5 read None of 'x'; what it sees is 1"),
    "x=1 ; x=2 ; x:1": ("strict-serializable", [3, 1, 5], "op 3 starts before something commits"),
    "0/x=1 | 0/x:": ("strong-session-serializable", [3, 1], "op 3 starts before something commits"),
    "x: x=1 | x: x=2": ("snapshot-isolation", [["start", 2], ["start", 3], 2, 3], "both write 'x'"),
    "x: x=1 | x: x=3": ("update-atomic", [2, 3], "older than one it sees"),
    "x: x=1 | x: x=4": ("cursor-stability", [2, 3], "op 3 overwrote 'x' as it had not read it"),
    "x=1 y=1 | x:1 y:": ("read-atomic", [2, 3], "op 3 read a version of 'y' that is older"),
    "x=1 y=1 | x:1 y: | z:": ("monotonic-atomic-view", [3, 4, 5], "op 4 read a version of 'y'"),
    "x=1 | x:1 y=1 | y:1 x:": ("causal-cerone", [3, 4, 5], "op 5 read a version of 'x'"),
    "0/x=1 y=1 | 0/z=1 | z:1 x:": ("causal", [1, 4, 5], "op 5 read a version of 'x'"),
    "x=1 x=2 | x:1": ("read-committed", [2, 3], "which nobody had committed"),
    "x:1 | x=1": ("read-committed", [2, 3], "which nobody had committed"),
    "x=1 x:2 | x=2": ("serializable", [3, 2], "op 2 did not find in 'x' what it had written"),
    "x:9": ("read-uncommitted", [1], "which nobody wrote"),
}


@pytest.mark.parametrize(("line", "wrong"), WRONG.items(), ids=WRONG.keys())
def test_the_replay_notices_each_way_of_being_wrong(line: str, wrong: tuple[str, list[Any], str]) -> None:
    consistency, order, why = wrong

    fault = Replay(history(line)).fault({"model": "rw-register", "consistency": consistency, "order": order})

    assert fault is not None
    assert why in fault


def test_lists_are_replayed_value_by_value() -> None:
    ops = history("x+1 | x+2 | x:[1,2]")
    certificate = {"model": "list-append", "consistency": "serializable", "order": [3, 4, 5]}

    assert Replay(ops).fault(certificate) is None
    assert Replay(ops).fault({**certificate, "order": [4, 3, 5]}) is not None


@pytest.mark.parametrize("seed", range(60))
def test_an_order_that_was_shuffled_is_accepted_only_by_models_that_allow_it(seed: int) -> None:
    """Whatever order is given, the replay never accepts more than the definition does."""
    from tests.checkers.transactions import oracle

    rng = random.Random(seed)
    drawn = tiny.draw(rng, 3)
    ops = tiny.recorded(drawn)
    satisfied = oracle.satisfied(drawn)
    names = [op.index for op in ops if op.type == "ok"]
    for model in sorted(oracle.satisfied([])):
        for _ in range(6):
            rng.shuffle(names)
            given = {"model": "rw-register", "consistency": model, "order": copy.copy(names)}
            if Replay(ops).fault(given) is None:
                assert model in satisfied


def test_the_replay_shares_no_code_with_what_it_checks() -> None:
    source = (replay.__file__ or "").strip()
    with open(source, encoding="utf-8") as file:
        imported = [line for line in file if line.startswith(("import ", "from "))]

    assert not [line for line in imported if "checkers.transactions" in line]
