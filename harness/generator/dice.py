"""Randomness as a value: drawing gives a number and the dice to draw with next.

A generator may be asked, its answer dropped, and asked again; shared `random.Random` state would then
run ahead of what happened. So combinators that draw take one seed from the `random.Random` they are
given when they are built, and from then on carry their own dice.
"""

from __future__ import annotations

import random

import msgspec

_MASK = (1 << 64) - 1


class Dice(msgspec.Struct, frozen=True, gc=False):
    """A 64-bit state of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, figure 16)."""

    state: int

    @classmethod
    def of(cls, rng: random.Random) -> Dice:
        """Dice of their own, seeded by one draw from `rng`."""
        return cls(rng.getrandbits(64))

    def roll(self) -> tuple[float, Dice]:
        """A number from [0, 1), and the dice to roll next."""
        state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53), Dice(state)

    def below(self, bound: int) -> tuple[int, Dice]:
        """A whole number from 0 to `bound` - 1, and the dice to roll next."""
        roll, dice = self.roll()
        return int(roll * bound), dice
