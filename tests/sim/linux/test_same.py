"""Each program sees in simulation what it sees on Linux."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from ostrakon.harness.sim import NotSimulated, World
from tests.sim.linux import asyncio_programs, files, sockets, threads
from tests.sim.linux.differences import GUIDE, REFUSED, SEEN, Difference, tables
from tests.sim.linux.observe import Case, in_simulation, natively

CASES = [*files.CASES, *sockets.CASES, *threads.CASES]


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux that the simulated machine passes for")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_a_program_sees_what_it_sees_on_linux(case: Case) -> None:
    seen = in_simulation(case)

    assert len(seen) > 5, "vacuous: hardly anything was looked at"
    assert seen == natively(case)


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux that the simulated machine passes for")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("case", asyncio_programs.CASES, ids=lambda case: case.__name__)
def test_an_asyncio_program_sees_what_it_sees_on_linux(case: Case) -> None:
    seen = in_simulation(case, "asyncio")

    assert len(seen) > 5, "vacuous: hardly anything was looked at"
    assert seen == natively(case, "asyncio")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("one", REFUSED, ids=lambda one: one.what)
def test_what_is_not_simulated_is_refused_by_name(one: Difference) -> None:
    assert one.look is not None
    with pytest.raises(NotSimulated, match=r"m#0|hand on the socket"):
        simulated(one.look)


@pytest.mark.parametrize("one", [one for one in SEEN if one.look is not None], ids=lambda one: one.what)
def test_what_is_told_to_differ_does(one: Difference) -> None:
    assert one.look is not None
    try:
        here = simulated(one.look)
    except OSError as error:
        here = error.errno

    assert here != one.look(), "it is the same now, so it need not be told"


def test_the_guide_has_the_tables() -> None:
    text = GUIDE.read_text()

    assert tables() in text, "python -m tests.sim.linux.differences writes them"


def simulated(look: Callable[[], Any]) -> Any:
    async def program() -> Any:
        return look()

    with World(1) as world:
        process = world.machine("m").start(program, runtime="trio")
        world.run()
        if process.error is not None:
            raise process.error
        return process.value
