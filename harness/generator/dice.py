"""Random numbers as immutable values: a roll returns a number and the dice for the next roll.

`next_op` of a generator may be called, its result dropped, and called again. The shared state of a
`random.Random` would then advance too often. So a combinator that draws takes one seed from its
`random.Random` when it is made, and has its own dice from then on.
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
        """New dice, seeded by one draw from `rng`."""
        return cls(rng.getrandbits(64))

    def roll(self) -> tuple[float, Dice]:
        """A number from [0, 1), and the dice for the next roll."""
        state = (self.state + 0x9E3779B97F4A7C15) & _MASK
        mixed = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((mixed ^ (mixed >> 31)) >> 11) / (1 << 53), Dice(state)

    def below(self, bound: int) -> tuple[int, Dice]:
        """A whole number from 0 to `bound` - 1, and the dice for the next roll."""
        roll, dice = self.roll()
        return int(roll * bound), dice
