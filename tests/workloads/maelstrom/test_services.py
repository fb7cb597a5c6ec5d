"""Each service is as strong as its documentation says and no stronger, by the judgement of the checkers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Literal

from hypothesis import given
from hypothesis import strategies as st

from ostrakon.checkers.consistency.sequential import sequential
from ostrakon.checkers.linearizability import linearizable
from ostrakon.harness.history import History, Op
from ostrakon.workloads.maelstrom.message import Body
from ostrakon.workloads.maelstrom.services import (
    LastWriteWins,
    Linearizable,
    Request,
    Sequential,
    Service,
    Store,
    TimestampOracle,
    Written,
    merged,
    services,
)

CLIENTS, KEYS = ("n1", "n2", "n3"), ("x", "y")
OpType = Literal["ok", "fail"]
SEEDS = st.integers(0, 2**32)
STORES = st.dictionaries(
    st.sampled_from(KEYS),
    st.builds(Written, st.integers(0, 3), st.tuples(st.integers(0, 3), st.integers(0, 3))),
)


def bodies(rng: random.Random, count: int, *, cas: bool) -> Iterator[tuple[str, Body]]:
    """Requests of several clients; no value is written twice."""
    for number in range(count):
        client, key = rng.choice(CLIENTS), rng.choice(KEYS)
        kind = rng.choice(["read", "read", "write", *(["cas"] if cas else [])])
        match kind:
            case "read":
                yield client, {"type": "read", "key": key}
            case "write":
                yield client, {"type": "write", "key": key, "value": number}
            case _:
                yield client, {"type": "cas", "key": key, "from": rng.randrange(number + 1), "to": number}


def history_of(service: Service, seed: int, count: int, *, cas: bool = False) -> History:
    """What clients see of a service that they ask one after the other, a millisecond apart."""
    rng = random.Random(seed)
    ops: list[Op] = []
    for number, (client, body) in enumerate(bodies(rng, count, cas=cas)):
        service, answer = service.serve(Request(client, body, number * 1_000_000), rng)
        process, key = CLIENTS.index(client), body["key"]
        asked = {"read": None, "write": body.get("value"), "cas": [body.get("from"), body.get("to")]}[
            body["type"]
        ]
        value = [key, answer.get("value")] if body["type"] == "read" else [key, asked]
        ended: OpType = "fail" if answer["type"] == "error" and body["type"] != "read" else "ok"
        ops.append(Op(len(ops), number * 10, "invoke", process, body["type"], [key, asked]))
        ops.append(Op(len(ops), number * 10 + 5, ended, process, body["type"], value))
    return History(ops)


@given(SEEDS)
def test_lin_kv_is_linearizable(seed: int) -> None:
    assert linearizable(history_of(Linearizable(), seed, 40, cas=True), "keyed-cas-register").valid == "valid"


@given(SEEDS)
def test_seq_kv_is_sequentially_consistent(seed: int) -> None:
    history = history_of(Sequential(), seed, 30)

    assert sequential(history).valid in ("valid", "unknown")


def test_seq_kv_is_not_linearizable() -> None:
    verdicts = {
        linearizable(history_of(Sequential(), seed, 40), "keyed-cas-register").valid for seed in range(20)
    }

    assert "invalid" in verdicts


@given(SEEDS)
def test_no_client_of_seq_kv_goes_back(seed: int) -> None:
    rng, service = random.Random(seed), Sequential()
    seen = dict.fromkeys(CLIENTS, 0)
    for client, body in bodies(rng, 60, cas=True):
        service, _ = service.serve(Request(client, body), rng)
        assert service.seen[client] >= seen[client]
        seen[client] = service.seen[client]


def test_seq_kv_may_put_a_write_that_changes_nothing_into_the_past() -> None:
    """The example of Maelstrom's documentation: n1 writes 1, n2 swaps 1 for 2, n1 writes 1, n2 reads 2."""
    story: list[tuple[str, Body]] = [
        ("n1", {"type": "write", "key": "x", "value": 1}),
        ("n2", {"type": "cas", "key": "x", "from": 1, "to": 2}),
        ("n1", {"type": "write", "key": "x", "value": 1}),
        ("n2", {"type": "read", "key": "x"}),
    ]

    def told(seed: int) -> list[Any]:
        rng, service = random.Random(seed), Sequential()
        answers = []
        for client, body in story:
            service, answer = service.serve(Request(client, body), rng)
            answers.append(answer.get("value", answer["type"]))
        return answers

    assert ["write_ok", "cas_ok", "write_ok", 2] in [told(seed) for seed in range(50)]


def test_lww_kv_loses_writes() -> None:
    verdicts = {
        linearizable(
            history_of(LastWriteWins.drawn(random.Random(seed)), seed, 40), "keyed-cas-register"
        ).valid
        for seed in range(10)
    }
    assert verdicts == {"invalid"}

    def survives(seed: int) -> bool:
        """Whether the write that came last is what all replicas come to hold."""
        rng = random.Random(seed)
        service: Service = LastWriteWins.drawn(rng)
        for number in range(10):
            body = {"type": "write", "key": "x", "value": number}
            service, _ = service.serve(Request("n1", body, number * 1_000_000), rng)
        for _ in range(200):
            service, answer = service.serve(Request("n1", {"type": "read", "key": "x"}, 10**12), rng)
        return bool(answer["value"] == 9)

    assert {survives(seed) for seed in range(40)} == {True, False}


@given(SEEDS)
def test_the_replicas_of_lww_kv_come_to_agree_when_nobody_writes_any_more(seed: int) -> None:
    rng = random.Random(seed)
    service = LastWriteWins.drawn(rng)
    for number, (client, body) in enumerate(bodies(rng, 30, cas=True)):
        service, _ = service.serve(Request(client, body, number * 1_000_000), rng)
    for _ in range(500):
        service, _ = service.serve(Request("n1", {"type": "read", "key": "x"}, 10**12), rng)

    assert all(replica == service.replicas[0] for replica in service.replicas)


@given(STORES, STORES, STORES)
def test_the_order_in_which_replicas_merge_does_not_matter(one: Store, other: Store, third: Store) -> None:
    stamps = [held.stamp for store in (one, other, third) for held in store.values()]
    if len(set(stamps)) < len(stamps):
        return  # Two writes never have the same stamp.

    assert merged(one, other) == merged(other, one)
    assert merged(merged(one, other), third) == merged(one, merged(other, third))
    assert merged(one, one) == one


def test_a_cas_creates_a_key_only_if_it_is_asked_to() -> None:
    body = {"type": "cas", "key": "x", "from": 0, "to": 1}
    service, refused = Linearizable().serve(Request("n1", body), random.Random(0))
    service, created = service.serve(Request("n1", {**body, "create_if_not_exists": True}), random.Random(0))

    assert (refused["code"], created["type"]) == (20, "cas_ok")
    assert service.serve(Request("n1", {"type": "read", "key": "x"}), random.Random(0))[1]["value"] == 1


def test_lin_tso_counts_from_0() -> None:
    service, given = TimestampOracle(), []
    for _ in range(3):
        service, answer = service.serve(Request("n1", {"type": "ts"}), random.Random(0))
        given.append(answer)

    assert given == [{"type": "ts_ok", "ts": ts} for ts in range(3)]


def test_a_request_that_no_service_knows_is_answered_with_an_error() -> None:
    for name, service in services(random.Random(1)).items():
        _, answer = service.serve(Request("n1", {"type": "frobnicate"}), random.Random(0))
        assert answer["type"] == "error", name
        assert answer["code"] == 10, name

    _, answer = Linearizable().serve(Request("n1", {"type": "write", "key": 1}), random.Random(0))
    assert (answer["code"], answer["text"]) == (
        12,
        "a write has a field 'value', and this has ['key', 'type']",
    )


def test_true_is_not_1_and_a_key_may_be_any_json() -> None:
    service: Service = Linearizable()
    for value in (1, True):
        body = {"type": "write", "key": [1, {"a": None}], "value": value}
        service, _ = service.serve(Request("n1", body), random.Random(0))

    _, answer = service.serve(Request("n1", {"type": "read", "key": [1, {"a": None}]}), random.Random(0))

    assert answer["value"] is True
