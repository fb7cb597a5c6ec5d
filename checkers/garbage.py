"""Garbage collection stands still while a long history is judged."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 200_000
"""Objects that take as long to look through as a short history to judge."""


@contextmanager
def collection_paused() -> Iterator[None]:
    """Nothing that is made of a history is garbage yet, and looking for some takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if gc.get_count()[0] > MANY and not gc.get_freeze_count():
                # What was made meanwhile counts as old from now on: otherwise all of it is looked through at
                # once, by the next collection of what is young. Not after each short history of a campaign:
                # the worlds of its trials would grow old with it, and what is old is hardly ever collected.
                gc.freeze()
                gc.unfreeze()
            gc.enable()
