"""Finds workloads, scenarios, models and report renderers through entry points.

The harness imports none of the packages that provide them, so that any package can add its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ostrakon.harness.reference import UnknownName, is_reference, load_workload
from ostrakon.harness.scenario import Scenario
from ostrakon.harness.workload import SeededBug, Workload

__all__ = [
    "NOT_INSTALLED",
    "UnknownName",
    "find_bug",
    "find_model",
    "find_report",
    "find_scenario",
    "find_strategy",
    "find_workload",
    "model_names",
    "require_options",
    "scenarios",
    "workload_names",
]

NOT_INSTALLED = "Ostrakon runs without being installed; `pip install --editable .` in its folder mends that"
"""The message for a catalogue without entries. Ostrakon has entries of its own, so it is not installed."""


def find_workload(name: str) -> Workload:
    """The workload with this name or reference. Raises: UnknownName, CannotLoad.

    find_workload("register")
    find_workload("tests/test_bank.py::BANK")
    """
    if is_reference(name):
        return load_workload(name)
    workload: Workload = _load("workload", "ostrakon.workloads", name, Workload)
    return workload


def workload_names() -> list[str]:
    """The names of all installed workloads."""
    return sorted(_offers("ostrakon.workloads"))


def find_model(name: str) -> Callable[..., Any]:
    """The checker of history files with this name. Raises: UnknownName."""
    model: Callable[..., Any] = _load("model", "ostrakon.models", name, Callable)
    return model


def model_names() -> list[str]:
    """The names of all models that a history file can be checked against."""
    return sorted(_offers("ostrakon.models"))


def find_scenario(name: str) -> Scenario:
    """The scenario of this name. Raises: UnknownName."""
    known = scenarios()
    if name not in known:
        raise UnknownName("scenario", name, known, if_none=NOT_INSTALLED)
    return known[name]


def scenarios() -> dict[str, Scenario]:
    """All installed scenarios, by name."""
    offers = sorted(_offers("ostrakon.scenarios"))
    each = (_load("set of scenarios", "ostrakon.scenarios", name, Mapping) for name in offers)
    return {name: scenario for offered in each for name, scenario in offered.items()}


def find_report(name: str) -> Callable[..., Any]:
    """The renderer of this kind of page: "run", "index" or "campaign". Raises: UnknownName."""
    report: Callable[..., Any] = _load("report", "ostrakon.reports", name, Callable)
    return report


def find_strategy(name: str) -> Callable[..., Any]:
    """The function that makes the Hypothesis strategy with this name. Raises: UnknownName."""
    strategy: Callable[..., Any] = _load("strategy", "ostrakon.strategies", name, Callable)
    return strategy


def find_bug(workload: Workload, name: str) -> SeededBug:
    """The workload's seeded bug of this name. Raises: UnknownName."""
    if name not in workload.bugs:
        raise UnknownName(f"bug in workload {workload.name!r} named", name, workload.bugs)
    return workload.bugs[name]


def require_options(workload: Workload, names: Iterable[str]) -> None:
    """Check that the workload has all of these options. Raises: UnknownName."""
    for name in names:
        if name not in workload.options:
            raise UnknownName(f"option of workload {workload.name!r} named", name, workload.options)


@cache  # Reading the metadata of all installed packages takes longer than a short trial.
def _offers(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}


def _load(noun: str, group: str, name: str, kind: Any) -> Any:
    offers = _offers(group)
    if name not in offers:
        raise UnknownName(noun, name, offers, if_none=NOT_INSTALLED)
    found = offers[name].load()
    if not isinstance(found, kind):
        raise TypeError(
            f"{noun} {name!r} ({offers[name].value}) is a {type(found).__name__}, not a {kind.__name__}"
        )
    return found
