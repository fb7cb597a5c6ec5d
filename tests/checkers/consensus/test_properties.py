"""Each property of a trace: what it must pass, what it must convict, and what says nothing either way."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ostrakon.checkers.consensus import RULES, properties
from ostrakon.checkers.consensus.properties import judge
from ostrakon.harness.history import Event

from .notation import history, trace

DECIDED = """
    1 prepares 1.1; 12 promises 1.1; 1 proposes 1.1=x; 12 votes 1.1=x; 123 learns x; 123 applies x;
    2 prepares 2.2; 123 promises 2.2 telling 1.1=x; 2 proposes 2.2=x; 23 votes 2.2=x;
    3 restarts 2.2 telling 2.2=x;
    3 learns x
"""
"""x is chosen at 1.1; n3 never voted, and so its report of 1.1 is a vote that it had not sent."""

PROPERTIES = {
    "P1": properties.origin,
    "P2": properties.chosen,
    "P3": properties.learned,
    "P4": properties.learned_chosen,
    "P5": properties.stability,
    "P6": properties.ballot_unity,
    "P7": properties.promises,
    "P8": properties.reports,
    "P9": properties.safety,
    "P10": properties.freshness,
    "P11": properties.memory,
    "M8": properties.membership,
}

BREAKAGES = [
    ("P1", "vote without a proposal", "1 votes 1.1=x"),
    ("P1", "value from nowhere", "1 learns x"),
    ("P1", "vote without a proposal", "1 proposes 1.1=x; 1 votes 1.1=1"),
    ("P2", "two values chosen", "1 proposes 1.1=x; 12 votes 1.1=x; 2 proposes 2.2=y; 23 votes 2.2=y"),
    (
        "P2",
        "two values chosen",
        "1 proposes 1.1=x; 12 votes 1.1=x; 2 proposes 2.2=y; 2 votes 2.2=y; 3 tells 2.2=y",
    ),
    ("P2", "two values chosen", "1 proposes 5:1.1=0; 12 votes 5:1.1=0; 23 votes 5:1.1=false"),
    ("P3", "two values learned", "1 learns x; 2 learns y"),
    ("P3", "two values learned", "1 learns 1; 2 learns true"),
    ("P3", "two values learned", "1 learns 0; 2 learns []"),
    ("P4", "learned but not chosen", "1 proposes 1.1=x; 1 votes 1.1=x; 1 learns x; 2 votes 1.1=x"),
    ("P4", "learned but not chosen", "1 votes 1.1=x; 2 votes 2.2=x; 1 learns x"),
    ("P4", "learned but not chosen", "11 votes 1.1=x; 1 learns x"),
    ("P4", "learned but not chosen", "145 votes 1.1=x; 1 learns x"),
    ("P5", "decision changed", "1 learns x; 1 restarts; 1 learns y"),
    ("P5", "decision changed", "1 applies 7:x; 1 applies 7:y"),
    ("P6", "ballot reuse", "1 proposes 1.1=x; 1 proposes 1.1=y"),
    ("P6", "ballot reuse", "1 proposes 3:1.1=x; 1 restarts; 1 proposes 3:1.1=y"),
    ("P6", "ballot collision", "1 prepares 1.1; 2 prepares 1.1"),
    ("P6", "ballot collision", "1 prepares 1.1; 2 proposes 1.1=x"),
    ("P7", "promise broken", "1 promises 2.2; 1 promises 1.1"),
    ("P7", "promise broken", "1 promises 2.2; 1 votes 1.1=x"),
    ("P7", "promise broken", "1 promises 2.2; 1 restarts; 1 votes 1.3=x"),
    ("P7", "promise broken", "1 promises 4:2.2; 1 votes 9:1.1=x"),
    ("P7", "vote overtaken", "1 votes 2.2=x; 1 votes 1.1=y"),
    ("P7", "vote overtaken", "1 votes 6:2.2=x; 1 promises 5:1.1"),
    ("P8", "vote hidden", "1 votes 1.1=x; 1 promises 2.2"),
    ("P8", "vote hidden", "1 votes 1.1=x; 1 restarts; 1 promises 2.2"),
    ("P8", "vote hidden", "1 proposes 1.1=x; 1 votes 1.1=x; 1 votes 2.2=y; 1 promises 3.3 telling 1.1=x"),
    ("P8", "vote hidden", "1 votes 1.1=x; 1 votes 7:1.1=y; 1 promises 2.2 telling 1.1=x"),
    ("P8", "vote hidden", "1 proposes 1.1=x; 1 promises 2.2 telling 1.1=x; 1 promises 3.3"),
    (
        "P8",
        "vote hidden",
        "1 votes 1.1=x; 1 promises 2.2 telling 1.1=x; 1 votes 2.2=x; 1 restarts; 1 promises 2.2",
    ),
    ("P8", "vote altered", "1 votes 1.1=x; 1 promises 2.2 telling 1.1=y"),
    ("P8", "vote altered", "1 votes 1.1=1; 1 promises 2.2 telling 1.1=true"),
    ("P8", "vote invented", "1 promises 2.2 telling 1.1=x"),
    ("P9", "proposal without a quorum", "1 promises 1.1; 1 proposes 1.1=x; 2 promises 1.1"),
    ("P9", "proposal without a quorum", "11 promises 1.1; 1 proposes 1.1=x"),
    ("P9", "proposal without a quorum", "1 promises 1.1; 2 promises 2.2; 1 proposes 1.1=x"),
    ("P9", "unsafe proposal", "12 promises 2.2 telling 1.1=x; 2 proposes 2.2=y"),
    ("P9", "unsafe proposal", "1 promises 3.3 telling 1.1=x; 2 promises 3.3 telling 2.2=y; 3 proposes 3.3=x"),
    ("P9", "unsafe proposal", "1 promises 3.3; 2 promises 3.3 telling 2.2=y; 3 proposes 3.3=z"),
    ("P9", "unsafe proposal", "12 promises 5:2.2; 2 proposes 4:2.2=x"),
    ("P10", "stale ballot", "1 prepares 2.1; 1 prepares 1.1"),
    ("P10", "stale ballot", "1 prepares 1.1; 1 restarts; 1 prepares 1.1"),
    ("P11", "promise forgotten", "1 promises 2.2; 1 restarts"),
    ("P11", "promise forgotten", "1 promises 1.1; 1 promises 2.2; 1 restarts 1.1"),
    ("P11", "vote forgotten", "1 promises 2.2; 1 votes 2.2=x; 1 restarts 2.2"),
    ("P11", "vote forgotten", "1 votes 4:2.2=x; 1 votes 5:2.2=y; 1 restarts 2.2 telling 4:2.2=x"),
    ("P11", "vote forgotten", "1 votes 2.2=x; 1 restarts 2.2 telling 2.2=y"),
    ("P11", "vote forgotten", "1 votes 1.1=x; 1 votes 2.2=y; 1 restarts 2.2 telling 1.1=x"),
    ("M8", "membership skew", "1 counts 12; 3 counts 12345"),
]

INNOCENT = [
    ("P2", "what is chosen again is chosen once", DECIDED),
    ("P2", "slots are apart", "12 votes 1:1.1=x; 12 votes 2:1.1=y"),
    ("P2", "a minority may vote otherwise", "12 votes 1.1=x; 3 votes 2.2=y"),
    ("P3", "lists are compared by what is in them", "1 learns [1,{}]; 2 learns [1,{}]"),
    ("P4", "votes that were only told of count", "1 votes 1.1=x; 2 tells 1.1=x; 1 learns x"),
    ("P4", "votes that a promise told of count", "1 votes 1.1=x; 2 promises 2.2 telling 1.1=x; 1 learns x"),
    ("P4", "falsy values are values", "12 votes 1.1=0; 1 learns 0"),
    ("P6", "a proposal may be sent again", "1 proposes 1.1=x; 1 proposes 1.1=x"),
    ("P6", "one ballot serves many slots", "1 proposes 1:1.1=x; 1 proposes 2:1.1=y"),
    (
        "P7",
        "a promise may be given again",
        "1 promises 1.1; 1 promises 1.1; 1 votes 1.1=x; 1 promises 1.1 telling 1.1=x",
    ),
    ("P7", "an old vote may be told of", "1 promises 2.2; 1 tells 1.1=x; 1 votes 2.2=x"),
    ("P7", "a promise does not bind slots below it", "1 promises 4:2.2; 1 votes 3:1.1=x"),
    ("P7", "a vote binds its own slot", "1 votes 6:2.2=x; 1 votes 5:1.1=y; 1 promises 7:1.1"),
    ("P8", "the highest vote is enough", "1 votes 1.1=x; 1 votes 2.2=x; 1 promises 3.3 telling 2.2=x"),
    ("P8", "a vote need not have been sent", "1 proposes 1.1=x; 2 promises 2.2 telling 1.1=x"),
    ("P8", "slots below the promise need not be told", "1 votes 3:1.1=x; 1 promises 4:2.2"),
    ("P8", "what is compacted need not be told", "1 votes 3:1.1=x; 1 compacts 3; 1 promises 2.2"),
    ("P9", "nothing reported leaves it free", "13 promises 1.1; 1 proposes 1.1=x"),
    (
        "P9",
        "a promise that came too late to count is no bond",
        "12 promises 2.2; 3 promises 2.2 telling 1.1=x; 2 proposes 2.2=y",
    ),
    (
        "P9",
        "the value of the highest ballot of some quorum",
        "1 promises 3.3; 2 promises 3.3 telling 1.1=x; 3 promises 3.3 telling 2.2=y; 3 proposes 3.3=x",
    ),
    ("P10", "a prepare may be sent again in the same life", "1 prepares 1.1; 1 prepares 1.1; 1 prepares 3.1"),
    ("P11", "a restart that found all", "1 promises 3.3; 1 votes 2:3.3=x; 1 restarts 3.3 telling 2:3.3=x"),
    ("P11", "a promise that nobody was told of", "1 promises 2.2; 1 restarts 4.3"),
    ("P11", "a vote that nobody was told of", "1 votes 1.1=x; 1 restarts 2.2 telling 2.2=y"),
    ("P11", "what is compacted need not be found", "1 votes 3:1.1=x; 1 compacts 3; 1 restarts 1.1"),
    ("M8", "a later slot may have other members", "1 counts 0:123; 1 counts 9:1234; 2 counts 9:1234"),
]


@pytest.mark.parametrize(("property", "name", "text"), BREAKAGES)
def test_a_breakage_is_convicted_by_name(property: str, name: str, text: str) -> None:
    verdict = PROPERTIES[property](trace(text))

    assert verdict.valid == "invalid"
    assert {anomaly.name for anomaly in verdict.anomalies} == {name}
    assert all(anomaly.property == property and anomaly.witness for anomaly in verdict.anomalies)


@pytest.mark.parametrize(
    ("property", "text"),
    [pytest.param(property, text, id=f"{property} {why}") for property, why, text in INNOCENT],
)
def test_what_is_allowed_passes(property: str, text: str) -> None:
    assert PROPERTIES[property](trace(text)).valid == "valid"


@pytest.mark.parametrize("property", RULES)
def test_a_decision_in_good_order_passes_every_property(property: str) -> None:
    assert PROPERTIES[property](trace(DECIDED)).valid == "valid"


@pytest.mark.parametrize("property", RULES)
def test_an_empty_trace_says_nothing(property: str) -> None:
    assert PROPERTIES[property](()).valid == "unknown"


@pytest.mark.parametrize("property", RULES)
def test_a_trace_in_which_nothing_was_put_to_test_says_nothing(property: str) -> None:
    verdict = PROPERTIES[property]((Event(0, "n1", 0, 0, "persisted"),))

    assert verdict.valid == "unknown"
    assert property in verdict.why or property == "P2"


@pytest.mark.parametrize("property", ["P2", "P4", "P9"])
def test_without_members_there_are_no_quorums_to_go_by(property: str) -> None:
    verdict = PROPERTIES[property](trace(DECIDED)[3:])

    assert verdict.valid == "unknown"
    assert "config_active" in verdict.why


def test_a_proposal_must_be_what_a_client_asked_for() -> None:
    asked = history("0 propose y; 0 info")

    verdict = properties.origin(trace("1 proposes 1.1=x"), asked)

    assert verdict.why == 'n1 proposed "x" in slot 0 at ballot 1.1, which no client had asked for'
    assert properties.origin(trace("1 proposes 1.1=y"), asked).valid == "valid"


def test_the_reason_names_node_ballots_and_restart() -> None:
    verdict = properties.promises(trace("2 promises 3.1; 2 restarts; 2 votes 2.3=x"))

    assert verdict.why == (
        "n2 voted at ballot 2.3 after a restart, though it had promised the higher ballot 3.1 before"
    )


def test_two_lives_with_the_same_number_are_told_apart() -> None:
    once = tuple(
        replace(event, incarnation=0) for event in trace("2 promises 3.1; 2 restarts; 2 votes 2.3=x")
    )

    assert "n2 voted at ballot 2.3 after a restart" in properties.promises(once).why
    again = tuple(
        replace(event, incarnation=0) for event in trace("1 prepares 1.1; 1 restarts; 1 prepares 1.1")
    )
    assert properties.freshness(again).valid == "invalid"


def test_what_a_restart_knows_to_be_chosen_need_not_be_found_as_a_vote() -> None:
    *before, restart = trace("1 promises 2.2; 1 votes 7:2.2=x; 1 restarts 2.2")

    assert properties.memory((*before, restart)).valid == "invalid"
    assert properties.memory((*before, replace(restart, detail={"chosen_upto": 7}))).valid == "valid"


def test_an_early_alarm_is_latent_until_someone_is_harmed() -> None:
    broken = "1 promises 2.2; 1 votes 1.1=x"
    harmed = f"{broken}; 12 votes 1.1=x; 12 votes 2.2=y"

    assert [anomaly.latent for anomaly in properties.promises(trace(broken)).anomalies] == [True]
    assert not any(anomaly.latent for anomaly in properties.promises(trace(harmed)).anomalies)
    assert not any(anomaly.latent for anomaly in properties.chosen(trace(harmed)).anomalies)


def test_events_are_judged_in_the_order_of_their_times() -> None:
    events = trace("1 promises 1.1; 1 promises 2.2")

    assert properties.promises(tuple(reversed(events))).valid == "valid"


def test_of_many_violations_few_are_told_and_all_counted() -> None:
    findings = judge(trace("1 promises 9.9; " + "1 votes 1.1=x; " * 100))
    verdict = findings.verdict("P7")

    assert len(verdict.anomalies) == properties.MOST_TOLD
    assert verdict.details["violations"] == 100


def test_a_witness_is_told_in_the_order_of_time() -> None:
    for property, _, text in BREAKAGES:
        for anomaly in PROPERTIES[property](trace(text)).anomalies:
            times = [seen.time for seen in anomaly.witness]

            assert times == sorted(times), (property, text)


def test_every_rule_is_broken_by_some_breakage() -> None:
    assert {property for property, _, _ in BREAKAGES} == set(RULES)
