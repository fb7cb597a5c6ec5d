"""Faults that are about one kind of message strike that kind and no other."""

from __future__ import annotations

from collections import Counter

import pytest
from msgspec.structs import replace

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.plan import BadPlan, Fault, Plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.resolution import resolve
from ostrakon.harness.sim.network.network import LinkMessage
from ostrakon.harness.simulation import simulate
from ostrakon.harness.trial import run


def spoken(workload: str) -> Counter[str]:
    """How often each kind of message is sent in a trial with a few faults."""
    found = find_workload(workload)
    counts: Counter[str] = Counter()

    def listen(message: LinkMessage) -> None:
        assert found.vocabulary is not None
        counts[found.vocabulary.kind_of(message.payload)] += 1

    plan = plan_for(found, seed=3, nemesis="partition,kill", nodes=3, time_limit_s=1.0)
    simulate(resolve(plan, found), tap=listen)
    return counts


@pytest.mark.parametrize(
    ("workload", "kinds"),
    [
        ("decree", {"Prepare", "Promise", "Propose", "Accepted", "Nack"}),
        ("register", {"Prepare", "Promise", "Propose", "Accepted", "Commit", "Heard"}),
    ],
)
def test_every_message_has_a_kind_of_its_workloads_vocabulary(workload: str, kinds: set[str]) -> None:
    counts = spoken(workload)
    vocabulary = find_workload(workload).vocabulary

    assert vocabulary is not None
    assert kinds <= counts.keys() <= set(vocabulary.kinds)


@pytest.mark.parametrize("substrate", ["sim", "model"])
def test_the_first_promises_of_a_ballot_can_be_lost(substrate: str) -> None:
    lost = Fault("drop", 0, 900, probability=1.0, message="Promise", most=2)
    plan = Plan(workload="decree", seed=1, nodes=3, concurrency=3, time_limit_s=1.0, faults=(lost,))

    trial = run(replace(plan, substrate=substrate))

    assert trial.valid == "valid"
    assert trial.effects[0]["messages"] == 2


def test_a_kind_of_message_that_nobody_sends_is_refused_with_the_nearest() -> None:
    lost = Fault("drop", 0, 900, probability=1.0, message="Promis")
    plan = Plan(workload="decree", seed=1, faults=(lost,))

    with pytest.raises(BadPlan, match=r"faults\[0\] is about messages 'Promis'; did you mean Promise"):
        run(plan)
