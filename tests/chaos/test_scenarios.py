"""The scenario matrix: Basic Paxos under each kind of fault, in clusters of three and of five.

The names read as a plan: how many replicas, what happens, to whom. Every trial must be valid, which it is
only if something was decided and the fault that is named had an effect.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ostrakon.harness.faults import grudge
from ostrakon.harness.plan import Fault, Latency
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import Trial
from ostrakon.workloads.decree import DECREE

RunTrial = Callable[..., Trial]

DRAWN: tuple[str, ...] = (
    "halves",
    "random-halves",
    "one",
    "minority",
    "majorities-ring",
    "bridge",
    "one-way",
)
DRAWN += ("pause", "kill", "power_loss", "delay", "reorder", "drop", "duplicate", "mixed", "all")


@pytest.mark.chaos(trials=8)
@pytest.mark.parametrize("nemesis", DRAWN)
@pytest.mark.parametrize("nodes", [3, 5], ids=["R=3", "R=5"])
def test_drawn_faults(trial: RunTrial, nodes: int, nemesis: str, seed: int) -> None:
    ran = trial("decree", seed=seed, nodes=nodes, concurrency=nodes, nemesis=nemesis)

    assert any(event.event == "learned" for event in ran.trace), "vacuous: nobody learned anything"


@pytest.mark.chaos(trials=20)
def test_quiet_clusters_decide_at_once(trial: RunTrial, seed: int) -> None:
    ran = trial("decree", seed=seed, nodes=3, concurrency=3)

    assert ran.virtual_s < 5


def named(nodes: int, *faults: Fault, **fields: Any) -> Callable[[int], object]:
    def plan(seed: int) -> object:
        return plan_for(DECREE, seed=seed, nodes=nodes, concurrency=nodes, faults=faults, **fields)

    return plan


THREE, FIVE = ("n1", "n2", "n3"), ("n1", "n2", "n3", "n4", "n5")

DIRECTED = {
    "R=3 partition 2-1 (isolate n1, symmetric)": named(
        3, Fault("partition", 10, 600, grudge=grudge.isolate(THREE, ["n1"]))
    ),
    "R=3 partition 2-1 (isolate n1, send-only)": named(
        3, Fault("partition", 10, 600, grudge=grudge.send_only(THREE, "n1"))
    ),
    "R=3 partition 2-1 (isolate n1, receive-only)": named(
        3, Fault("partition", 10, 600, grudge=grudge.receive_only(THREE, "n1"))
    ),
    "R=5 bridge, then crash of the bridge node": named(
        5,
        Fault("partition", 5, 800, grudge=grudge.bridge(FIVE)),
        Fault("kill", 60, 400, nodes=("n3",)),
    ),
    "R=5 whole-cluster power loss while duelling": named(5, Fault("power_loss", 60, 300, nodes=FIVE)),
    "R=5 rolling restarts": named(
        5, *(Fault("kill", 20 + 80 * number, 60, nodes=(node,)) for number, node in enumerate(FIVE))
    ),
    "R=5 minority paused, majority cut in two later": named(
        5,
        Fault("pause", 5, 500, nodes=("n1", "n2")),
        Fault("partition", 40, 500, grudge=grudge.isolate(FIVE, ["n5"])),
    ),
    "R=3 everything late, lost, twice and out of order": named(
        3,
        Fault("delay", 0, 700, probability=0.3, ms=40),
        Fault("drop", 0, 700, probability=0.2),
        Fault("duplicate", 0, 700, probability=0.3, ms=60),
        Fault("reorder", 0, 700, probability=0.3, ms=40),
    ),
    "R=5 slow and heavy-tailed network": named(5, latency=Latency("lognormal", 0.0, 30.0)),
    "R=2 one paused": named(2, Fault("pause", 10, 300, nodes=("n2",))),
}


@pytest.mark.chaos(trials=6)
@pytest.mark.parametrize("scenario", DIRECTED)
def test_directed_scenarios(trial: RunTrial, scenario: str, seed: int) -> None:
    trial(DIRECTED[scenario](seed))
