"""The scenario matrix of the replicated store: each kind of fault, clusters of three and of five.

Every trial must be valid: linearizable key by key, all rules of Paxos kept in every slot, everyone caught up
in the end; and something must have been done, and the fault that is named must have had an effect.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ostrakon.harness.faults import grudge
from ostrakon.harness.plan import Fault
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import Trial
from ostrakon.workloads.register import REGISTER

RunTrial = Callable[..., Trial]

DRAWN: tuple[str, ...] = ("halves", "one", "majorities-ring", "bridge", "one-way")
DRAWN += ("pause", "kill", "power_loss", "delay", "reorder", "drop", "duplicate", "mixed", "all")


@pytest.mark.chaos(trials=1)
@pytest.mark.parametrize("nemesis", DRAWN)
@pytest.mark.parametrize("nodes", [3, 5], ids=["R=3", "R=5"])
def test_drawn_faults(trial: RunTrial, nodes: int, nemesis: str, seed: int) -> None:
    ran = trial("register", seed=seed, nodes=nodes, nemesis=nemesis)

    assert any(event.event == "applied" for event in ran.trace), "vacuous: nothing was executed"


@pytest.mark.chaos(trials=4)
def test_quiet_clusters_elect_one_leader_and_keep_it(trial: RunTrial, seed: int) -> None:
    ran = trial("register", seed=seed, nodes=3)

    decided = [event.ballot for event in ran.trace if event.event == "learned"]
    assert len(set(decided)) == 1, "two leaders, though nothing had gone wrong"


def named(nodes: int, *faults: Fault) -> Callable[[int], object]:
    return lambda seed: plan_for(REGISTER, seed=seed, nodes=nodes, faults=faults)


THREE, FIVE = ("n1", "n2", "n3"), ("n1", "n2", "n3", "n4", "n5")

DIRECTED = {
    "R=3 each cut off in turn, so that the leader is too": named(
        3,
        *(
            Fault("partition", 300 + 700 * number, 500, grudge=grudge.isolate(THREE, [node]))
            for number, node in enumerate(THREE)
        ),
    ),
    "R=3 each paused in turn, for longer than an election takes": named(
        3, *(Fault("pause", 300 + 700 * number, 600, nodes=(node,)) for number, node in enumerate(THREE))
    ),
    "R=3 each heard and not hearing, in turn": named(
        3,
        *(
            Fault("partition", 300 + 700 * number, 500, grudge=grudge.send_only(THREE, node))
            for number, node in enumerate(THREE)
        ),
    ),
    "R=5 whole-cluster power loss under load, twice": named(
        5, Fault("power_loss", 600, 200, nodes=FIVE), Fault("power_loss", 1500, 200, nodes=FIVE)
    ),
    "R=5 rolling restarts": named(
        5, *(Fault("kill", 200 + 400 * number, 300, nodes=(node,)) for number, node in enumerate(FIVE))
    ),
    "R=5 two halves, and one node that both hear, now this one, now that": named(
        5,
        Fault("partition", 400, 700, grudge=grudge.bridge(FIVE)),
        Fault("partition", 1300, 700, grudge=grudge.bridge(("n2", "n3", "n1", "n4", "n5"))),
    ),
}


@pytest.mark.chaos(trials=3)
@pytest.mark.parametrize("scenario", DIRECTED)
def test_directed_scenarios(trial: RunTrial, scenario: str, seed: int) -> None:
    trial(DIRECTED[scenario](seed))
