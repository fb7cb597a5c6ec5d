from __future__ import annotations

from ostrakon.harness.history import Event
from ostrakon.reports.causality import gathered, messages, senders, story, unanswered
from tests.reports.samples import DUEL, trace


def _told(events: tuple[Event, ...]) -> list[str]:
    return [f"{event.node} {event.event}" for event in events]


def test_a_story_is_the_witness_and_whatever_led_to_it() -> None:
    learned = DUEL[5]

    assert _told(story(DUEL, [learned], limit=5)) == [
        "n1 prepare_sent",
        "n2 promise_sent",
        "n1 propose_sent",
        "n2 accept_sent",
        "n1 learned",
    ]


def test_a_story_leads_through_every_promise_and_not_only_the_last() -> None:
    events = trace(
        (1, "n1", "prepare_sent", {"ballot": [1, 1], "message": "a"}),
        (2, "n2", "promise_sent", {"ballot": [1, 1], "message": "b", "cause": "a", "to": ["n1"]}),
        (3, "n3", "promise_sent", {"ballot": [1, 1], "message": "c", "cause": "a", "to": ["n1"]}),
        (4, "n1", "propose_sent", {"ballot": [1, 1], "cause": "c", "slot": 0}),
    )

    assert len(story(events, [events[3]], limit=9)) == 4


def test_a_restart_between_two_witnesses_is_part_of_the_story() -> None:
    assert "n2 restart" in _told(story(DUEL, [DUEL[4], DUEL[8]], limit=4))


def test_without_a_witness_the_story_leads_to_the_first_learned_value() -> None:
    assert "n1 learned" in _told(story(DUEL, [], limit=5))


def test_an_empty_trace_has_no_story() -> None:
    assert story((), [], limit=5) == ()


def test_the_first_starts_of_nodes_are_no_story() -> None:
    assert "n1 restart" not in _told(story(DUEL, [], limit=40))


def test_a_trace_without_decision_is_told_from_its_beginning() -> None:
    events = DUEL[1:3]

    assert story(events, [], limit=5) == events


def test_a_long_trace_is_told_in_no_more_events_than_asked() -> None:
    fields = {"ballot": [1, 1], "to": ["n1"]}
    events = trace(*((ms, f"n{ms % 5}", "promise_sent", fields) for ms in range(3_000)))

    assert len(story(events, [events[1_500]], limit=10)) == 10


def test_a_message_is_what_one_event_sent_and_another_was_caused_by() -> None:
    found = messages(DUEL, senders(DUEL))

    assert [(m.sent.event, m.received.event) for m in found] == [
        ("prepare_sent", "promise_sent"),
        ("promise_sent", "propose_sent"),
        ("propose_sent", "accept_sent"),
        ("accept_sent", "learned"),
        ("prepare_sent", "promise_sent"),
    ]


def test_a_request_that_made_nobody_do_anything_is_unanswered_and_an_answer_is_not() -> None:
    found = {(lost.sent.event, lost.sent.node): lost.to for lost in unanswered(DUEL, DUEL)}

    assert found == {
        ("prepare_sent", "n1"): ("n3",),
        ("propose_sent", "n1"): ("n3",),
        ("prepare_sent", "n3"): ("n1",),
    }


def test_a_vote_of_the_same_ballot_may_have_been_counted() -> None:
    vote = {"ballot": [1, 1], "slot": 0, "to": ["n1"]}
    events = trace(
        (1, "n2", "accept_sent", {**vote, "message": "a"}),
        (2, "n3", "accept_sent", {**vote, "message": "b"}),
        (3, "n1", "learned", {"ballot": [1, 1], "slot": 0, "cause": "b"}),
        (4, "n2", "accept_sent", {**vote, "message": "c"}),
    )
    certain = list(messages(events, senders(events)))

    assert [m.sent.message for m in gathered(events, certain)] == ["a"]
