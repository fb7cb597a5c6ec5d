"""The kinds of fault that can be asked for by name, and how one of each is aimed at a cluster."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from harness.nemesis import grudge
from harness.nemesis.grudge import Grudge
from harness.plan import FAULT_KINDS

Aim = Callable[[Sequence[str], random.Random], Mapping[str, Any]]
"""Given the nodes that may be struck, the fields of a `Fault` that say whom it strikes and how hard."""


@dataclass(frozen=True, slots=True)
class FaultKind:
    """Something that `--nemesis` can be given."""

    name: str
    about: str
    """One line for people."""
    kind: str
    """What `Fault.kind` it is drawn as."""
    aim: Aim
    ms_min: int
    ms_max: int
    """How long it lasts: long enough for time-outs to fire, short enough for the cluster to recover."""

    @property
    def takes_down(self) -> bool:
        """Whether struck nodes do not answer while it lasts."""
        return self.kind in ("pause", "kill", "power_loss")


class UnknownFault(Exception):
    """There is no kind of fault of this name; the message offers those that are near."""

    def __init__(self, name: str) -> None:
        known = sorted({*FAULTS, *GROUPS})
        near = get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known)}"
        super().__init__(f"there is no fault called {name!r}; {hint}")
        self.name, self.near = name, tuple(near)


def fault_kinds(names: Sequence[str], rng: random.Random) -> tuple[FaultKind, ...]:
    """The kinds meant by these names, groups resolved, each once; `mixed` draws some of all.

    Raises: UnknownFault.
    """
    chosen: dict[str, FaultKind] = {}
    for name in names:
        if name not in FAULTS and name not in GROUPS:
            raise UnknownFault(name)
        for member in _members(name, rng):
            chosen[member] = FAULTS[member]
    return tuple(chosen.values())


def _members(name: str, rng: random.Random) -> Sequence[str]:
    if name == "mixed":
        return sorted(rng.sample(_ALL, rng.randint(1, len(_ALL))))
    if name == "all":
        return _ALL
    return () if name == "none" else (name,)


MESSAGE_KINDS = ("delay", "reorder", "drop", "duplicate")
"""The kinds that strike messages, and so need no victim among the nodes."""
_ALL = FAULT_KINDS

GROUPS: Mapping[str, str] = {
    "all": "every kind in turn",
    "mixed": "some kinds, drawn anew for each trial; leaving some out finds what their presence hides",
    "none": "no faults at all",
}
"""Names that stand for several kinds, with a line about each."""


def _shaped(shape: str, draw: Callable[[Sequence[str], random.Random], Grudge]) -> Aim:
    return lambda nodes, rng: {"grudge": draw(nodes, rng), "shape": shape}


def _one_way(nodes: Sequence[str], rng: random.Random) -> Grudge:
    if len(nodes) < 2:
        return {}
    victim = rng.choice(sorted(nodes))
    return rng.choice([grudge.send_only, grudge.receive_only])(nodes, victim)


def _bridge(nodes: Sequence[str], rng: random.Random) -> Grudge:
    return grudge.bridge(rng.sample(sorted(nodes), len(nodes)))


_SHAPES: Mapping[str, tuple[Callable[[Sequence[str], random.Random], Grudge], str]] = {
    "halves": (lambda nodes, rng: grudge.halves(nodes), "the first half of the nodes against the second"),
    "random-halves": (grudge.random_halves, "two halves, drawn anew each time"),
    "one": (grudge.one, "one node against all others"),
    "minority": (grudge.minority, "fewer than half of the nodes against the others"),
    "majority": (grudge.majority, "the barest majority against the others"),
    "majorities-ring": (grudge.majorities_ring, "every node hears a majority, and no two the same"),
    "bridge": (_bridge, "two halves, and one node that both hear"),
    "one-way": (_one_way, "one node is heard and hears nobody, or hears and is not heard"),
}


def _any_shape(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    shape = rng.choice(sorted(_SHAPES))
    return _shaped(shape, _SHAPES[shape][0])(nodes, rng)


def _victims(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
    """One node half of the time, else any number, all of them included."""
    if not nodes:
        return {"nodes": ()}
    count = 1 if rng.random() < 0.5 else rng.randint(1, len(nodes))
    return {"nodes": tuple(sorted(rng.sample(sorted(nodes), count)))}


def _messages(ms_max: float) -> Aim:
    """All links half of the time, else those of one node; few messages or many, a little or a lot."""

    def aim(nodes: Sequence[str], rng: random.Random) -> Mapping[str, Any]:
        fields: dict[str, Any] = {"probability": round(rng.uniform(0.05, 0.5), 2)}
        if ms_max:
            fields["ms"] = round(ms_max ** rng.uniform(0.3, 1.0), 1)
        if rng.random() < 0.5 and len(nodes) > 1:
            victim = rng.choice(sorted(nodes))
            others = [node for node in nodes if node != victim]
            links = [(victim, node) for node in others] + [(node, victim) for node in others]
            fields |= {"links": tuple(sorted(links)), "shape": f"links of {victim}"}
        return fields

    return aim


def _registry() -> Mapping[str, FaultKind]:
    kinds = [FaultKind("partition", "a partition of any shape", "partition", _any_shape, 200, 2000)]
    kinds += [
        FaultKind(shape, f"a partition: {about}", "partition", _shaped(shape, draw), 200, 2000)
        for shape, (draw, about) in _SHAPES.items()
    ]
    kinds += [
        FaultKind("pause", "processes stand still (SIGSTOP) and go on", "pause", _victims, 50, 1500),
        FaultKind("kill", "processes are killed (SIGKILL) and restarted", "kill", _victims, 50, 1500),
        FaultKind(
            "power_loss", "machines lose power and what was not synced", "power_loss", _victims, 50, 1500
        ),
        FaultKind("delay", "some messages are late", "delay", _messages(300), 200, 2000),
        FaultKind("reorder", "some messages are overtaken by others", "reorder", _messages(300), 200, 2000),
        FaultKind("drop", "some messages are lost", "drop", _messages(0), 200, 2000),
        FaultKind("duplicate", "some messages arrive twice", "duplicate", _messages(300), 200, 2000),
    ]
    return {kind.name: kind for kind in kinds}


FAULTS: Mapping[str, FaultKind] = _registry()
"""Every kind of fault by name."""
