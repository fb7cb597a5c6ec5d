"""Random micro-operations on keys that come and go, for transactions and for logs."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec

from ostrakon.harness.generator import PENDING, Context, Generator, NextOp, OpRequest
from ostrakon.harness.generator.dice import Dice
from ostrakon.harness.generator.op_request import addressed
from ostrakon.harness.history import Op
from ostrakon.harness.plan import Plan
from ostrakon.workloads.maelstrom.cluster import number_of

KEYS, WRITES_PER_KEY, LENGTH_MAX = 10, 16, 4
"""What is used if the options say nothing: Maelstrom's own numbers."""
OPTIONS = {
    "key_count": f"the number of keys in use at a time; {KEYS} if not given",
    "max_writes_per_key": f"how often a key is written before a new one replaces it; {WRITES_PER_KEY}",
}

MicroOp = tuple[bool, int, int]
"""Whether it writes, the key, and a value that no other write has."""


Make = Callable[[list[MicroOp], tuple[int, ...], random.Random], OpRequest]
"""Makes an op of some micro-operations, given the keys in use and random numbers for what else it draws."""


class MicroOps(msgspec.Struct, frozen=True):
    """Ops that are each made of one or more micro-operations, half of them writes.

    As in Elle's generator, each key in use is chosen half as often as the one before it. A key that has been
    written often enough is replaced by a new one.
    """

    make: Make
    length_max: int
    writes_max: int
    dice: Dice
    keys: tuple[tuple[int, int], ...]
    """Each key in use, and how often it was written."""
    next_key: int
    next_value: int = 0

    def next_op(self, ctx: Context) -> NextOp:
        """An op of micro-operations that are drawn."""
        length, dice = self.dice.below(self.length_max)
        keys, next_key, next_value = list(self.keys), self.next_key, self.next_value
        in_use = tuple(key for key, _ in keys)
        drawn: list[MicroOp] = []
        for _ in range(length + 1):
            place, dice = _rank(dice, len(keys))
            is_write, dice = dice.below(2)
            key, writes = keys[place]
            drawn.append((bool(is_write), key, next_value))
            if is_write:
                next_value += 1
                keys[place] = (key, writes + 1)
                if writes + 1 >= self.writes_max:
                    keys[place], next_key = (next_key, 0), next_key + 1
        after = msgspec.structs.replace(
            self, dice=dice, keys=tuple(keys), next_key=next_key, next_value=next_value
        )
        request = addressed(self.make(drawn, in_use, random.Random(dice.state)), ctx)
        return (PENDING, self) if request is PENDING else (request, after)

    def update(self, event: Op) -> Generator:
        """Events change nothing."""
        return self


def micro_ops(
    plan: Plan,
    rng: random.Random,
    make: Make,
    *,
    length_max: int | None = None,
) -> Generator:
    """Micro-operations as the plan's options have them; `make` makes an op of some."""
    count = number_of(plan, "key_count", KEYS)
    return MicroOps(
        make,
        length_max or number_of(plan, "max_txn_length", LENGTH_MAX),
        number_of(plan, "max_writes_per_key", WRITES_PER_KEY),
        Dice.of(rng),
        tuple((key, 0) for key in range(count)),
        count,
    )


def _rank(dice: Dice, count: int) -> tuple[int, Dice]:
    """A number below `count`, each half as likely as the one before."""
    roll, dice = dice.roll()
    # The share of all that lies before rank n is (1 - 2**-n) / (1 - 2**-count).
    rest, rank = roll * (1 - 0.5**count), 0
    while rank < count - 1 and rest >= 1 - 0.5 ** (rank + 1):
        rank += 1
    return rank, dice
