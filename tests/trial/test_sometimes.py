"""Rare branches in trials: which there are, and how often each was reached and taken."""

from __future__ import annotations

import dataclasses

import pytest
import trio

from ostrakon.harness.plan import BadPlan
from ostrakon.harness.sim import sometimes
from ostrakon.harness.trial import run
from ostrakon.harness.workload import Site
from tests.trial.toy import PORT, plan, toy


async def answer_now_or_later(site: Site) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        async for _ in stream:
            if sometimes("answer late"):
                await trio.sleep(0.05)
            await stream.send_all(b"ok\n")

    await trio.serve_tcp(handle, PORT)


WORKLOAD = dataclasses.replace(toy(answer_now_or_later), points=("answer late", "answer twice"))


def test_a_trial_counts_its_rare_branches_and_lists_those_it_never_reached() -> None:
    trial = run(plan(WORKLOAD, buggify=1.0), workload=WORKLOAD)

    counts = trial.results()["sometimes"]
    assert list(counts) == ["answer late", "answer twice"]
    assert counts["answer late"]["reached"] == 20
    assert 0 < counts["answer late"]["fired"] < 20
    assert counts["answer twice"] == {"reached": 0, "fired": 0}


def test_rare_branches_are_reached_and_not_taken_unless_the_plan_says_so() -> None:
    calm = run(plan(WORKLOAD), workload=WORKLOAD)

    assert calm.results()["sometimes"]["answer late"] == {"reached": 20, "fired": 0}


def test_the_chance_of_rare_branches_is_a_probability() -> None:
    with pytest.raises(BadPlan, match=r"buggify is 1\.5, expected a probability"):
        plan(WORKLOAD, buggify=1.5)
