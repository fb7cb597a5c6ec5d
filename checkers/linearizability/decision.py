"""How a part of a history was decided, and the effort that may be spent on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ostrakon.harness.history.columns import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Linearized:
    """The part has a linearization."""

    order: Ints
    """Its operations, as rows of the columns that were asked about."""


@dataclass(frozen=True, slots=True, eq=False)
class Impossible:
    """The part has no linearization."""

    rows: Ints
    """Operations that seem to contradict each other; a hint for the search of a core, not a proof."""
    why: str
    """The reason; empty if all orders were tried."""
    until: int | None = None
    """Where known: the first return by which it is impossible. What came before it has a linearization."""


Decision = Linearized | Impossible


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be spent on one history before its verdict is `unknown`. None is without limit.

    By default the limits are counts of steps and of bytes, so that the same history gets the same verdict on
    a busy machine as on an idle one. `seconds` are CPU seconds of this process.

        linearizable(history, "stack", budget=Budget(nodes=10_000_000, memory_mb=2_000))
    """

    nodes: int | None = 3_000_000
    """The maximum number of choices over all parts: about 10 to 30 CPU seconds."""
    memory_mb: int | None = 400
    """The estimated memory of the searches over all parts, in bytes."""
    conflicts: int | None = 200_000
    """Conflicts of the SAT solver, which is asked about what searches leave open."""
    seconds: float | None = None
    clock: Callable[[], float] = field(default=time.process_time, repr=False)
