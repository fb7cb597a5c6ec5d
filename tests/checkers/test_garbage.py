"""Judging pauses garbage collection, and puts nothing out of its reach."""

from __future__ import annotations

import gc
import weakref

from ostrakon.checkers.garbage import collection_paused


class World:
    """Something that refers to itself, as the worlds of trials do."""

    def __init__(self) -> None:
        self.itself = self


def test_what_dies_between_short_histories_is_collected() -> None:
    made: list[weakref.ref[World]] = []

    for _ in range(500):
        made += [weakref.ref(World()) for _ in range(50)]
        with collection_paused():
            pass

    assert sum(world() is not None for world in made) < len(made) / 10


def test_nothing_is_collected_meanwhile() -> None:
    with collection_paused():
        made = [weakref.ref(World()) for _ in range(5_000)]
        assert all(world() is not None for world in made)

    assert gc.isenabled()


def test_who_has_collection_turned_off_finds_it_turned_off() -> None:
    gc.disable()
    try:
        with collection_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
