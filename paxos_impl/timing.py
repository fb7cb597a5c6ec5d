"""How long an instance waits before it does things again; safety does not depend on any of it."""

from __future__ import annotations

from random import Random

import msgspec

from ostrakon.paxos_impl.core.event import Timer


class Timing(msgspec.Struct, frozen=True, gc=False):
    """The waits for a first attempt, in seconds; each further one takes longer, up to a limit."""

    retransmit_s: float = 0.2
    """Several times what a message and its answer take."""
    back_off_s: float = 0.02
    """About what a whole ballot takes: a rival that got ahead shall finish."""
    pull_s: float = 0.5
    max_s: float = 2.0

    def delay_s(self, timer: Timer, attempt: int, rng: Random) -> float:
        """How long to wait this time.

        At random, so that proposers that hinder each other fall out of step (PMS 2.4 wants one of them to
        get through, and no deterministic rule can see to that).
        """
        growth = 2.0 ** min(attempt, 16)
        match timer:
            case "retransmit":
                return min(self.retransmit_s * growth, self.max_s) * rng.uniform(1.0, 1.5)
            case "back_off":
                return min(self.back_off_s * growth, self.max_s) * rng.uniform(0.1, 1.0)
            case "pull":
                return min(self.pull_s * growth, self.max_s) * rng.uniform(0.5, 1.0)
