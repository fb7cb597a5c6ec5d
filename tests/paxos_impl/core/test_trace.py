"""What nodes report of themselves is what others need to check them."""

from __future__ import annotations

import msgspec

from ostrakon.harness.history import Event
from ostrakon.paxos_impl.core import Effect, Send, TraceEvent, persisted_event, trace_event
from tests.paxos_impl.core.world import World


def traced() -> list[TraceEvent]:
    events: list[TraceEvent] = []

    def watch(node: int, effect: Effect) -> None:
        event = trace_event(effect, node, 0, len(events))
        if event is not None:
            events.append(event)

    world = World(watch=watch)
    world.propose(1, "x")
    world.settle()
    return events


def test_a_decision_leaves_every_kind_of_step_in_the_trace() -> None:
    kinds = {event.event for event in traced()}

    assert kinds == {
        "restart",
        "config_active",
        "prepare_sent",
        "promise_sent",
        "propose_sent",
        "accept_sent",
        "learned",
    }


def test_events_have_the_names_and_meanings_that_a_trace_file_has() -> None:
    for event in [*traced(), persisted_event(3, 1, 0, 9)]:
        line = msgspec.json.encode({"time": 5, **msgspec.to_builtins(event)})

        read = msgspec.json.decode(line, type=Event)

        assert (read.node, read.event, read.ballot) == (event.node, event.event, event.ballot)


def test_every_cause_is_a_message_that_was_sent_before() -> None:
    events = traced()

    sent = [event.message for event in events if event.message is not None]
    causes = [event.cause for event in events if event.cause is not None]

    assert len(set(sent)) == len(sent), "two messages with one id"
    assert causes
    assert set(causes) <= set(sent)


def test_a_node_s_own_promise_and_vote_are_traced_like_any_other() -> None:
    own = [(event.event, event.to) for event in traced() if event.node == "n1" and "n1" in event.to]

    assert ("promise_sent", ("n1",)) in own
    assert ("accept_sent", ("n1", "n2", "n3")) in own


def test_message_ids_name_node_incarnation_and_count() -> None:
    ids: list[str] = []
    world = World(watch=lambda _, effect: ids.append(effect.id) if isinstance(effect, Send) else None)
    world.propose(2, "x")
    world.crash(2)
    world.restart(2)
    world.propose(2, "y")

    assert ids == ["n2.0.1", "n2.0.2", "n2.1.1", "n2.1.2"]
