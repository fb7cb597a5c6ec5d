"""Judges the trials of one test together: one trial may have the evidence that another lacks.

In one trial a drawn fault may have no effect, or a rare kind of operation may never succeed. That is no
problem if other trials of the test have both. So a test lacks evidence only if no trial of the group has it.
A test that accepts unknown trials lacks evidence, too, if all of its trials are unknown.
Everything here is pure data: a record is small and can be sent to another process.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

import msgspec

from ostrakon.harness.trial import Trial

_ABOUT_EVIDENCE = frozenset(("inert fault", "no evidence"))
"""The names of findings that mean missing evidence, and not a violation."""


class TrialRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The summary of a trial that a test run keeps."""

    test: str
    """The node id of the test in pytest."""
    call: int = 0
    """The number of the trial among the trials of its test, counted from 0."""
    seed: int
    workload: str
    valid: str
    expected: bool
    """Whether the test expected this verdict."""
    deferred: bool = False
    """Whether only evidence is missing, so that the whole group decides."""
    tolerated: bool = False
    """Whether the verdict is unknown and the test accepts that and another verdict."""
    reason: str
    headline: str
    folder: str
    replay: str
    lacks: Mapping[str, str] = {}
    """The missing evidence: its name, and the sentence of the finding."""
    shows: tuple[str, ...] = ()
    """The names of the evidence that the trial has."""


def record_of(
    trial: Trial, test: str, call: int, *, expected: Collection[str], in_group: bool
) -> TrialRecord:
    """Make the record of a trial. `expected` has the verdicts that the test accepts.

    With `in_group`, other trials may have the evidence that this one lacks.
    """
    lacks, shows = _evidence(trial)
    is_expected = trial.valid in expected
    may_defer = in_group and "valid" in expected and not is_expected
    return TrialRecord(
        test=test,
        call=call,
        seed=trial.plan.seed,
        workload=trial.plan.workload,
        valid=trial.valid,
        expected=is_expected,
        deferred=may_defer and bool(lacks) and _lacks_only_evidence(trial),
        tolerated=is_expected and trial.valid == "unknown" and set(expected) != {"unknown"},
        reason=trial.headline if any(finding.is_ours for finding in trial.findings) else trial.reason,
        headline=trial.headline or "everything that was seen is allowed",
        folder=str(trial.folder or ""),
        replay=trial.replay,
        lacks=lacks,
        shows=shows,
    )


class TrialGroup:
    """The records of the trials of one test; pytest runs one trial for each seed."""

    def __init__(self, size: int) -> None:
        self.size = size
        """The number of tests in the group."""
        self.outcomes: Counter[str] = Counter()
        """The tests that have ended, by their outcome: `passed`, `failed` or `skipped`."""
        self.records: list[TrialRecord] = []

    @property
    def is_complete(self) -> bool:
        """Whether all tests have ended, so that no further evidence can come."""
        return self.outcomes.total() >= self.size

    def lacking(self) -> tuple[str, TrialRecord | None]:
        """The reason why the group as a whole is unknown, and one of its trials; the reason is empty if it is
        not.
        """
        if not self.records and set(self.outcomes) == {"passed"}:
            return "no trial was run: the test asks for `trial` and never calls it", None
        if missing := missing_evidence(self.records):
            last = next(record for record in reversed(self.records) if record.deferred)
            return f"in none of {len(self.records)} trials: {'; '.join(missing)}", last
        for alike in self._calls():
            if all(record.tolerated for record in alike):
                told = f"each of {len(alike)} trials is unknown" if len(alike) > 1 else "the trial is unknown"
                return f"{told}: {alike[-1].headline}", alike[-1]
        return "", None

    def _calls(self) -> Iterable[list[TrialRecord]]:
        """The records by the call of their test that made them; all together if there is a single test.

        A single test may make its trials in a loop or by Hypothesis, so that each has a number of its own.
        """
        calls: dict[int, list[TrialRecord]] = defaultdict(list)
        for record in self.records:
            calls[record.call if self.size > 1 else 0].append(record)
        return calls.values()


def missing_evidence(records: Iterable[TrialRecord]) -> list[str]:
    """One sentence for each kind of evidence that a trial lacks and that no trial has."""
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
    # A checker with nothing to judge also reports missing evidence.
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
    """All names of the faults that had an effect."""
    for effect in effects:
        if not effect.get("inert"):
            yield from (str(effect[name]) for name in ("kind", "shape", "asked") if effect.get(name))
