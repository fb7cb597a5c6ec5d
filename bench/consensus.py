"""How long the consensus checkers take: over long traces, and per trial where there are many.

python bench/consensus.py [--events N] [--repeat N]
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Callable, Iterator
from itertools import count
from statistics import median
from typing import Any

from ostrakon.checkers.consensus import blame, consensus
from ostrakon.checkers.consensus.properties import judge
from ostrakon.harness.history import Event, History, Op, Trace

NODES = tuple(f"n{number}" for number in range(1, 6))
SLOTS_PER_LEADER = 200

Wanted = tuple[str, str, dict[str, Any]]
"""Node, kind and fields of an event."""


def trace_of(wanted: Iterator[Wanted], events: int) -> Trace:
    """So many of these events, a microsecond apart; before them, everyone says who the members are."""
    members: list[Wanted] = [(node, "config_active", {"members": NODES}) for node in NODES]
    told = []
    for time_us, (node, kind, fields) in zip(range(events), (*members, *_take(wanted, events)), strict=False):
        told.append(Event(time_us * 1000, node, 0, time_us, kind, message=f"m{time_us}", **fields))
    return tuple(told)


def replicated_log() -> Iterator[Wanted]:
    """Slot after slot is decided by all five, and every so often another node takes the lead."""
    for slot in count():
        round = slot // SLOTS_PER_LEADER + 1
        leader, ballot = NODES[round % 5], (round, round % 5 + 1)
        if slot % SLOTS_PER_LEADER == 0:
            yield leader, "prepare_sent", {"slot": slot, "ballot": ballot}
            yield from ((node, "promise_sent", {"slot": slot, "ballot": ballot}) for node in NODES)
        decision = {"slot": slot, "ballot": ballot, "value": f"v{slot}"}
        yield leader, "propose_sent", decision
        yield from ((node, "accept_sent", decision) for node in NODES)
        yield from ((node, "learned", {**decision, "how": "votes"}) for node in NODES)


def duel() -> Iterator[Wanted]:
    """One slot, and proposers that overtake one another for ever, with one vote for each ballot."""
    votes: dict[str, tuple[Any, ...]] = dict.fromkeys(NODES, ())
    for round in count(1):
        ballot, voter = (round, round % 5 + 1), NODES[round % 4]
        yield NODES[round % 5], "prepare_sent", {"ballot": ballot}
        for node in NODES[:4]:
            yield node, "promise_sent", {"ballot": ballot, "accepted": votes[node]}
        yield NODES[round % 5], "propose_sent", {"ballot": ballot, "value": "v"}
        yield voter, "accept_sent", {"ballot": ballot, "value": "v"}
        votes[voter] = ((0, ballot, "v"),)


def split(events: int) -> Trace:
    """A long log at the end of which one slot is decided twice, as its first acceptors forgot their votes."""
    log = trace_of(replicated_log(), events)
    late, ballot = len(log), (10**6, 9)
    value = {"slot": 0, "ballot": ballot, "value": "another"}
    wanted: list[Wanted] = [(node, "promise_sent", {"slot": 0, "ballot": ballot}) for node in NODES]
    wanted += [("n1", "propose_sent", value), *((node, "accept_sent", value) for node in NODES)]
    after = [
        Event((late + at) * 1000, node, 0, late + at, kind, **fields)
        for at, (node, kind, fields) in enumerate(wanted)
    ]
    return (*log, *after)


def trial() -> tuple[History, Trace]:
    """What a short trial records: 200 events and 80 ops."""
    ops = []
    for pair in range(40):
        f = "propose" if pair < 20 else "get"
        ops.append(Op(2 * pair, pair * 1000, "invoke", pair % 5, f, "v" if f == "propose" else None))
        ops.append(Op(2 * pair + 1, pair * 1000 + 500, "ok", pair % 5, f, "v", node=NODES[pair % 5]))
    return History(ops), trace_of(duel(), 200)


def seconds(work: Callable[[], object], repeat: int) -> float:
    """The median CPU time of the work."""
    took = []
    for _ in range(repeat):
        gc.collect()
        begin = time.process_time()
        work()
        took.append(time.process_time() - begin)
    return median(took)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    events, repeat = options.events, options.repeat
    rules(events, repeat, "a replicated log", replicated_log())
    rules(events, repeat, "a duel for one slot", duel())
    guilt(events, repeat)
    trials(repeat)


def rules(events: int, repeat: int, name: str, wanted: Iterator[Wanted]) -> None:
    """P1 to P11 over a long trace."""
    trace = trace_of(wanted, events)
    assert not judge(trace).counts, "a correct trace raised an alarm"
    took = seconds(lambda: judge(trace), repeat)
    print(f"{took:8.2f} s   P1 to P11 over {events:,} events of {name}   (to reach: {3e-6 * events:g})")


def guilt(events: int, repeat: int) -> None:
    """Blame at the end of a long trace."""
    trace = split(events)
    seen = judge(trace).seen
    took = seconds(lambda: blame(trace, 0, seen=seen), repeat)
    print(f"{took:8.2f} s   who is to blame for a slot decided twice in {events:,} events")


def trials(repeat: int) -> None:
    """All there is to say about a short trial."""
    history, trace = trial()
    took = seconds(lambda: [consensus(History(history), trace) for _ in range(100)], repeat) / 100
    size = f"{len(trace)} events and {len(history)} ops"
    print(f"{took * 1e3:8.2f} ms  everything about a trial of {size}   (to reach: 1)")


def _take(wanted: Iterator[Wanted], limit: int) -> Iterator[Wanted]:
    return (item for item, _ in zip(wanted, range(limit), strict=False))


if __name__ == "__main__":
    main()
