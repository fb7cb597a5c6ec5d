"""The asynchronous client does the same on Trio and on asyncio: simulated, under faults, and on localhost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Literal

import anyio
import pytest
import trio
from anyio.abc import AnyByteStream

from ostrakon.harness.sim import World
from ostrakon.paxos_impl import Address, AsyncClient, LockLost, NotDone, Unsure
from ostrakon.paxos_impl.server.groups_server import GroupsServer
from ostrakon.paxos_impl.server.replica_config import ReplicaConfig
from ostrakon.paxos_impl.server.replica_server import ReplicaServer
from ostrakon.paxos_impl.server.server import Server, serve_node
from ostrakon.paxos_impl.wire.membership import Membership
from ostrakon.paxos_impl.wire.transport import Transport
from tests.paxos_impl.town import KvTown, living
from tests.ports import LONG_S

RuntimeName = Literal["trio", "asyncio"]
ON_BOTH = pytest.mark.parametrize("runtime", ["trio", "asyncio"])
NODES = ("n1", "n2", "n3")
MEMBERSHIP = Membership({n: Address(name, 7000) for n, name in enumerate(NODES, start=1)}, "blue")
ADDRESSES = tuple(Address(name, 7000) for name in NODES)
MANY = 40


async def serve_replica(config: ReplicaConfig, machine: Any) -> None:
    kind = ReplicaServer if config.groups == 1 else GroupsServer
    server: Server = await kind.recover(config, machine.disk, rng=Random(config.server_id))
    await serve_node(server, Address("0.0.0.0", 7000))


@contextmanager
def replicas(seed: int = 1, groups: int = 1) -> Iterator[World]:
    """A world with three replicas."""
    with World(seed) as world:
        for n, name in enumerate(NODES, start=1):
            machine = world.machine(name)
            config = ReplicaConfig(n, MEMBERSHIP, listen=Address("0.0.0.0", 7000), groups=groups)
            machine.start(partial(serve_replica, config, machine))
        yield world


def simulated(world: World, runtime: RuntimeName, main: Callable[[], Awaitable[Any]]) -> Any:
    """What a client program returns in a world."""
    process = world.machine("client", is_node=False).start(main, runtime=runtime)
    world.run(until_s=120, stop=lambda: process.done)
    assert process.done, "it did not end"
    return process.value


def on_localhost(runtime: RuntimeName, main: Callable[[], Awaitable[Any]]) -> Any:
    async def timed() -> Any:
        with anyio.fail_after(2 * LONG_S):
            return await main()

    # Not `anyio.run`: programs that never heard of anyio use the client, too.
    return asyncio.run(timed()) if runtime == "asyncio" else trio.run(timed)


async def use_everything(addresses: Sequence[Address]) -> dict[str, Any]:
    """The results of one operation of each kind, and of many at once."""
    results: dict[str, Any] = {}
    async with AsyncClient(addresses, timeout_s=LONG_S) as store:
        since = await store.put("colour", "blue")
        results["get"] = await store.get("colour")
        results["stale"] = type(await store.get("colour", how="stale"))
        results["cas"] = [await store.cas("colour", "red", 1), await store.cas("colour", "blue", [1])]
        results["append"] = await store.append("colour", 2)
        results["transact"] = [
            await store.transact([["put", "a", 1], ["add", "a", 2]], given={"a": None}),
            await store.transact([["put", "a", 1]], given={"a": 4}),
        ]
        results["delete"] = [await store.delete("a"), await store.delete("a")]
        results["add to a list"] = await store.add("colour", 1)
        with pytest.raises(NotDone, match="no operation"):
            await store.execute(["fly"])

        sums: list[int | None] = []

        async def add() -> None:
            sums.append(await store.add("sum", 1))

        async with anyio.create_task_group() as tasks:
            for _ in range(MANY):
                tasks.start_soon(add)
        results["sums"] = sorted(filter(None, sums))
        results["items"] = [item async for item in store.items("s")]

        results["watched"] = []
        async with aclosing(store.watch("colour", after=since)) as batches:
            async for batch in batches:
                results["watched"] += [change.value for change in batch.changes]
                if len(results["watched"]) >= 2:
                    break

        async with store.lock("door", lease_s=LONG_S) as grant:
            results["add with a lock"] = await grant.execute(["add", "guarded", 1])
            with pytest.raises(NotDone, match="not granted"):
                async with store.lock("door", wait_s=0.1):
                    pass
        with pytest.raises(LockLost):
            await grant.put("guarded", 2)
        async with store.lock("door", wait_s=LONG_S) as later:
            results["later token is higher"] = later.token > grant.token
        results["guarded"] = await store.get("guarded")
    return results


EVERYTHING = {
    "get": "blue",
    "stale": str,
    "cas": [False, True],
    "append": 2,
    "transact": [[None, 3], None],
    "delete": [True, False],
    "add to a list": None,
    "sums": list(range(1, MANY + 1)),
    "items": [("sum", MANY)],
    "watched": [[1], [1, 2]],
    "add with a lock": 1,
    "later token is higher": True,
    "guarded": 1,
}


@ON_BOTH
def test_in_simulation_it_does_everything(runtime: RuntimeName) -> None:
    with replicas() as world:
        assert simulated(world, runtime, partial(use_everything, ADDRESSES)) == EVERYTHING


@ON_BOTH
def test_on_localhost_it_does_everything(runtime: RuntimeName, tmp_path: Path) -> None:
    with living(KvTown(tmp_path)) as town:
        addresses = [Address.parse(town.addresses[name]) for name in ("1", "2", "3")]
        assert on_localhost(runtime, partial(use_everything, addresses)) == EVERYTHING


@ON_BOTH
def test_the_same_seed_gives_the_same_run(runtime: RuntimeName) -> None:
    digests = []
    for _ in range(2):
        with replicas(seed=3) as world:
            simulated(world, runtime, partial(use_everything, ADDRESSES))
            digests.append(world.digest)

    assert digests[0] == digests[1]


@ON_BOTH
@pytest.mark.parametrize("seed", range(4))
def test_each_operation_is_executed_once_although_a_replica_dies_and_another_is_cut_off(
    runtime: RuntimeName, seed: int
) -> None:
    outcomes: list[str] = []

    async def main() -> int:
        async with AsyncClient(ADDRESSES, timeout_s=30) as store:

            async def add(number: int) -> None:
                await anyio.sleep(number * 0.05)
                try:
                    await store.add("sum", 1)
                    outcomes.append("done")
                except (NotDone, Unsure) as error:
                    outcomes.append(type(error).__name__)

            async with anyio.create_task_group() as tasks:
                for number in range(200):
                    tasks.start_soon(add, number)
            return int(await store.get("sum", timeout_s=30))

    with replicas(seed) as world:
        victim = world.machines[NODES[seed % 3]]
        world.call_later(3, victim.kill)
        world.call_later(5, victim.restart)
        world.call_later(6, world.machines[NODES[(seed + 1) % 3]].pause)
        world.call_later(9, world.machines[NODES[(seed + 1) % 3]].resume)
        total = simulated(world, runtime, main)

    assert len(outcomes) == 200
    assert outcomes.count("done") <= total <= 200 - outcomes.count("NotDone")
    assert outcomes.count("done") > 150, "vacuous: it hardly worked"


@ON_BOTH
def test_it_works_with_several_groups(runtime: RuntimeName) -> None:
    async def main() -> list[tuple[str, Any]]:
        async with AsyncClient(ADDRESSES, timeout_s=LONG_S) as store:
            async with anyio.create_task_group() as tasks:
                for number in range(20):
                    tasks.start_soon(store.put, f"k{number:02}", number)
            return [item async for item in store.items("k")]

    with replicas(groups=3) as world:
        assert simulated(world, runtime, main) == [(f"k{n:02}", n) for n in range(20)]


class Counting(Transport):
    """Counts connections."""

    opened: list[Address] = []  # noqa: RUF012

    async def connect(self, address: Address) -> AnyByteStream:
        self.opened.append(address)
        return await super().connect(address)


@ON_BOTH
def test_all_operations_share_one_connection_to_each_replica(runtime: RuntimeName) -> None:
    transport = Counting()
    transport.opened.clear()

    async def main() -> None:
        client = AsyncClient(ADDRESSES, transport=transport)
        async with client as store, anyio.create_task_group() as tasks:
            for _ in range(MANY):
                tasks.start_soon(store.add, "sum", 1)

    with replicas() as world:
        world.run(until_s=5)
        simulated(world, runtime, main)

    assert transport.opened
    assert len(transport.opened) == len(set(transport.opened))


@ON_BOTH
def test_what_is_in_progress_when_the_client_is_closed_has_an_outcome(runtime: RuntimeName) -> None:
    async def main() -> list[str]:
        outcomes: list[str] = []

        async def put() -> None:
            try:
                await store.put("k", 1, timeout_s=60)
            except (NotDone, Unsure) as error:
                outcomes.append(str(error))

        async with anyio.create_task_group() as tasks, AsyncClient([Address("nowhere", 1)]) as store:
            for _ in range(3):
                tasks.start_soon(put)
            await anyio.sleep(0.3)
        return outcomes

    with World(1) as world:
        world.machine("nowhere")
        outcomes = simulated(world, runtime, main)
        assert world.now_s < 5

    assert outcomes == ["the client is closed"] * 3


@ON_BOTH
def test_an_error_of_the_body_is_raised_as_it_is(runtime: RuntimeName) -> None:
    async def main() -> None:
        async with AsyncClient([Address("127.0.0.1", 1)]):
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        on_localhost(runtime, main)


@ON_BOTH
def test_what_waits_too_long_for_its_turn_is_not_done(runtime: RuntimeName) -> None:
    async def main() -> list[str]:
        outcomes: list[str] = []
        async with AsyncClient(ADDRESSES, in_progress_max=1) as store:

            async def get(timeout_s: float) -> None:
                try:
                    await store.get("k", timeout_s=timeout_s)
                except NotDone as error:
                    outcomes.append(str(error))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(get, 3)
                await anyio.sleep(0.1)
                tasks.start_soon(get, 1)
        return outcomes

    with World(1) as world:
        for name in NODES:
            world.machine(name)
        outcomes = simulated(world, runtime, main)

    assert outcomes[0] == "its turn did not come within 1 s"
    assert len(outcomes) == 2


@ON_BOTH
def test_a_lock_is_kept_longer_than_its_lease_and_passes_on_when_its_holder_is_gone(
    runtime: RuntimeName,
) -> None:
    times: dict[str, float] = {}

    async def hold() -> None:
        async with AsyncClient(ADDRESSES) as store, store.lock("door", lease_s=1):
            times["held"] = anyio.current_time()
            await anyio.sleep_forever()

    async def main() -> None:
        async with AsyncClient(ADDRESSES) as store:
            await anyio.sleep(2)
            async with store.lock("door", lease_s=1) as grant:
                assert not grant.is_lost

    with replicas() as world:
        holder = world.machine("holder", is_node=False)
        holder.start(hold, runtime=runtime)
        world.call_later(20, holder.kill)
        simulated(world, runtime, main)
        ended_s = world.now_s

    assert times["held"] < 5
    assert 20 < ended_s < 23
