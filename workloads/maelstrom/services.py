"""Maelstrom's services, which nodes can build on: lin-kv, seq-kv, lww-kv and lin-tso.

Each service is a value: a request returns its next state and the body of the answer. Where the documentation
of a service allows several answers, the random numbers and the time that are passed in choose one. See
`services.md` of Maelstrom.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from ostrakon.checkers.value import Key, canonical
from ostrakon.workloads.maelstrom.message import (
    KEY_DOES_NOT_EXIST,
    MALFORMED,
    NOT_SUPPORTED,
    PRECONDITION_FAILED,
    Body,
    error,
)

STATES_KEPT = 32
"""How many of its last states seq-kv may still show."""
REPLICAS = 5
"""The number of independent replicas of lww-kv."""
SKEW_NS_MAX = 50_000_000
"""How far the clock of a replica of lww-kv may be off, either way, in nanoseconds."""


class Request(NamedTuple):
    """One request to a service."""

    client: str
    """The `src` of the message: the node that asks."""
    body: Body
    now_ns: int = 0
    """The time at which the request arrives."""


class Service(Protocol):
    """A service in some state."""

    def serve(self, request: Request, rng: random.Random) -> tuple[Service, Body]:
        """The state after a request, and the answer without `in_reply_to`."""


def services(rng: random.Random) -> dict[str, Service]:
    """All services as they are when a trial begins, by name; `rng` draws the clocks of lww-kv."""
    return {
        "lin-kv": Linearizable(),
        "seq-kv": Sequential(),
        "lww-kv": LastWriteWins.drawn(rng),
        "lin-tso": TimestampOracle(),
    }


class Written(NamedTuple):
    """A value and the moment of its write."""

    value: Any
    stamp: tuple[int, int] = (0, 0)
    """The time of the write by the clock of the replica, in nanoseconds, and the replica's number."""


Store = Mapping[Key, Written]
"""Written values by key."""


class Malformed(Exception):
    """A request lacks a field, or has a type that the service does not know; `body` is the answer."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.body = error(code, text)


def apply(store: Store, body: Body, stamp: tuple[int, int] = (0, 0)) -> tuple[Store, Body]:
    """A key-value store after a request, and the answer. The same object is returned if nothing changes."""
    try:
        return _applied(store, body, stamp)
    except Malformed as malformed:
        return store, malformed.body


def _applied(store: Store, body: Body, stamp: tuple[int, int]) -> tuple[Store, Body]:
    match kind := body.get("type"):
        case "read":
            held = store.get(canonical(_field(body, "key")))
            return store, _absent(body) if held is None else {"type": "read_ok", "value": held.value}
        case "write":
            return _put(store, body, "value", stamp), {"type": "write_ok"}
        case "cas":
            held, expected = store.get(canonical(_field(body, "key"))), _field(body, "from")
            if held is None and not body.get("create_if_not_exists"):
                return store, _absent(body)
            if held is not None and canonical(held.value) != canonical(expected):
                why = f"the value of {body['key']!r} is {held.value!r}, not {expected!r}"
                return store, error(PRECONDITION_FAILED, why)
            return _put(store, body, "to", stamp), {"type": "cas_ok"}
    raise Malformed(NOT_SUPPORTED, f"a key-value store has read, write and cas, and no {kind!r}")


def _put(store: Store, body: Body, source: str, stamp: tuple[int, int]) -> Store:
    key, value = canonical(_field(body, "key")), _field(body, source)
    held = store.get(key)
    if held is not None:
        is_same = held.stamp == stamp and canonical(held.value) == canonical(value)
        if is_same or held.stamp > stamp:
            return store
    return {**store, key: Written(value, stamp)}


def _field(body: Body, name: str) -> Any:
    if name not in body:
        raise Malformed(MALFORMED, f"a {body['type']} has a field {name!r}, and this has {sorted(body)}")
    return body[name]


def _absent(body: Body) -> Body:
    return error(KEY_DOES_NOT_EXIST, f"there is no key {body['key']!r}")


@dataclass(frozen=True, slots=True)
class Linearizable:
    """`lin-kv`: each request acts on the newest state."""

    store: Store = field(default_factory=dict)

    def serve(self, request: Request, rng: random.Random) -> tuple[Linearizable, Body]:
        """Draws nothing."""
        store, answer = apply(self.store, request.body)
        return replace(self, store=store), answer


@dataclass(frozen=True, slots=True)
class Sequential:
    """`seq-kv`: a request that changes nothing may act on a past state.

    All clients see the same sequence of states, and no client goes back in it. So there is a total order of
    all requests that agrees with the order of each client's own, which is sequential consistency. A client
    may lag behind the others as far as `STATES_KEPT` states. A request that changes a past state acts on the
    newest state instead, because the past states have been seen.
    """

    states: tuple[Store, ...] = ({},)
    """The last states, the newest last."""
    newest: int = 0
    """The number of the newest state, from 0."""
    seen: Mapping[str, int] = field(default_factory=dict)
    """The number of the last state that each client has seen."""

    def serve(self, request: Request, rng: random.Random) -> tuple[Sequential, Body]:
        """Draws the state to act on."""
        oldest = self.newest - len(self.states) + 1
        at = rng.randint(max(oldest, self.seen.get(request.client, 0)), self.newest)
        past = self.states[at - oldest]
        store, answer = apply(past, request.body)
        if store is past:
            return replace(self, seen={**self.seen, request.client: at}), answer
        store, answer = apply(self.states[-1], request.body)
        if store is self.states[-1]:
            return replace(self, seen={**self.seen, request.client: self.newest}), answer
        newest = self.newest + 1
        states = (*self.states, store)[-STATES_KEPT:]
        return Sequential(states, newest, {**self.seen, request.client: newest}), answer


@dataclass(frozen=True, slots=True)
class LastWriteWins:
    """`lww-kv`: replicas that merge now and then, by the times of writes; their clocks are skewed.

    A request acts on a replica that is drawn. Before that, one replica that is drawn takes over what another
    has, and of two values of a key keeps the one with the later time. So a write whose replica's clock is
    slow is lost although it came last, and of two concurrent writes one is lost.
    """

    replicas: tuple[Store, ...]
    skews_ns: tuple[int, ...]
    """How far the clock of each replica is ahead, in nanoseconds; negative if it is behind."""

    @classmethod
    def drawn(cls, rng: random.Random) -> LastWriteWins:
        """Empty replicas with clocks that are drawn."""
        skews_ns = tuple(rng.randint(-SKEW_NS_MAX, SKEW_NS_MAX) for _ in range(REPLICAS))
        return cls(({},) * REPLICAS, skews_ns)

    def serve(self, request: Request, rng: random.Random) -> tuple[LastWriteWins, Body]:
        """Draws the replicas that merge, and the one that serves the request."""
        source, target, at = (rng.randrange(len(self.replicas)) for _ in range(3))
        replicas = list(self.replicas)
        replicas[target] = merged(replicas[target], replicas[source])
        stamp = (request.now_ns + self.skews_ns[at], at)
        replicas[at], answer = apply(replicas[at], request.body, stamp)
        return replace(self, replicas=tuple(replicas)), answer


def merged(one: Store, other: Store) -> Store:
    """Of each key, the value that was written later."""
    newer = {key: held for key, held in other.items() if key not in one or one[key].stamp < held.stamp}
    return {**one, **newer} if newer else one


@dataclass(frozen=True, slots=True)
class TimestampOracle:
    """`lin-tso`: gives out 0, 1, 2, ..., one number for each request."""

    next_ts: int = 0

    def serve(self, request: Request, rng: random.Random) -> tuple[TimestampOracle, Body]:
        """Draws nothing."""
        if (kind := request.body.get("type")) != "ts":
            return self, error(NOT_SUPPORTED, f"lin-tso has ts, and no {kind!r}")
        return replace(self, next_ts=self.next_ts + 1), {"type": "ts_ok", "ts": self.next_ts}
