from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.message_transitions import MessageTransitions, kind_of
from ostrakon.harness.note import note
from ostrakon.harness.recording import Recording
from ostrakon.harness.resolution import resolve
from ostrakon.harness.simulation import simulate
from ostrakon.harness.workload import Site, Workload
from tests.trial.toy import answer, plan, toy


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b'{"do": "append", "term": 12}', "do-append-term"),
        (b"write 17\n", "write"),
        (b"\x93\xadClientPropose\x01", "ClientPropose"),
        (b"", "bytes-0"),
        (b"?\n", "bytes-2"),
    ],
)
def test_the_kind_of_a_message_is_its_first_words_else_its_size(payload: bytes, kind: str) -> None:
    assert kind_of(payload) == kind


@given(st.integers(), st.integers())
def test_messages_that_differ_in_numbers_alone_are_of_one_kind(one: int, other: int) -> None:
    assert kind_of(json.dumps({"vote": one}).encode()) == kind_of(json.dumps({"vote": other}).encode())


def test_transitions_are_counted_by_receiver_and_losses_by_sender() -> None:
    found = MessageTransitions()

    for receiver in ("n1", "n2"):
        found.add("n3", receiver, b"ask 1", is_lost=False)
        found.add("n3", receiver, b"tell 2", is_lost=False)
    found.add("n1", "n2", b"ask 3", is_lost=True)

    assert found.counts() == {"ask tell": 2, "tell lost:ask": 1}


def test_a_search_learns_from_messages_where_no_event_is_reported() -> None:
    observed = _simulated(toy(), observes_messages=True)

    assert observed.message_transitions == {"bytes-2 bytes-2": 19, "ok ok": 19}
    assert observed.digest == _simulated(toy()).digest


def test_where_events_are_reported_messages_are_not_counted() -> None:
    async def noting(site: Site) -> None:
        note("started")
        await answer(site)

    assert _simulated(toy(noting), observes_messages=True).message_transitions == {}


def test_a_trial_that_no_search_runs_counts_no_messages() -> None:
    assert _simulated(toy()).message_transitions == {}


def _simulated(workload: Workload, **fields: Any) -> Recording:
    return simulate(dataclasses.replace(resolve(plan(workload), workload), **fields))
