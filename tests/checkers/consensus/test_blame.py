"""For each way in which a slot can be decided twice, the guilty are named."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from ostrakon.checkers.consensus import blame
from ostrakon.checkers.consensus.excerpt import LONGEST
from ostrakon.harness.history import Event

from .notation import trace

X_CHOSEN = "1 prepares 1.1; 12 promises 1.1; 1 proposes 1.1=x; 12 votes 1.1=x; 1 learns x"
Y_CHOSEN = "2 proposes 2.2=y; 23 votes 2.2=y; 3 learns y"

SPLITS = {
    "A: too few promises": (
        f"{X_CHOSEN}; 2 prepares 2.2; 3 promises 2.2; {Y_CHOSEN}",
        ("A", "P9", "proposer", ("n2",), False),
    ),
    "A: members disagreed upon": (
        f"12 counts 12; 345 counts 345; {X_CHOSEN}; "
        "3 prepares 2.3; 34 promises 2.3; 3 proposes 2.3=y; 34 votes 2.3=y",
        ("A", "M8", "members", ("n1", "n3"), False),
    ),
    "A: learned too early": (
        "1 prepares 1.1; 12 promises 1.1; 1 proposes 1.1=x; 1 votes 1.1=x; 1 learns x; "
        f"2 prepares 2.2; 23 promises 2.2; {Y_CHOSEN}",
        ("A", "P4", "learner", ("n1",), False),
    ),
    "B: promise broken": (
        "1 prepares 1.1; 12 promises 1.1; 1 proposes 1.1=x; 1 votes 1.1=x; "
        f"2 prepares 2.2; 23 promises 2.2; 2 votes 1.1=x; {Y_CHOSEN}",
        ("B", "P7", "acceptor", ("n2",), False),
    ),
    "B: promise lost in a restart": (
        "1 prepares 1.1; 12 promises 1.1; 1 proposes 1.1=x; 1 votes 1.1=x; "
        f"2 prepares 2.2; 23 promises 2.2; 2 restarts; 2 votes 1.1=x; {Y_CHOSEN}",
        ("B", "P7", "acceptor", ("n2",), True),
    ),
    "B: vote overtaken by an older one": (
        "1 proposes 0.1=y; 3 prepares 1.3; 12 promises 1.3; 3 proposes 1.3=x; 23 votes 1.3=x; 2 votes 0.1=y; "
        "1 prepares 2.1; 1 promises 2.1; 2 promises 2.1 telling 0.1=y; 1 proposes 2.1=y; 12 votes 2.1=y",
        ("B", "P7", "acceptor", ("n2",), False),
    ),
    "B: vote for what nobody proposed": (
        f"{X_CHOSEN}; 23 votes 2.2=y",
        ("B", "P1", "acceptor", ("n2", "n3"), False),
    ),
    "C: vote hidden": (
        f"{X_CHOSEN}; 2 prepares 2.2; 23 promises 2.2; {Y_CHOSEN}",
        ("C", "P8", "acceptor", ("n2",), False),
    ),
    "C: vote lost in a restart": (
        f"{X_CHOSEN}; 2 restarts; 2 prepares 2.2; 23 promises 2.2; {Y_CHOSEN}",
        ("C", "P8", "acceptor", ("n2",), True),
    ),
    "D: report ignored": (
        f"{X_CHOSEN}; 2 prepares 2.2; 2 promises 2.2 telling 1.1=x; 3 promises 2.2; {Y_CHOSEN}",
        ("D", "P9", "proposer", ("n2",), False),
    ),
    "E: ballot reused": (
        "1 prepares 1.1; 123 promises 1.1; 1 proposes 1.1=x; 12 votes 1.1=x; "
        "1 proposes 1.1=y; 23 votes 1.1=y",
        ("E", "P6", "proposer", ("n1",), False),
    ),
    "E: ballot reused after a restart": (
        "1 prepares 1.1; 123 promises 1.1; 1 proposes 1.1=x; 12 votes 1.1=x; "
        "1 restarts; 1 prepares 1.1; 1 proposes 1.1=y; 23 votes 1.1=y",
        ("E", "P6", "proposer", ("n1",), True),
    ),
    "E: ballot used by two": (
        "1 prepares 1.0; 123 promises 1.0; 1 proposes 1.0=x; 12 votes 1.0=x; "
        "2 proposes 1.0=y; 23 votes 1.0=y",
        ("E", "P6", "proposer", ("n1", "n2"), False),
    ),
}


@pytest.mark.parametrize("case", SPLITS)
def test_the_guilty_are_named(case: str) -> None:
    text, expected = SPLITS[case]

    found = blame(trace(text))

    assert found is not None
    charge = found.finding
    assert (charge.kind, charge.rule, charge.role, charge.guilty, charge.restarted) == expected
    assert all(node in charge.why for node in charge.guilty)


@pytest.mark.parametrize("case", SPLITS)
def test_the_story_is_short_in_order_and_holds_the_evidence(case: str) -> None:
    found = blame(trace(SPLITS[case][0]))

    assert found is not None
    events = found.story.events
    assert 4 <= len(events) <= LONGEST
    assert [event.time for event in events] == sorted(event.time for event in events)
    assert set(map(id, found.finding.evidence)) <= set(map(id, events)) or len(events) == LONGEST
    assert all(earlier < at for at, before in enumerate(found.story.after) for earlier in before)


@pytest.mark.parametrize("case", SPLITS)
def test_blame_is_plain_data(case: str) -> None:
    found = blame(trace(SPLITS[case][0]))

    assert found is not None
    told = found.to_json()
    assert msgspec.json.decode(msgspec.json.encode(told))["guilty"] == told["guilty"]


def test_a_restart_that_matters_is_part_of_the_story() -> None:
    found = blame(trace(SPLITS["B: promise lost in a restart"][0]))

    assert found is not None
    assert "restart" in {event.event for event in found.story.events}
    assert "a restart lay between" in found.finding.why


@pytest.mark.parametrize("case", [case for case, (_, expected) in SPLITS.items() if expected[-1]])
def test_a_restart_counts_even_if_both_lives_have_the_same_number(case: str) -> None:
    found = blame(tuple(replace(event, incarnation=0) for event in trace(SPLITS[case][0])))

    assert found is not None
    assert found.finding.restarted


def test_the_story_follows_messages_and_leaves_out_what_follows_from_the_rest() -> None:
    found = blame(trace(SPLITS["D: report ignored"][0]))

    assert found is not None
    story = [(event.event, event.node) for event in found.story.events]
    links = {(story[earlier], story[at]) for at, before in enumerate(found.story.after) for earlier in before}
    assert (("propose_sent", "n1"), ("accept_sent", "n2")) in links
    assert (("accept_sent", "n2"), ("prepare_sent", "n2")) in links
    assert (("propose_sent", "n1"), ("prepare_sent", "n2")) not in links


def test_the_unsafe_value_is_followed_to_where_it_was_chosen() -> None:
    found = blame(
        trace(
            f"{X_CHOSEN}; 2 prepares 2.2; 23 promises 2.2; 2 proposes 2.2=y; 3 votes 2.2=y; "
            "3 prepares 3.3; 3 promises 3.3 telling 2.2=y; 2 promises 3.3; 3 proposes 3.3=y; 23 votes 3.3=y"
        )
    )

    assert found is not None
    assert (found.finding.kind, found.finding.guilty) == ("C", ("n2",))
    assert found.lineage == ('2.2="y"', '3.3="y"')


@pytest.mark.parametrize("text", ["", X_CHOSEN, "1 votes 1.1=x; 2 votes 2.2=y", "1 learns x"])
def test_nobody_is_blamed_for_what_did_not_happen(text: str) -> None:
    assert blame(trace(text)) is None


def test_slots_are_looked_into_one_by_one() -> None:
    text = "1 proposes 7:1.1=x; 12 votes 7:1.1=x; 2 proposes 7:2.2=y; 23 votes 7:2.2=y"

    assert blame(trace(text)) is None
    assert blame(trace(text), 7) is not None


def test_a_trace_out_of_order_is_put_in_order_first() -> None:
    events: tuple[Event, ...] = trace(SPLITS["C: vote lost in a restart"][0])

    assert blame(tuple(reversed(events))) == blame(events)
