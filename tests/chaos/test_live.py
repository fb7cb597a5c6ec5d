"""A few trials on real processes, sockets and disks: what holds in simulation holds there too."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ostrakon.harness.trial import Trial

RunTrial = Callable[..., Trial]


@pytest.mark.chaos(trials=1)
@pytest.mark.parametrize("nemesis", ["partition", "kill", "pause", "mixed"])
def test_decree(trial: RunTrial, nemesis: str, seed: int) -> None:
    ran = trial("decree", seed=seed, nodes=3, nemesis=nemesis, substrate="live")

    assert any(event.event == "learned" for event in ran.trace), "vacuous: nothing was decided"
