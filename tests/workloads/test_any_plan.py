"""Whatever plan search draws, clients of every workload know what to do, and a trial comes to its end."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from ostrakon.harness.catalogue import find_workload, workload_names
from ostrakon.harness.generator import clients, perfect, phases, play, time_limit
from ostrakon.harness.planning import plan_for
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.trial import run

NAMES = [name for name in workload_names() if not find_workload(name).is_live_only]


@pytest.mark.parametrize("name", NAMES)
def test_there_is_something_to_do_for_any_number_of_clients(name: str) -> None:
    workload = find_workload(name)
    assert workload.final is not None
    for concurrency in range(1, 13):
        plan = plan_for(workload, seed=concurrency, concurrency=concurrency, time_limit_s=0.5)
        rng = random.Random(concurrency)
        acting = time_limit(plan.time_limit_s, workload.generator(plan, rng))
        script = phases(clients(acting), clients(workload.final(plan, rng)))

        history = play(script, complete=perfect, concurrency=concurrency, nemesis=True)

        assert {op.process for op in history} == set(range(concurrency))


@pytest.mark.parametrize("name", NAMES)
def test_plans_that_search_draws_are_judged(name: str) -> None:
    swarm = Swarm(workload=name)
    for seed, concurrency in enumerate((2, 4, 6)):
        plan = swarm.plan(seed)
        if "asks" not in plan.options:  # A scenario's proposals need the clients that it has.
            plan = replace(plan, concurrency=concurrency)
        trial = run(plan)

        assert trial.valid != "invalid", trial.why
        assert trial.recording.virtual_s < plan.time_limit_s + 20
