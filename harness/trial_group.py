"""The trials of one test, judged together: evidence that one trial lacks may come from another.

A drawn fault may come to nothing in one trial, and a rare kind of operation may never succeed. That says
nothing against a test whose other trials have both. So what a trial lacks is held against the test only if no
trial of the group shows it. Pure data: a record is small, and can be sent from one process to another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from ostrakon.harness.trial import Trial

_ABOUT_EVIDENCE = frozenset(("inert fault", "no evidence"))
"""The findings that say that a trial shows too little, and not that it shows something wrong."""


class TrialRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a test run keeps of a trial."""

    test: str
    """The test, as pytest names it."""
    call: int = 0
    """Which of the trials of its test it is, counted from 0."""
    seed: int
    workload: str
    valid: str
    expected: bool
    """Whether the test wanted this verdict."""
    deferred: bool = False
    """Whether only evidence is missing, so that the group decides."""
    reason: str
    headline: str
    folder: str
    replay: str
    lacks: Mapping[str, str] = {}
    """Evidence that is missing: what, and the sentence that says so."""
    shows: tuple[str, ...] = ()
    """Evidence that there is."""


def record_of(trial: Trial, test: str, call: int, *, expected: bool, in_group: bool) -> TrialRecord:
    """The record of a trial; `in_group` says that other trials may have what this one lacks."""
    lacks, shows = _evidence(trial)
    return TrialRecord(
        test=test,
        call=call,
        seed=trial.plan.seed,
        workload=trial.plan.workload,
        valid=trial.valid,
        expected=expected,
        deferred=in_group and not expected and bool(lacks) and _lacks_only_evidence(trial),
        reason=trial.headline if any(finding.is_ours for finding in trial.findings) else trial.reason,
        headline=trial.headline or "everything that was seen is allowed",
        folder=str(trial.folder or ""),
        replay=trial.replay,
        lacks=lacks,
        shows=shows,
    )


class TrialGroup:
    """The records of one test's trials, of as many tests as there are seeds."""

    def __init__(self, size: int) -> None:
        self.size = size
        """How many tests belong to it."""
        self.done = 0
        """How many of these have ended."""
        self.records: list[TrialRecord] = []

    @property
    def is_complete(self) -> bool:
        """Whether no further trial can bring evidence."""
        return self.done >= self.size

    def missing(self) -> list[str]:
        """What no trial of the group shows, a sentence each."""
        return missing_evidence(self.records)


def missing_evidence(records: Iterable[TrialRecord]) -> list[str]:
    """What at least one of these trials lacks and none of them shows, a sentence each."""
    shown: dict[int, set[str]] = defaultdict(set)
    lacking: dict[tuple[int, str], list[str]] = defaultdict(list)
    for record in records:
        shown[record.call].update(record.shows)
        if record.deferred:
            for evidence, sentence in record.lacks.items():
                lacking[record.call, evidence].append(sentence)
    return [sentences[0] for (call, evidence), sentences in lacking.items() if evidence not in shown[call]]


def _lacks_only_evidence(trial: Trial) -> bool:
    names = {finding.name for finding in trial.findings}
    is_judged = trial.judgement is not None and trial.judgement.valid == "valid"
    # A checker that has nothing to judge says so as well.
    return trial.valid == "unknown" and names <= _ABOUT_EVIDENCE and (is_judged or "no evidence" in names)


def _evidence(trial: Trial) -> tuple[dict[str, str], tuple[str, ...]]:
    tried = dict.fromkeys(op.f for op in trial.history.where(type="invoke"))
    succeeded = {op.f for op in trial.history.where(type="ok")}
    struck = set(_struck(trial.effects))
    asked = trial.plan.nemesis
    lacks = {f"op {f}": f"{f} never succeeded" for f in tried if f not in succeeded}
    inert = [finding.why for finding in trial.findings if finding.name == "inert fault"]
    for kind in (kind for kind in asked if kind not in struck):
        why = next((why for why in inert if f" {kind} " in f" {why} "), "it changed nothing")
        lacks[f"fault {kind}"] = why
    if not tried:
        lacks["op"] = "no client did anything"
    elif trial.judgement is not None and trial.judgement.valid == "unknown":
        lacks["verdict"] = trial.judgement.why
    judged = ["verdict"] if trial.judgement is not None and trial.judgement.valid != "unknown" else []
    shows = (*(f"op {f}" for f in tried if f in succeeded), *(f"fault {name}" for name in sorted(struck)))
    return lacks, (*(["op"] if tried else []), *shows, *judged)


def _struck(effects: Iterable[Mapping[str, object]]) -> Iterator[str]:
    """The names, of all that they go by, of faults that took effect."""
    for effect in effects:
        if not effect.get("inert"):
            yield from (str(effect[name]) for name in ("kind", "shape", "asked") if effect.get(name))
