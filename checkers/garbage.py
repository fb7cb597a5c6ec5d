"""Garbage collection stands still while a long history is judged."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Nothing that is made of a history is garbage yet, and looking for some takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not gc.get_freeze_count():
                # What was made meanwhile counts as old from now on: otherwise all of it is looked through at
                # once, by the next collection of what is young.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
