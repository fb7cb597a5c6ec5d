"""Each program sees in simulation what it sees on Linux."""

from __future__ import annotations

import sys

import pytest

from tests.sim.linux import files, sockets, threads
from tests.sim.linux.observe import Case, in_simulation, natively

CASES = [*files.CASES, *sockets.CASES, *threads.CASES]


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux that the simulated machine passes for")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_program_sees_what_it_sees_on_linux(case: Case) -> None:
    seen = in_simulation(case)

    assert len(seen) > 5, "vacuous: hardly anything was looked at"
    assert seen == natively(case)
