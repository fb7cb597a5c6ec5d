"""The cheapest method that will do is the one that is used, and none goes beyond its budget."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count

import pytest
from msgspec.structs import replace

from ostrakon.checkers import linearizable
from ostrakon.checkers.linearizability import Budget, wing_gong_lowe
from ostrakon.checkers.linearizability.fabrication import EXEMPLARS, fabricate
from ostrakon.checkers.models import cas_register, fifo_queue, stack
from ostrakon.checkers.models.model import operations
from ostrakon.harness.history import History, Op
from tests.checkers.linearizability.timeline import timeline


def fabricated(exemplar: str, operations: int, clients: int, seed: int = 1, **shares: float) -> History:
    choose: Callable[[int], int] = random.Random(seed).randrange
    return fabricate(EXEMPLARS[exemplar], choose, operations=operations, clients=clients, **shares)


@pytest.mark.parametrize(
    "exemplar",
    [
        "register, unique values",
        "cas-register, unique values",
        "kv",
        "list-append",
        "list-append, few elements twice",
        "fifo-queue",
    ],
)
def test_values_that_tell_who_wrote_them_need_no_search(exemplar: str) -> None:
    model = EXEMPLARS[exemplar].model
    verdict = linearizable(fabricated(exemplar, 60, 20, unknown=0.1), model)

    assert verdict.valid == "valid"
    assert verdict.details["nodes"] == 0
    assert set(verdict.details["methods"]) == {"blocks"}


def test_a_history_that_takes_a_plain_search_for_ever_is_decided_at_once() -> None:
    history = fabricated("register, unique values", 1000, 50, unknown=0.01)

    assert (
        wing_gong_lowe(list(operations(history.columns)), cas_register(), max_steps=100_000).linearizable
        is None
    )
    assert linearizable(history, "register").valid == "valid"


def test_few_values_written_again_and_again_take_a_few_nodes_each() -> None:
    history = fabricated("cas-register", 2000, 20, unknown=0.01)

    verdict = linearizable(history, "cas-register", fail_means="compared unequal")

    assert verdict.valid == "valid"
    assert verdict.details["methods"] == {"search": 1}
    assert verdict.details["nodes"] < 10 * 2000


def test_slots_in_the_answers_are_a_witness() -> None:
    ops = [
        Op(0, 0, "invoke", 0, "push", 1),
        Op(1, 1, "invoke", 1, "push", 2),
        Op(2, 2, "invoke", 2, "pop"),
        Op(3, 3, "ok", 0, "push", 1, slot=2),
        Op(4, 4, "ok", 1, "push", 2, slot=1),
        Op(5, 5, "ok", 2, "pop", 1, slot=3),
    ]
    verdict = linearizable(History(ops), "stack")

    assert verdict.valid == "valid"
    assert verdict.details["methods"] == {"log": 1}
    assert verdict.details["linearization"] == [{"object": None, "order": [1, 0, 2]}]


def test_slots_that_are_wrong_convict_nobody() -> None:
    history = timeline("[write 1]  [write 2]  [read -> 2]")
    slots = iter((7, 3, 5))
    wrong = History(op if op.type == "invoke" else replace(op, slot=next(slots)) for op in history)

    assert linearizable(wrong, "register").valid == "valid"


@pytest.mark.parametrize(
    ("budget", "why"),
    [
        (Budget(nodes=100, conflicts=0), "choices were tried"),
        (Budget(memory_mb=1, conflicts=0), "the search remembered 1 MB of where it had been"),
        (Budget(seconds=3.0, conflicts=0, clock=count().__next__), "3 CPU seconds were allowed"),
    ],
)
def test_a_spent_budget_is_unknown_and_says_what_ran_out(budget: Budget, why: str) -> None:
    history = fabricated("stack, few values twice", 300, 30, seed=4)

    verdict = linearizable(history, "stack", budget=budget)

    assert verdict.valid == "unknown"
    assert why in verdict.why


def test_an_impossible_object_is_found_though_another_would_take_for_ever() -> None:
    hard = [
        replace(op, value=["hard", op.value]) for op in fabricated("stack, few values twice", 300, 30, seed=4)
    ]
    bad = timeline("[push 1]  [pop -> 2]")
    easy = [replace(op, value=["bad", op.value], process=1000) for op in bad]
    history = History(replace(op, index=index) for index, op in enumerate([*hard, *easy]))

    verdict = linearizable(history, "keyed-stack", budget=Budget(nodes=200_000, conflicts=0))

    assert verdict.valid == "invalid"
    assert verdict.anomalies[0].details["object"] == "bad"
    assert (
        linearizable(History(hard), "keyed-stack", budget=Budget(nodes=2_000, conflicts=0)).valid == "unknown"
    )


def test_a_log_that_nobody_kept_is_not_asked() -> None:
    assert "log" not in linearizable(timeline("[enqueue 1]"), fifo_queue()).details["methods"]


PLANTED = {
    "stale read": ("[write 1]  [write 2]", "                     [read -> 1]  [read -> 2]"),
    "lost write": ("[write 1]  [write 2]  [read -> 2]", "                                   [read -> 1]"),
    "read from the future": ("           [write 1]", "[read -> 1]"),
    "a value out of thin air": ("[write 1]", "    [read -> 7]"),
    "two swaps of one value": ("[write 1]  [cas [1, 2]]", "    [cas [1, 3]]"),
    "swaps in a circle": ("[cas [1, 2]]", "   [cas [2, 1]]"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_caught_among_many_operations(fault: str) -> None:
    """The fault comes late, and all its values are above those of what went before."""
    before = fabricated("cas-register, unique values", 200, 5)
    ops = [
        *before,
        *(replace(op, process=op.process + 100, value=_raised(op.value)) for op in timeline(*PLANTED[fault])),  # type: ignore[operator]
    ]
    verdict = linearizable(History(replace(op, index=index) for index, op in enumerate(ops)), "cas-register")

    assert verdict.valid == "invalid"
    assert verdict.anomalies[0].details["completed"] <= 4


def _raised(value: object) -> object:
    if isinstance(value, list):
        return [_raised(each) for each in value]
    return value + 10_000 if isinstance(value, int) else value


@pytest.mark.parametrize(
    "lines",
    [
        ("           [enqueue 1]", "[dequeue -> 1]"),
        ("[enqueue 1]", "[dequeue -> 1]  [dequeue -> 1]"),
        ("[enqueue 1]", "[dequeue -> 2]"),
        ("[enqueue 1]  [enqueue 2]  [enqueue 3]  [dequeue -> 3]", "   [dequeue -> 1]"),
        ("[enqueue 1]  [dequeue -> nil]  [dequeue -> 1]",),
        ("[enqueue 1]  [enqueue 2]", "                             [dequeue -> 2]", "       [dequeue"),
    ],
)
def test_a_queue_is_decided_as_the_referee_does(lines: tuple[str, ...]) -> None:
    history = timeline(*lines)
    refereed = wing_gong_lowe(list(operations(history.columns)), fifo_queue())

    assert linearizable(history, "fifo-queue").valid == ("valid" if refereed.linearizable else "invalid")


@pytest.mark.parametrize("seed", range(5))
def test_a_swapped_append_is_caught(seed: int) -> None:
    history = fabricated("list-append", 100, 5, seed)
    reads = [op for op in history if op.f == "read" and op.type == "ok" and len(op.value[1]) > 2]
    assert reads, "vacuous: nobody read three elements"
    wrong = reads[len(reads) // 2]
    key, (first, second, *rest) = wrong.value
    swapped = History(
        replace(op, value=[key, [second, first, *rest]]) if op is wrong else op for op in history
    )

    assert linearizable(history, "list-append").valid == "valid"
    assert linearizable(swapped, "list-append").valid == "invalid"


@pytest.mark.parametrize(
    "lines",
    [
        ("[push 1]  [push 2]  [pop -> 2]  [pop -> 1]",),
        ("[push 1]  [push 2]  [pop -> 1]  [pop -> 2]",),
        ("[push 1]  [push 2]  [pop -> 1]",),
        ("[push 1]  [push 2]  [pop -> 1]", "                  [pop"),
        ("[push 1]   [pop -> 1]  [pop -> 2]", "  [push 2                        "),
        ("           [push 1]", "[pop -> 1]"),
        ("[push 1]", "[pop -> 1]  [pop -> 1]"),
        ("[push 1]", "[pop -> 2]"),
        ("[push 1]  [pop -> nil]  [pop -> 1]",),
        (
            "[push 1]             [pop -> nil]",
            "     [push 2]  [pop -> 2]",
            "                         [pop -> 1]",
        ),
        # The second must be popped before the third is pushed, which lies over it and is popped later.
        ("[push 2]          [pop -> 2      ]", "              [push 3]  [pop -> 3            ]", "[push 1]"),
    ],
)
def test_a_stack_is_decided_as_the_referee_does(lines: tuple[str, ...]) -> None:
    history = timeline(*lines)
    refereed = wing_gong_lowe(list(operations(history.columns)), stack())

    assert linearizable(history, "stack").valid == ("valid" if refereed.linearizable else "invalid")


@pytest.mark.parametrize("clients", [3, 5, 10])
def test_a_stack_of_thousands_of_operations_needs_no_search(clients: int) -> None:
    verdict = linearizable(fabricated("stack", 2000, clients), "stack")

    assert verdict.valid == "valid"
    assert verdict.details["nodes"] == 0


def test_a_value_popped_from_under_another_is_shown_with_the_other() -> None:
    verdict = linearizable(timeline("[push 1]  [push 2]  [pop -> 1]  [pop -> 2]"), "stack")

    assert "popped from under another" in verdict.anomalies[0].why
    assert [op.f for op in verdict.anomalies[0].witness if isinstance(op, Op)] == ["push"] * 4 + ["pop"] * 2
