"""Registrations: an id for each instance, for ever, and each counted."""

from __future__ import annotations

import doctest
import json
from types import ModuleType

import pytest

import ostrakon.checkers.collections.unique_ids
import ostrakon.checkers.coordination.fencing
from ostrakon.checkers.coordination.registrations import registrations
from ostrakon.harness.history import History
from tests.checkers.notation import history


def told(f: str, asked: object, answer: object = None) -> str:
    """An op by process 0, in the notation: ok with an answer, or failed."""
    compact = [json.dumps(value, separators=(",", ":")) for value in (asked, answer)]
    return f"0 {f} {compact[0]} fail" if answer is None else f"0 {f} {compact[0]} ok {compact[1]}"


def registered(address: str, token: str, id_: int) -> str:
    return told("register", [address, token], [address, token, id_])


def denied(address: str, token: str) -> str:
    return told("register", [address, token])


def viewed(count: int, members: dict[str, str] | None = None) -> str:
    return told("view", None, {"registered": count, "members": members})


PASSES = {
    "two, one of them again": [registered("A", "a", 0), registered("B", "b", 1), registered("A", "a", 0)],
    "an impostor": [registered("A", "a", 0), denied("A", "other"), viewed(1)],
    "denied, and later not": [denied("A", "a"), registered("A", "a", 0)],
    "counted before it was told": ['1 register ["A","a"]', viewed(1), '1 ok ["A","a",0]', viewed(1)],
    "complete": [registered("A", "a", 0), viewed(1), viewed(2, {"0": "A", "1": "B"})],
}
FAILS = {
    "id given twice": [registered("A", "a", 0), registered("B", "b", 0)],
    "id changed": [registered("A", "a", 0), registered("A", "a", 1)],
    "address given twice": [registered("A", "a", 0), registered("A", "other", 1)],
    "denied again": [registered("A", "a", 0), denied("A", "a")],
    "not counted": [registered("A", "a", 0), viewed(0)],
    "not in view": [registered("A", "a", 0), viewed(1, {"0": "B"})],
    "views differ": [registered("A", "a", 0), viewed(1, {"0": "A"}), viewed(1, {"0": "A", "1": "B"})],
}


def of(entries: list[str]) -> History:
    return history("; ".join(entries))


@pytest.mark.parametrize("name", PASSES)
def test_passes_what_a_registry_may_do(name: str) -> None:
    assert registrations(of(PASSES[name])).valid == "valid"


@pytest.mark.parametrize("name", FAILS)
def test_fails_for_the_named_anomaly(name: str) -> None:
    verdict = registrations(of(FAILS[name]))

    assert [anomaly.name for anomaly in verdict.anomalies] == [name]
    assert verdict.anomalies[0].witness


@pytest.mark.parametrize("entries", [[], [viewed(0)], [denied("A", "a")]])
def test_knows_nothing_where_nobody_was_registered(entries: list[str]) -> None:
    assert registrations(of(entries)).valid == "unknown"


@pytest.mark.parametrize(
    "module", [ostrakon.checkers.coordination.fencing, ostrakon.checkers.collections.unique_ids]
)
def test_examples_are_as_told(module: ModuleType) -> None:
    tried = doctest.testmod(module)

    assert tried.attempted > 0
    assert tried.failed == 0
