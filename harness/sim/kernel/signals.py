"""Handlers of real signals, for as long as a world runs.

Python's `signal.signal` tries to make an enum of each handler that it is given, which takes thirty times as
long as what it does; a short trial would spend a fortieth of its time there.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_set: Callable[[int, Any], Any] = _signal.signal
handler_of: Callable[[int], Any] = _signal.getsignal
"""The present handler of a signal."""


@contextmanager
def handled(number: int, handler: Callable[[int, Any], object]) -> Iterator[None]:
    """Let `handler` handle a signal while the body runs. In the main thread only."""
    before = _set(number, handler)
    try:
        yield
    finally:
        _set(number, before)
