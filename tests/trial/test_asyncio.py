"""A workload whose nodes and clients are asyncio's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import trio

from ostrakon.checkers.linearizability import linearizable
from ostrakon.checkers.models import register
from ostrakon.harness.history import Op
from ostrakon.harness.lines import lines_to, reads_and_writes
from ostrakon.harness.plan import BadPlan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import run
from ostrakon.harness.workload import Client, Site, Workload

PORT = 4000


async def serve(site: Site) -> None:
    """A register, kept in memory: answers `read` and `write N` with the number it holds."""
    number = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal number
        while line := await reader.readline():
            if line.startswith(b"write "):
                number = int(line.split()[1])
            writer.write(b"%d\n" % number)
        writer.close()

    async with await asyncio.start_server(handle, "0.0.0.0", PORT) as server:
        await server.serve_forever()


class RegisterClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def apply(self, op: Op) -> Op:
        self._writer.write(f"{op.f} {op.value}\n".encode())
        return op.ok(int(await self._reader.readuntil()))


@asynccontextmanager
async def connect(site: Site, process: int) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(site.nodes[0], PORT)
    try:
        yield RegisterClient(reader, writer)
    finally:
        writer.close()


REGISTER = Workload(
    name="asyncio-register",
    program=serve,
    connect=lines_to(PORT, ask=lambda op: f"{op.f} {op.value}", answer=int),
    generator=reads_and_writes,
    check=lambda plan, history, trace: linearizable(history, register(initial=0)),
)
ALL_ASYNCIO = replace(REGISTER, name="all-asyncio-register", connect=connect)


def test_it_is_told_by_their_code_what_nodes_and_clients_are_for() -> None:
    assert (REGISTER.node_loop, REGISTER.client_loop) == ("asyncio", "trio")
    assert (ALL_ASYNCIO.node_loop, ALL_ASYNCIO.client_loop) == ("asyncio", "asyncio")


@pytest.mark.parametrize("workload", [REGISTER, ALL_ASYNCIO], ids=lambda workload: workload.name)
def test_a_register_that_is_paused_is_linearizable(workload: Workload) -> None:
    trials = [
        run(plan_for(workload, seed=seed, nodes=1, nemesis="pause"), workload=workload) for seed in range(5)
    ]

    assert {trial.valid for trial in trials} == {"valid"}, [trial.why for trial in trials]


@pytest.mark.parametrize("workload", [REGISTER, ALL_ASYNCIO], ids=lambda workload: workload.name)
def test_a_register_that_is_killed_forgets_and_is_convicted(workload: Workload) -> None:
    trials = [
        run(plan_for(workload, seed=seed, nodes=1, nemesis="kill"), workload=workload) for seed in range(5)
    ]

    assert "invalid" in {trial.valid for trial in trials}


@pytest.mark.parametrize("workload", [REGISTER, ALL_ASYNCIO], ids=lambda workload: workload.name)
def test_the_same_plan_gives_the_same_run(workload: Workload) -> None:
    plan = plan_for(workload, seed=3, nodes=1, nemesis="pause,kill")

    assert run(plan, workload=workload).recording.digest == run(plan, workload=workload).recording.digest


def test_a_client_whose_own_code_fails_is_told_of() -> None:
    class Broken:
        async def apply(self, op: Op) -> Op:
            await asyncio.sleep(0.01)
            raise ValueError("on purpose")

    @asynccontextmanager
    async def failing(site: Site, process: int) -> AsyncIterator[Any]:
        await asyncio.sleep(0)
        yield Broken()

    workload = replace(REGISTER, connect=failing)

    trial = run(plan_for(workload, seed=1, nodes=1, nemesis=""), workload=workload)

    finding = trial.recording.findings[0]
    assert finding.name == "client crashed"
    assert "ValueError: on purpose" in finding.why


def test_nodes_for_asyncio_are_refused_live() -> None:
    with pytest.raises(BadPlan, match="in simulation only"):
        run(plan_for(REGISTER, seed=1, nodes=1, substrate="live"), workload=REGISTER)


def test_what_names_both_has_to_be_told() -> None:
    async def both(site: Site) -> None:
        print(asyncio, trio)

    with pytest.raises(BadPlan, match='say runtime="asyncio" or runtime="trio"'):
        run(plan_for(REGISTER, seed=1, nodes=1), workload=replace(REGISTER, program=both))

    assert replace(REGISTER, program=both, runtime="trio").node_loop == "trio"
