"""The final phase, after all faults are healed: each operation must succeed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import partial
from operator import eq

from ostrakon.harness.generator import Generator, Source, any_of, lift, limit, on, sequence, stagger, until_ok
from ostrakon.harness.plan import Plan


def each_until_done(
    plan: Plan,
    rng: random.Random,
    ops_of: Callable[[int], Sequence[Source]],
    *,
    tries_max: int,
    pause_s: float,
) -> Generator:
    """Each thread repeats each of its ops in sequence until the op is ok or was tried often enough."""

    def all_of(thread: int) -> Generator:
        each = (stagger(pause_s, lift(ops), rng=rng) for ops in ops_of(thread))
        return on(partial(eq, thread), sequence(*(until_ok(limit(tries_max, ops)) for ops in each)))

    return any_of(*map(all_of, range(plan.concurrency)))
