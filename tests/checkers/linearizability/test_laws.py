"""What must hold of any checker of linearizability, whatever the history."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from ostrakon.checkers import linearizable
from ostrakon.checkers.linearizability.fabrication import EXEMPLARS
from ostrakon.checkers.strategies import histories
from ostrakon.harness.history import History, Op

of_any_object = st.sampled_from(sorted(EXEMPLARS))


@st.composite
def recorded(draw: st.DrawFn, lies: bool = True) -> tuple[str, History]:
    exemplar = draw(of_any_object)
    return EXEMPLARS[exemplar].model, draw(histories(exemplar, lies=lies, operations_max=10))


@given(recorded(lies=False))
@settings(deadline=None)
def test_what_nobody_lied_about_is_linearizable(recorded: tuple[str, History]) -> None:
    model, history = recorded

    assert linearizable(history, model).valid == ("valid" if len(history) else "unknown")


@given(recorded(), st.data())
@settings(deadline=None)
def test_a_linearizable_history_stays_so_when_less_is_heard_of_it(
    recorded: tuple[str, History], data: st.DataObject
) -> None:
    model, history = recorded
    whole = linearizable(history, model)
    if whole.valid != "valid":
        return
    until = data.draw(st.integers(0, len(history)), label="cut off at")
    assert linearizable(history[:until], model).valid != "invalid"

    completions = [op for op in history if op.type == "ok"]
    if completions:
        unheard = data.draw(st.sampled_from(completions), label="unheard of")
        assert linearizable(without_completion(history, unheard), model).valid == "valid"


def without_completion(history: History, op: Op) -> History:
    """Nothing was heard of it; its process, which went on to do more, becomes a new one each time."""
    others = [
        replace(o, process=int(o.process) + 100 * (o.index > op.index and o.process == op.process))
        for o in history
        if o.index != op.index
    ]
    return History(replace(o, index=index) for index, o in enumerate(others))


@given(recorded())
@settings(deadline=None)
def test_names_of_processes_make_no_difference(recorded: tuple[str, History]) -> None:
    model, history = recorded
    renamed = History(replace(op, process=1000 - op.process) for op in history)  # type: ignore[operator]

    assert linearizable(renamed, model).valid == linearizable(history, model).valid


@pytest.mark.parametrize("exemplar", ["cas-register", "cas-register, unique values", "fifo-queue", "stack"])
@given(data=st.data())
@settings(deadline=None, max_examples=30)
def test_values_are_only_names(exemplar: str, data: st.DataObject) -> None:
    history = data.draw(histories(exemplar))
    renamed = History(replace(op, value=_renamed(op.value)) for op in history)
    model = EXEMPLARS[exemplar].model

    assert linearizable(renamed, model).valid == linearizable(history, model).valid


def _renamed(value: Any) -> Any:
    match value:
        case list():
            return [_renamed(each) for each in value]
        case int():
            return f"value {value * 7 % 31}, which was {value}"
        case _:
            return value


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_objects_are_decided_one_by_one(data: st.DataObject) -> None:
    """Locality: a history is linearizable if and only if each object's is."""
    one, other = data.draw(histories("cas-register")), data.draw(histories("cas-register"))
    both = [replace(op, value=["x", op.value]) for op in one]
    both += [replace(op, value=["y", op.value], process=op.process + 100) for op in other]  # type: ignore[operator]
    shuffled = data.draw(st.permutations([0] * len(one) + [1] * len(other)))
    of = [iter(both[: len(one)]), iter(both[len(one) :])]
    merged = History(replace(next(of[which]), index=index) for index, which in enumerate(shuffled))

    apart = {linearizable(history, "cas-register").valid for history in (one, other) if len(history)}
    assert linearizable(merged, "keyed-cas-register").valid == (
        "unknown" if not apart else "invalid" if "invalid" in apart else "valid"
    )
