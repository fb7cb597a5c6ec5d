"""How a part of a history was decided, and the effort that may be spent on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ostrakon.harness.history.columns import Ints


@dataclass(frozen=True, slots=True, eq=False)
class Linearized:
    """There is a linearization."""

    order: Ints
    """Its operations, as rows of the columns that were asked about."""


@dataclass(frozen=True, slots=True, eq=False)
class Impossible:
    """There is none."""

    rows: Ints
    """Operations that seem to be at odds; a place to start looking, and no proof."""
    why: str
    """Empty if there is no more to say than that all orders were tried."""
    until: int | None = None
    """Where known: the first return by which it is impossible. What came before it has a linearization."""


Decision = Linearized | Impossible


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may be spent on one history before its verdict is `unknown`. None is without limit."""

    nodes: int | None = None
    """Choices tried, over all parts."""
    seconds: float | None = 60.0
    configurations: int | None = 5_000_000
    """Configurations remembered, over all parts, at some 200 to 400 bytes each."""
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
