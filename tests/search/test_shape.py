"""What is kept of a trial for comparing it with others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.history import NEMESIS, Event, Op
from ostrakon.harness.search.shape import TransitionCount, Windows, shapes, transitions, windows


def event(node: str, kind: str, ballot: tuple[int, int] | None = None) -> Event:
    return Event(0, node, 0, 0, kind, ballot=ballot)


def test_a_transition_tells_how_ballots_compare() -> None:
    trace = [
        event("n1", "restart"),
        event("n1", "prepare_sent", (1, 1)),
        event("n1", "promise_sent", (1, 1)),
        event("n1", "nack_sent", (0, 2)),
        event("n1", "persisted"),
        event("n1", "promise_sent", (2, 2)),
    ]

    assert transitions(trace) == {
        "nack_sent persisted": 1,
        "persisted >promise_sent": 1,
        "prepare_sent =promise_sent": 1,
        "promise_sent <nack_sent": 1,
        "restart prepare_sent": 1,
    }


EVENTS = st.builds(
    event,
    st.sampled_from(["n1", "n2", "n3"]),
    st.sampled_from(["restart", "promise_sent", "nack_sent"]),
    st.none() | st.tuples(st.integers(0, 3), st.integers(1, 3)),
)


@given(st.lists(EVENTS))
def test_nodes_do_not_get_into_each_others_way(trace: list[Event]) -> None:
    one_by_one = sorted(trace, key=lambda event: event.node)

    assert transitions(trace) == transitions(one_by_one)


@given(st.lists(EVENTS))
def test_every_event_but_a_nodes_first_ends_a_transition(trace: list[Event]) -> None:
    assert sum(transitions(trace).values()) == len(trace) - len({event.node for event in trace})


def test_a_shape_goes_by_the_order_of_magnitude() -> None:
    counts = {"a b": 1, "b c": 2, "c d": 3, "d e": 4, "e f": 1000}

    assert list(shapes(counts)) == [
        TransitionCount("a b", 1),
        TransitionCount("b c", 2),
        TransitionCount("c d", 2),
        TransitionCount("d e", 3),
        TransitionCount("e f", 10),
    ]


def history(*told: tuple[str, object, str, object]) -> list[Op]:
    return [
        Op(index, index, kind, process, f, value)  # type: ignore[arg-type]
        for index, (kind, process, f, value) in enumerate(told)
    ]


def test_operations_are_counted_by_the_faults_that_they_fell_into() -> None:
    told = history(
        ("invoke", 0, "get", None),
        ("info", NEMESIS, "start-kill", {"id": 0}),
        ("info", NEMESIS, "start-kill", {"id": 0}),
        ("ok", 0, "get", None),
        ("invoke", 0, "get", None),
        ("info", NEMESIS, "start-drop", {"id": 1}),
        ("invoke", 1, "get", None),
        ("info", NEMESIS, "stop-kill", {"id": 0}),
        ("info", NEMESIS, "stop-kill", {"id": 0, "stopped": ["n1"]}),
        ("info", NEMESIS, "start-kill", {"id": 2}),
        ("info", NEMESIS, "heal", None),
        ("info", NEMESIS, "heal", []),
    )

    assert windows(told) == {"drop": Windows(1, 0, 1), "kill": Windows(2, 1, 2)}


def test_no_fault_is_no_window() -> None:
    assert windows(history(("invoke", 0, "get", None), ("ok", 0, "get", None))) == {}
