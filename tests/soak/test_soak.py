"""The long campaign, run when it is asked for: `pytest -m soak`, with more seeds by `--trials`.

`ostrakon soak` does the same on all cores, keeps count in a campaign, and goes on where it ended.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.trial import Trial


@pytest.mark.soak(trials=1000)
def test_no_plan_that_the_swarm_draws_makes_the_correct_system_fail(
    trial: Callable[..., Trial], seed: int
) -> None:
    # Unknown is a plan none of whose faults had an effect: no evidence, but no alarm.
    trial(Swarm(workload="decree").plan(seed), expect=("valid", "unknown"))
