"""Whole histories: of stores that keep their promise, and of stores that promise less."""

from __future__ import annotations

import pytest

from ostrakon.checkers.transactions import list_append, rw_register
from tests.checkers.transactions.store import recorded


@pytest.mark.parametrize("seed", range(8))
def test_a_serial_store_of_lists_is_strictly_serializable(seed: int) -> None:
    verdict = list_append(recorded("serial", 300, seed))

    assert verdict.valid == "valid", verdict.why
    assert verdict.details["committed"] == 300


@pytest.mark.parametrize("seed", range(8))
def test_a_serial_store_of_registers_is_strictly_serializable(seed: int) -> None:
    verdict = rw_register(recorded("serial", 300, seed, f="w"))

    assert verdict.valid == "valid", verdict.why
    assert verdict.details["committed"] == 300


@pytest.mark.parametrize("seed", range(8))
def test_a_store_of_snapshots_allows_write_skew_and_nothing_worse(seed: int) -> None:
    history = recorded("snapshot", 400, seed, keys=8)

    verdict = list_append(history, "serializable")

    assert verdict.valid == "invalid"
    assert set(verdict.details["found"]) == {"G2-item"}
    assert list_append(history, "strong-snapshot-isolation").valid == "valid"


@pytest.mark.parametrize("seed", range(8))
def test_snapshots_of_registers_are_never_taken_for_anything_worse_than_write_skew(seed: int) -> None:
    verdict = rw_register(recorded("snapshot", 400, seed, keys=8, f="w"), "strong-snapshot-isolation")

    assert verdict.valid == "valid", verdict.why


def test_large_and_small_histories_are_searched_alike() -> None:
    """Beyond some number of edges scipy takes over; the first stale read must be found all the same."""
    history = recorded("snapshot", 6_000, seed=1, keys=50)

    assert set(list_append(history).details["found"]) == {"G2-item"}
    assert list_append(history, "snapshot-isolation").valid == "valid"
