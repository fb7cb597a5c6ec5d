"""A replicated log at its smallest: correct Multi-Paxos in which anything allowed may happen next.

Messages are not modelled: an acceptor may act on any request ever sent, at any later time or never.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from ostrakon.harness.history import Event, Trace

NODES, SLOTS, MAJORITY = ("n1", "n2", "n3"), 4, 2

Ballot = tuple[int, int]


def random_log(seed: int, steps: int = 200) -> Trace:
    """What happens in so many random steps."""
    log = _Log(Random(seed))
    acts = [log.prepare, log.promise, log.propose, log.vote, log.learn]
    for act in log.rng.choices(acts, weights=[1, 3, 2, 4, 1], k=steps):
        act()
        if log.rng.random() < 0.02:
            log.restart()
    return tuple(log.trace)


class _Log:
    def __init__(self, rng: Random) -> None:
        self.rng, self.trace = rng, list[Event]()
        self.lives = Counter[str]()
        self.promised: dict[str, Ballot] = dict.fromkeys(NODES, (0, 0))
        self.accepted: dict[str, dict[int, tuple[Ballot, Any]]] = {node: {} for node in NODES}
        self.prepared: dict[Ballot, int] = {}
        self.given: dict[Ballot, dict[str, dict[int, tuple[Ballot, Any]]]] = {}
        self.proposed: dict[tuple[int, Ballot], Any] = {}
        self.votes: dict[tuple[int, Ballot], set[str]] = {}
        for node in NODES:
            self.emit(node, "config_active", members=NODES)

    def emit(self, node: str, kind: str, **fields: Any) -> None:
        at = len(self.trace)
        self.trace.append(Event(at, node, self.lives[node], at, kind, **fields))

    def prepare(self) -> None:
        """A proposer takes a ballot above all it has seen, for the slots from some slot on."""
        server = self.rng.randrange(3)
        ballot = (max((round for round, _ in self.prepared), default=0) + 1, server)
        self.prepared[ballot] = self.rng.randrange(SLOTS)
        self.emit(NODES[server], "prepare_sent", ballot=ballot, slot=self.prepared[ballot])

    def promise(self) -> None:
        node = self.rng.choice(NODES)
        allowed = [ballot for ballot in self.prepared if ballot >= self.promised[node]]
        if allowed:
            ballot = self.rng.choice(allowed)
            first = self.prepared[ballot]
            votes = {slot: vote for slot, vote in self.accepted[node].items() if slot >= first}
            told = tuple((slot, at, value) for slot, (at, value) in votes.items())
            self.promised[node] = ballot
            self.given.setdefault(ballot, {})[node] = votes
            self.emit(node, "promise_sent", ballot=ballot, slot=first, accepted=told)

    def propose(self) -> None:
        ready = [ballot for ballot, promises in self.given.items() if len(promises) >= MAJORITY]
        if ready:
            ballot = self.rng.choice(ready)
            slot = self.rng.randrange(self.prepared[ballot], SLOTS)
            heard = self.rng.sample(sorted(self.given[ballot]), MAJORITY)
            reports = [self.given[ballot][node][slot] for node in heard if slot in self.given[ballot][node]]
            own = [None, slot, list(ballot)][self.rng.randrange(3)]
            safe = max(reports, key=lambda report: report[0])[1] if reports else own
            value = self.proposed.setdefault((slot, ballot), safe)
            self.emit(NODES[ballot[1]], "propose_sent", slot=slot, ballot=ballot, value=value)

    def vote(self) -> None:
        node = self.rng.choice(NODES)
        allowed = [(slot, ballot) for slot, ballot in self.proposed if ballot >= self.promised[node]]
        if allowed:
            slot, ballot = self.rng.choice(allowed)
            value = self.proposed[slot, ballot]
            self.promised[node] = ballot
            self.accepted[node][slot] = ballot, value
            if self.rng.random() < 0.8:  # Otherwise it crashed before it could send the vote.
                self.votes.setdefault((slot, ballot), set()).add(node)
                self.emit(node, "accept_sent", slot=slot, ballot=ballot, value=value)

    def learn(self) -> None:
        chosen = [at for at, voters in self.votes.items() if len(voters) >= MAJORITY]
        if chosen:
            slot, ballot = self.rng.choice(chosen)
            node, value = self.rng.choice(NODES), self.proposed[slot, ballot]
            self.emit(node, "learned", slot=slot, ballot=ballot, value=value)
            self.emit(node, "applied", slot=slot, value=value)

    def restart(self) -> None:
        node = self.rng.choice(NODES)
        self.lives[node] += 1
        votes = tuple((slot, at, value) for slot, (at, value) in self.accepted[node].items())
        self.emit(node, "restart", promised=self.promised[node], accepted=votes)
