"""A whole trial is judged by what clients saw, what nodes did, and whether that was enough to go by."""

from __future__ import annotations

import doctest

import msgspec
import pytest

import ostrakon.checkers.consensus.monitor
from ostrakon.checkers.consensus import RULES, Watch, consensus
from ostrakon.checkers.consensus.seen import IncompleteEvent
from ostrakon.harness.history import Event, History

from .notation import history, trace

TOLD = "0 propose x; 0 ok x n1; 1 get; 1 ok x n2"
DONE = (
    "1 prepares 1.1; 12 promises 1.1; 1 proposes 1.1=x; 12 votes 1.1=x; 12 learns x; "
    "3 prepares 2.3; 3 promises 2.3; 2 promises 2.3 telling 1.1=x"
)
SPLIT = f"{DONE}; 3 proposes 2.3=y; 23 votes 2.3=y; 3 learns y"


def test_a_good_trial_is_valid_by_every_part() -> None:
    verdict = consensus(history(TOLD), trace(DONE))

    assert {name: part.valid for name, part in verdict.parts.items()} == dict.fromkeys(verdict.parts, "valid")
    assert set(RULES) - {"P11"} | {"agreement", "validity", "integrity", "stats", "evidence"} == set(
        verdict.parts
    )


def test_a_trial_with_restarts_is_judged_by_what_they_found() -> None:
    remembered, forgot = f"{DONE}; 2 restarts 2.3 telling 1.1=x", f"{DONE}; 2 restarts"

    assert consensus(history(TOLD), trace(remembered)).parts["P11"].valid == "valid"
    assert consensus(history(TOLD), trace(forgot)).parts["P11"].valid == "invalid"


def test_no_trial_at_all_is_unknown() -> None:
    assert consensus(History(), ()).valid == "unknown"


def test_a_trial_without_a_trace_is_unknown() -> None:
    verdict = consensus(history(TOLD), ())

    assert verdict.valid == "unknown"
    assert verdict.parts["agreement"].valid == "valid"


def test_a_trial_in_which_nothing_was_chosen_is_unknown() -> None:
    undecided = trace("1 prepares 1.1; 12 promises 1.1; 1 proposes 1.1=x; 1 votes 1.1=x")

    assert consensus(history("0 propose x; 0 info"), undecided).parts["P2"].valid == "unknown"


def test_disagreement_that_clients_noticed_comes_first_and_names_the_guilty() -> None:
    noticed = history("0 propose x; 0 ok x n1; 1 propose y; 1 ok y n3")

    verdict = consensus(noticed, trace(SPLIT))

    assert verdict.why == verdict.parts["agreement"].why
    blamed = [anomaly for anomaly in verdict.anomalies if "blame" in anomaly.details]
    assert {anomaly.property for anomaly in blamed} == {None, "P2", "P3"}
    assert all(anomaly.details["blame"]["guilty"] == ["n3"] for anomaly in blamed)
    assert all(anomaly.details["blame"]["class"] == "D" for anomaly in blamed)


def test_a_broken_rule_is_told_even_if_no_client_noticed() -> None:
    verdict = consensus(history(TOLD), trace(f"{DONE}; 1 promises 3.1 telling 1.1=x; 1 votes 1.1=x"))

    assert verdict.valid == "invalid"
    assert [(anomaly.property, anomaly.latent) for anomaly in verdict.anomalies] == [("P7", True)]


def test_a_value_that_no_client_asked_for_is_told_of_the_trace() -> None:
    verdict = consensus(history("0 propose z; 0 ok z"), trace(DONE))

    assert verdict.parts["P1"].valid == "invalid"


def test_a_verdict_is_plain_data() -> None:
    told = consensus(history(TOLD), trace(SPLIT)).to_json()

    assert msgspec.json.decode(msgspec.json.encode(told))["valid"] is False


def test_an_incomplete_event_makes_the_trace_unknown_and_is_named() -> None:
    verdict = consensus(history(TOLD), (Event(0, "n1", 0, 7, "accept_sent", value="x"),))

    assert verdict.valid == "unknown"
    assert "accept_sent of n1 (incarnation 0, seq 7) has no ballot" in verdict.parts["properties"].why


@pytest.mark.parametrize("kind", ["prepare_sent", "promise_sent", "propose_sent", "accept_sent"])
def test_a_watch_refuses_an_incomplete_event(kind: str) -> None:
    with pytest.raises(IncompleteEvent, match=f"{kind} of n1"):
        Watch().feed(Event(0, "n1", 0, 0, kind))


def test_a_watch_tells_a_violation_at_the_event_that_commits_it() -> None:
    *before, last = trace("1 promises 2.2; 2 promises 2.2; 1 votes 1.1=x")
    watch = Watch(only=["P7"])

    assert [watch.feed(event) for event in before] == [None] * len(before)
    anomaly = watch.feed(last)
    assert anomaly is not None
    assert (anomaly.property, anomaly.latent, anomaly.witness[-1]) == ("P7", True, last)


def test_a_watch_tells_harm_before_what_led_to_it() -> None:
    *before, last = trace(
        "1 promises 3.3; 1 proposes 1.1=x; 12 votes 1.1=x; 2 proposes 2.2=y; 3 votes 2.2=y; 1 votes 2.2=y"
    )
    watch = Watch()
    for event in before:
        watch.feed(event)

    found = watch.judge(last)

    assert [(anomaly.property, anomaly.latent) for anomaly in found] == [("P2", False), ("P7", False)]


def test_the_example_of_the_documentation_is_true() -> None:
    results = doctest.testmod(ostrakon.checkers.consensus.monitor)

    assert results.attempted > 0
    assert results.failed == 0
