"""What clients do with a key-value store of another project: they read, write and compare-and-swap keys.

A key is used for a while, and then the next, so that a checker never has one long history to order: what an
operation that never completed may have done then matters to few others.
"""

from __future__ import annotations

import random
from functools import partial

from ostrakon.checkers.linearizability import linearizable
from ostrakon.checkers.run.stats import stats
from ostrakon.checkers.verdict import Verdict, guarded
from ostrakon.harness.generator import Generator, OpRequest, numbered, repeat, stagger
from ostrakon.harness.history import History, Trace
from ostrakon.harness.plan import Plan
from ostrakon.workloads.final_phase import each_until_done
from ostrakon.workloads.systems.recovery import serves_again

KEYS_AT_ONCE = 4
OPS_PER_KEY = 200
VALUES = 5
"""How many values there are: few, so that a compare-and-swap has a chance."""
TRIES_MAX = 200


def read_write_cas(plan: Plan, rng: random.Random) -> Generator:
    """Reads, writes and compare-and-swaps, at the plan's rate, of a few keys at a time."""
    return stagger(1 / plan.rate, numbered(partial(_op, rng.getrandbits(64))), rng=rng)


def _op(seed: int, number: int) -> OpRequest:
    rng = random.Random(seed + number)
    first = number // (OPS_PER_KEY * KEYS_AT_ONCE) * KEYS_AT_ONCE
    key = f"k{first + rng.randrange(KEYS_AT_ONCE)}"
    match rng.choice(("read", "read", "write", "cas")):
        case "read":
            return OpRequest("read", [key, None])
        case "write":
            return OpRequest("write", [key, rng.randrange(VALUES)])
        case _:
            return OpRequest("cas", [key, [rng.randrange(VALUES), rng.randrange(VALUES)]])


def write_and_read(plan: Plan, rng: random.Random) -> Generator:
    """When all faults are over, every client writes a key of its own and reads it, until it is done."""

    def ops_of(thread: int) -> list[Generator]:
        key = f"last{thread}"
        return [repeat(OpRequest("write", [key, thread])), repeat(OpRequest("read", [key, None]))]

    return each_until_done(plan, rng, ops_of, tries_max=TRIES_MAX, pause_s=0.1)


def linearizable_keys(plan: Plan, history: History, trace: Trace) -> Verdict:
    """Each key is linearizable."""
    parts = {
        "linearizability": lambda: linearizable(history, "keyed-cas-register"),
        "stats": lambda: stats(history),
        "recovery": lambda: serves_again(plan, history),
    }
    return Verdict.compose({part: guarded(part, of) for part, of in parts.items()})
