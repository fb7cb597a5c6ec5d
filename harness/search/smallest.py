"""The smallest plans there are: what a failure may well be shown by, whatever plan it was met in.

Shrinking leaves out one thing after the other, and ends where each that is left is needed for the others. But
most faults of a system show in a small scope if they show at all (Jackson, Software Abstractions, 2006), and
there it does not take long to try all there is: a few nodes and clients, and at most one fault. That not all
goes alike is up to latencies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from ostrakon.harness.plan import Fault, Latency, Plan

_Links = tuple[tuple[str, str], ...]
_CLIENTS = (2, 3)
_RATE = 0.1
"""So slow that clients do one thing each, at the beginning."""
_NEAR, _ALIKE = Latency("uniform", 0.0, 1.0), Latency("uniform", 0.0, 10.0)
_APART = Latency("lognormal", 1.0, 20.0)
"""Messages that take no longer than what happens at a node, such as do, and such that some stay behind."""
_CALM_S, _CALM_SEEDS = 0.01, 4
"""How long clients act where nothing goes wrong, and how often with each latency."""
_STRUCK = ((0.5, _APART), (0.2, _NEAR))
"""How long faults of messages last, until timers have fired or until something was chosen, and latencies."""
_CRASHES, _CRASHES_MS, _DOWN_MS = ("kill", "power_loss"), (5, 20), 10
"""How a node goes down and comes back while there is something to forget."""


def calm_plans(plan: Plan, nodes: Sequence[int]) -> Iterator[Plan]:
    """Plans of the same workload and bug for so many nodes in which nothing goes wrong."""
    for shaped in _shapes(plan, nodes, _CALM_S):
        for latency in (_ALIKE, _NEAR, _APART):
            for seed in range(_CALM_SEEDS):
                yield replace(shaped, latency=latency, seed=seed)


def struck_plans(plan: Plan, nodes: Sequence[int], kinds: Sequence[str]) -> Iterator[Plan]:
    """The same with one fault: messages of these kinds are lost or come twice, or a node crashes."""
    for count in nodes:
        for time_limit_s, latency in _STRUCK:
            for shaped in _shapes(plan, (count,), time_limit_s):
                for fault in (*_faults_of_messages(shaped, kinds), *_crashes(shaped.names)):
                    yield replace(shaped, latency=latency, seed=0, faults=(fault,))


def _shapes(plan: Plan, nodes: Sequence[int], time_limit_s: float) -> Iterator[Plan]:
    bare = replace(plan, options={}, nemesis=(), faults=(), deviations=(), liveness_s=None, buggify=0.0)
    for count in nodes:
        for clients in _CLIENTS:
            yield replace(bare, nodes=count, concurrency=clients, rate=_RATE, time_limit_s=time_limit_s)


def _faults_of_messages(plan: Plan, kinds: Sequence[str]) -> Iterator[Fault]:
    for_ms = int(1000 * plan.time_limit_s)
    for kind in ("", *kinds):
        yield Fault("duplicate", 0, for_ms, probability=1.0, message=kind)
        for links in _sides(plan.names):
            yield Fault("drop", 0, for_ms, links=links, probability=1.0, message=kind)


def _crashes(names: Sequence[str]) -> Iterator[Fault]:
    for crash in _CRASHES:
        for name in names:
            for at_ms in _CRASHES_MS:
                yield Fault(crash, at_ms, _DOWN_MS, nodes=(name,))


def _sides(names: Sequence[str]) -> Iterator[_Links]:
    """All links, those from one node, and those to one; each choice of links once."""
    sides: list[_Links] = [()]
    for name in names:
        sides += said_and_heard(name, names)
    return iter(dict.fromkeys(sides))


def said_and_heard(name: str, names: Sequence[str]) -> tuple[_Links, _Links]:
    """The links from one node to all others, and those from them to it."""
    others = [other for other in names if other != name]
    return tuple((name, other) for other in others), tuple((other, name) for other in others)
