"""What people expect of a store: lists by pages, a health check, times and limits as options, another
machine."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ostrakon.paxos_impl.client.asynchronous import LockLost
from ostrakon.paxos_impl.client.blocking import BlockingClient
from ostrakon.paxos_impl.kv.machine import StateMachine
from ostrakon.paxos_impl.kv.queue import Queue
from ostrakon.paxos_impl.wire.membership import Address
from tests.paxos_impl.town import KvTown, living, paxos
from tests.ports import LONG_S


@pytest.fixture
def town(tmp_path: Path) -> Iterator[KvTown]:
    with living(KvTown(tmp_path)) as town:
        yield town


def addresses(town: KvTown) -> list[Address]:
    return [Address.parse(town.addresses[name]) for name in ("1", "2", "3")]


def test_keys_are_listed_in_order_by_prefix_and_page(town: KvTown) -> None:
    keys = [f"user/{number:04}" for number in range(1500)]
    with BlockingClient(addresses(town)) as client:
        for first in range(0, len(keys), 500):
            puts = [["put", key, 1] for key in keys[first : first + 500]]
            client.execute(["txn", [], puts], timeout_s=LONG_S)
        client.execute(["put", "another", {"a": 1}], timeout_s=LONG_S)

        assert town.kv("list", "user/", "--keys-only") == (0, "\n".join(keys))
        assert town.kv("list", "a") == (0, 'another\t{"a":1}')
        assert town.kv("list", "user/", "--keys-only", "--from", "user/1498") == (0, "\n".join(keys[-2:]))
        assert town.kv("list", "user/", "--keys-only", "--limit", "2") == (0, "\n".join(keys[:2]))
        assert town.kv("list", "nothing") == (0, "")


def test_many_operations_of_one_client_are_in_progress_at_once(town: KvTown) -> None:
    with BlockingClient(addresses(town)) as client, ThreadPoolExecutor(8) as threads:
        sums = list(
            threads.map(lambda _: client.execute(["add", "x", 1], timeout_s=LONG_S).result, range(40))
        )

    assert sorted(sums) == list(range(1, 41))


def test_a_client_without_async_holds_locks_and_watches(town: KvTown) -> None:
    with BlockingClient(addresses(town), timeout_s=LONG_S) as client:
        since = client.put("x", 1)
        with client.lock("door") as grant:
            grant.put("x", 2)
            assert grant.execute(["add", "x", 1]) == 3
        with pytest.raises(LockLost):
            grant.put("x", 4)
        assert client.transact([["delete", "x"]], given={"x": 3}) == [True]
        assert list(client.items("x")) == []
        batches = client.watch("x", after=since)
        seen: list[object] = []
        while len(seen) < 3:
            seen += [change.value for change in next(batches).changes]
        batches.close()

    assert seen == [2, 3, None]


def test_health_tells_a_load_balancer_who_serves(town: KvTown) -> None:
    town.kv("put", "x", "1")

    assert paxos("kv", "health", "--node", town.addresses["1"], "--timeout", f"{LONG_S}").status == 0
    town.kill("1")
    gone = paxos("kv", "health", "--node", town.addresses["1"], "--timeout", "0.5")
    assert gone.status == 1
    assert "no answer" in gone.said


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--lease-ms", "2000"], "longer than the election time"),
        (["--machine", "ostrakon.paxos_impl.kv.queue:Nothing"], "can't be made"),
        (["--machine", "builtins:dict"], "is no state machine"),
        (["--machine", "ostrakon.paxos_impl.kv.queue:Queue", "--groups", "2"], "one group"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_words(
    tmp_path: Path, options: list[str], why: str
) -> None:
    where = ["--listen", "127.0.0.1:1", "--registry", "127.0.0.1:2", "--data", str(tmp_path / "data")]
    ended = paxos("kv", "serve", *where, *options)

    assert ended.status == 254
    assert why in " ".join(ended.said.split())


class QueueTown(KvTown):
    options = ("--machine", "ostrakon.paxos_impl.kv.queue:Queue", "--election-ms", "300", "--lease-ms", "200")


def test_a_machine_of_ones_own_is_replicated_and_outlives_its_leader(tmp_path: Path) -> None:
    machine: StateMachine = Queue()
    assert machine.execute(["enqueue", 1]) == 1, "it is a machine"
    with living(QueueTown(tmp_path)) as town:
        for element in ("first", "second"):
            assert town.kv("do", "--raw", f'["enqueue", "{element}"]')[0] == 0
        assert town.kv("do", "--raw", '["dequeue"]') == (0, '["first"]')
        town.kill("1")
        assert town.kv("do", "--raw", '["length"]') == (0, "1")
        status, _ = town.kv("do", "--raw", '["fly"]')
        assert status == 1
