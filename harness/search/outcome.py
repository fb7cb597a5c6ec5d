"""The outcome of a trial: small enough to be sent between processes and stored by the million."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from ostrakon.harness.history import Event, Op
from ostrakon.harness.history.verdict import Valid as Valid
from ostrakon.harness.plan import Plan
from ostrakon.harness.search.shape import Windows


class Trial(Protocol):
    """The part of a trial that search uses; `ostrakon.harness.trial.Trial` has it."""

    @property
    def plan(self) -> Plan:
        """The plan."""

    @property
    def valid(self) -> Valid:
        """The verdict."""

    @property
    def why(self) -> str:
        """The verdict's reason, in one sentence."""

    @property
    def reason(self) -> str:
        """A short name of the kind of failure, equal for the same fault of the system, whatever the seed."""

    @property
    def anomalies(self) -> list[dict[str, Any]]:
        """The anomalies, as plain data."""

    @property
    def history(self) -> Iterable[Op]:
        """The operations of clients and of the nemesis."""

    @property
    def trace(self) -> Iterable[Event]:
        """The events that nodes reported."""

    @property
    def final_ns(self) -> int | None:
        """When the final phase began, in nanoseconds of virtual time; None if it did not begin."""

    @property
    def effects(self) -> Any:
        """The effect of each fault: a list of mappings with at least `kind` and `inert`."""

    @property
    def virtual_s(self) -> float:
        """The duration in virtual time, in seconds."""

    @property
    def wall_s(self) -> float:
        """The duration in wall time, in seconds."""

    @property
    def digest(self) -> str:
        """A hash of all that happened."""

    @property
    def folder(self) -> Path | None:
        """Where it was recorded."""

    def results(self) -> Mapping[str, Any]:
        """What `results.json` holds; `verdict`, `findings`, `sometimes` and `messages` count here."""


Run = Callable[..., Trial]
"""Runs a plan: `run(plan)`, or `run(plan, store=..., name=..., report=...)` to record it."""

TRIAL_RUNNER = "ostrakon.harness.trial:run"
"""Where the runner is found: named rather than handed over, so that any process can load it."""
OBSERVING_RUNNER = "ostrakon.harness.trial:run_observed"
"""The runner of campaigns, which learn from messages where programs report no events."""


def load_run(where: str = TRIAL_RUNNER) -> Run:
    """The runner that `module:function` names."""
    module, _, name = where.partition(":")
    run: Run = getattr(import_module(module), name)
    return run


NO_EVIDENCE = "evidence"
"""The reason of trials in which nothing could have gone wrong: named after the checker that says so."""


class Uses(NamedTuple):
    """How often faults of one kind were asked for, and how often that changed nothing."""

    asked: int = 0
    inert: int = 0


class BranchCount(NamedTuple):
    """How often a rare branch of the program was reached, and how often it was taken."""

    reached: int = 0
    fired: int = 0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One seed's trial, once it has been run."""

    seed: int
    recipe: str
    valid: Valid
    reason: str = ""
    """What it is grouped by; empty when valid."""
    why: str = ""
    faults: Mapping[str, Uses] = {}
    transitions: Mapping[str, int] = {}
    """What its shapes are made of: see `ostrakon.harness.search.shape`."""
    points: Mapping[str, BranchCount] = {}
    """Rare branches of the program, by name."""
    windows: Mapping[str, Windows] = {}
    """What clients did during faults, by kind of fault."""
    virtual_s: float = 0.0
    wall_s: float = 0.0
    rerun: bool = False
    """Whether it was run twice, to see that the same happens."""
    differs: bool = False
    """Whether the second run went otherwise, which is a failure of the simulator."""
    plan: Plan | None = None
    """The plan, unless the trial was valid."""
    folder: str = ""
    """Where the run was recorded, if it was."""


def count_faults(effects: Iterable[Mapping[str, Any]]) -> dict[str, Uses]:
    """How often each kind of fault was asked for and how often it was inert, by name of the kind."""
    asked: Counter[str] = Counter()
    inert: Counter[str] = Counter()
    for effect in effects:
        kind = str(effect["kind"])
        asked[kind] += 1
        inert[kind] += bool(effect.get("inert"))
    return {kind: Uses(asked[kind], inert[kind]) for kind in sorted(asked)}


def reason_of(trial: Trial) -> str:
    """What a trial is grouped by."""
    return (why_unknown(trial.results()) if trial.valid == "unknown" else "") or trial.reason


def why_unknown(results: Mapping[str, Any]) -> str:
    """Which checkers, or what in the harness, could not tell: the same words whatever the seed."""
    findings = [str(finding["name"]) for finding in results.get("findings", ())]
    return " · ".join(dict.fromkeys([*findings, *_unknown_parts(results.get("verdict") or {})]))


def _unknown_parts(verdict: Mapping[str, Any]) -> Iterator[str]:
    for name, part in verdict.get("parts", {}).items():
        if part["valid"] == "unknown":
            yield from _unknown_parts(part) if part.get("parts") else (str(name),)
