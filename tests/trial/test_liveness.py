"""A core that is well for good must get somewhere; if it does not, it is told whether it is stuck or busy."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.faults.grudge import majority_of
from ostrakon.harness.generator import OpRequest, each_thread, limit, repeat, stagger, until_ok
from ostrakon.harness.history import History, Op, OpType
from ostrakon.harness.liveness_phase import LivenessPhase, draw_liveness_phase, liveness, liveness_phase_of
from ostrakon.harness.plan import Latency, Plan, node_names
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import Trial, run
from ostrakon.harness.workload import Client, Site, Workload
from ostrakon.workloads.decree import DECREE
from ostrakon.workloads.register import REGISTER
from tests.trial.toy import PORT, Asker, toy

PEERS = 5000
TRIES = 40


async def ask_all(site: Site) -> set[str]:
    """Who answers this node's question within a moment."""
    answered = set()

    async def ask(peer: str) -> None:
        with trio.move_on_after(0.5), suppress(OSError, trio.BrokenResourceError):
            async with await trio.open_tcp_stream(peer, PEERS) as stream:
                await stream.send_all(b"?")
                if await stream.receive_some(1):
                    answered.add(peer)

    async with trio.open_nursery() as nursery:
        for peer in site.nodes:
            nursery.start_soon(ask, peer)
    return answered


async def reply(stream: trio.SocketStream) -> None:
    """Answer peers."""
    with suppress(trio.BrokenResourceError):
        async for _ in stream:
            await stream.send_all(b"!")


def serving(decide: Callable[[Site], Awaitable[None]]) -> Callable[[Site], Awaitable[None]]:
    """A node that answers its clients when it has decided, and its peers at once."""

    async def program(site: Site) -> None:
        async def handle(stream: trio.SocketStream) -> None:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                async for _ in stream:
                    await decide(site)
                    await stream.send_all(b"ok\n")

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_tcp, reply, PEERS)
            nursery.start_soon(trio.serve_tcp, handle, PORT)

    return program


async def wait_for_a_majority(site: Site) -> None:
    """What a quorum system does."""
    while len(await ask_all(site)) < majority_of(site.nodes):
        await trio.sleep(0.1)


async def ask_everyone_for_ever(site: Site) -> None:
    """One node too many is waited for, with ever new questions."""
    while len(await ask_all(site)) < len(site.nodes):
        await trio.sleep(0.1)


def wait_for_everyone() -> Callable[[Site], Awaitable[None]]:
    """One node too many is waited for, and when it has been missing once, in silence."""
    silent = set()

    async def wait_in_silence(site: Site) -> None:
        if site.name in silent or len(await ask_all(site)) < len(site.nodes):
            silent.add(site.name)
            await trio.sleep_forever()

    return wait_in_silence


@asynccontextmanager
async def connect(site: Site, process: int) -> AsyncIterator[Client]:
    """A client of one of the nodes it is told of."""
    async with await trio.open_tcp_stream(site.nodes[process % len(site.nodes)], PORT) as stream:
        yield Asker(stream)


def trial(decide: Callable[[Site], Awaitable[None]], *, seed: int = 1) -> Trial:
    """A quiet trial of three nodes, of which two are well in the end."""
    workload = replace_final(toy(serving(decide), asker=connect, timeout_s=2.0))
    plan = plan_for(workload, seed=seed, nodes=3, concurrency=3, time_limit_s=1.0, liveness_s=30.0)
    return run(plan, workload=workload)


def replace_final(workload: Workload) -> Workload:
    """The workload, whose clients ask again and again at the end."""
    from dataclasses import replace as with_fields

    def ask_at_last(plan: Plan, rng: random.Random) -> object:
        return each_thread(until_ok(limit(TRIES, stagger(0.2, repeat(OpRequest("ask")), rng=rng))))

    return with_fields(workload, final=ask_at_last)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(6))
def test_a_quorum_system_recovers_whatever_happens_to_the_others(seed: int) -> None:
    ran = trial(wait_for_a_majority, seed=seed)

    assert ran.valid == "valid", ran.why
    assert [op.f for op in ran.history.nemesis if op.f.startswith("start-")]


def test_a_system_that_waits_for_all_in_silence_is_deadlocked() -> None:
    ran = trial(wait_for_everyone())

    assert (ran.valid, ran.reason.split(" · ")[0]) == ("invalid", "deadlock")
    assert "in wait_in_silence" in ran.why, "it is told where they wait"
    assert "tried to ask" in ran.why


def test_a_system_that_asks_in_vain_for_ever_is_livelocked() -> None:
    ran = trial(ask_everyone_for_ever)

    assert (ran.valid, ran.reason.split(" · ")[0]) == ("invalid", "livelock")
    assert "go on exchanging messages" in ran.why


def ask_the_other_first() -> Callable[[Site], Awaitable[None]]:
    """Each node answers when the next one has answered it."""
    asking = set()

    async def ask(site: Site) -> None:
        if site.name in asking:
            await trio.sleep_forever()
        asking.add(site.name)
        at = site.nodes.index(site.name)
        async with await trio.open_tcp_stream(site.nodes[at - 1], PORT) as stream:
            await stream.send_all(b"?")
            await stream.receive_some(1)

    return ask


def test_nodes_that_wait_for_each_other_are_told_as_a_circle() -> None:
    workload = replace_final(toy(serving(ask_the_other_first()), asker=connect, timeout_s=2.0))
    plan = plan_for(workload, seed=1, nodes=2, concurrency=2, time_limit_s=1.0, liveness_s=10.0)
    ran = run(plan, workload=workload)

    assert (ran.valid, ran.reason.split(" · ")[0]) == ("invalid", "deadlock")
    assert "in a circle: n1 waits for n2 waits for n1" in ran.why
    assert "in ask for n2" in ran.why


@pytest.mark.parametrize("seed", range(2))
def test_a_replicated_store_goes_on_with_the_barest_majority(seed: int) -> None:
    ran = run(plan_for(REGISTER, seed=seed, nemesis="mixed", nodes=3, liveness_s=30.0), workload=REGISTER)

    assert ran.valid == "valid", ran.why
    assert ran.judgement is not None
    assert ran.judgement.to_json()["parts"]["M11"]["details"]["nodes"] == 2, "only the core has to converge"


def test_replicas_with_less_patience_than_a_ballot_takes_find_a_leader_all_the_same() -> None:
    plan = plan_for(
        find_workload("set"),
        seed=12,
        nemesis="partition",
        nodes=3,
        concurrency=4,
        rate=20.0,
        time_limit_s=1.0,
        latency=Latency("constant", 15.0, 15.0),
        buggify=1.0,
        liveness_s=20.0,
    )

    ran = run(plan)

    assert ran.recording.sometimes["impatient replica"]["fired"] == 2, "vacuous: the core is patient"
    assert ran.valid == "valid", ran.why


def test_a_store_that_waits_for_all_its_members_gets_nowhere_and_is_convicted() -> None:
    ran = run(plan_for(REGISTER, seed=1, nodes=3, concurrency=2, bug="waits-for-all"), workload=REGISTER)

    assert ran.plan.liveness_s is not None, "the bug brings along what it takes to see it"
    assert (ran.valid, ran.reason.split(" · ")[0]) == ("invalid", "livelock")
    assert "tried to write" in ran.why


def test_a_store_that_waits_for_all_its_members_is_safe_while_all_are_well() -> None:
    ran = run(
        replace(plan_for(REGISTER, seed=1, nodes=3, bug="waits-for-all"), liveness_s=None),
        workload=REGISTER,
    )

    assert ran.valid == "valid", ran.why


@pytest.mark.parametrize("seed", range(6))
def test_paxos_decides_with_the_barest_majority(seed: int) -> None:
    ran = run(plan_for(DECREE, seed=seed, nemesis="mixed", liveness_s=30.0), workload=DECREE)

    assert ran.valid == "valid", ran.why


ASKED, UNDONE = 10.0, "client 0 tried to write"


def judged(*ops: tuple[float, OpType, str | None]) -> list[str]:
    """What is found when the only client's ops of f `write` go like this: (time, type, error)."""
    history = History(
        Op(n, int(at_s * 1e9), type_, 0, "write", error=error) for n, (at_s, type_, error) in enumerate(ops)
    )
    found = liveness(
        LivenessPhase(("n1",), ()), history, since_ns=int(ASKED * 1e9), concurrency=1, traffic=(), waiting=()
    )
    return [finding.why for finding in found]


def test_a_try_that_fails_is_made_good_by_the_next_one_and_not_by_the_one_before() -> None:
    lost: tuple[OpType, str] = ("info", "no answer within 1 s")

    assert judged((10, "invoke", None), (11, *lost), (11, "invoke", None), (12, "ok", None)) == []
    assert judged((10, "invoke", None), (11, "fail", "it held another value")) == [], "that is an answer"
    (why,) = judged((10, "invoke", None), (11, "ok", None), (11, "invoke", None), (12, *lost))
    assert f"{UNDONE} 1 time in vain" in why
    (why,) = judged((10, "invoke", None), (11, "fail", "not available: there was no leader"))
    assert UNDONE in why


def test_without_anything_asked_of_the_core_nothing_is_shown() -> None:
    workload = toy(serving(wait_for_a_majority), asker=connect, timeout_s=2.0)
    plan = plan_for(workload, seed=1, nodes=3, concurrency=3, time_limit_s=1.0, liveness_s=5.0)

    ran = run(plan, workload=workload)

    assert (ran.valid, ran.why) == ("unknown", "nobody asked the core for anything once it was alone")


def test_what_was_begun_shortly_before_the_end_may_be_left_undone() -> None:
    over: tuple[OpType, str] = ("info", "the trial was over after 30 s")

    assert judged((10, "invoke", None), (11, "ok", None), (29, "invoke", None), (30, *over)) == []
    early: tuple[tuple[float, OpType, str | None], ...] = (
        (5, "invoke", None),
        (29, "invoke", None),
        (30, *over),
        (30, *over),
    )
    assert judged(*early) == [], "one was asked before the siege, the other has not been waited for"
    assert len(judged((10, "invoke", None), (30, *over))) == 1


@given(st.integers(0, 2**32), st.integers(1, 9))
def test_the_core_is_the_barest_majority_and_nothing_strikes_it(seed: int, size: int) -> None:
    nodes = node_names(size)

    siege = draw_liveness_phase(nodes, 1000, random.Random(seed))

    assert len(siege.core) == majority_of(nodes)
    for fault in siege.faults:
        assert not set(fault.nodes) & set(siege.core)
        cut_in_core = {sender for node in siege.core for sender in fault.grudge.get(node, ())}
        assert not cut_in_core & set(siege.core)


def test_a_plan_that_says_nothing_of_it_is_no_trial_of_liveness() -> None:
    plan = plan_for(DECREE, seed=1)

    assert liveness_phase_of(plan) is None
    assert liveness_phase_of(replace(plan, liveness_s=5.0)) == liveness_phase_of(
        replace(plan, liveness_s=9.0)
    )


def test_ops_that_could_not_even_be_asked_are_no_answers() -> None:
    async def deaf(site: Site) -> None:
        with trio.move_on_after(0.9):
            await serving(wait_for_a_majority)(site)
        await trio.sleep_forever()

    workload = replace_final(toy(deaf, asker=connect))

    plan = plan_for(workload, seed=1, nodes=3, concurrency=3, time_limit_s=1.0, liveness_s=20.0)
    ran = run(plan, workload=workload)

    assert {op.type for op in ran.history.clients if op.time > 5e9} == {"invoke", "fail"}
    assert (ran.valid, ran.reason.split(" · ")[0]) == ("invalid", "deadlock")
