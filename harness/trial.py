"""One trial: run a plan, record what happens, and let the workload's checkers judge the recording."""

from __future__ import annotations

import shlex
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ostrakon.harness.explanation import Explanation, FaultSpan, explain, fault_spans
from ostrakon.harness.generator import GENERATOR_NOTES, ImpossibleGenerator
from ostrakon.harness.history import History, Trace
from ostrakon.harness.history.history import fruitless
from ostrakon.harness.history.verdict import as_json, worst
from ostrakon.harness.messages import make_page
from ostrakon.harness.plan import Plan, plan_digest
from ostrakon.harness.recording import Finding, Recording
from ostrakon.harness.requirements import BadWorkload
from ostrakon.harness.resolution import ResolvedPlan, resolve
from ostrakon.harness.store import Store
from ostrakon.harness.substrate import find_substrate
from ostrakon.harness.user_code import at, place_of, place_of_error
from ostrakon.harness.version import VERSION
from ostrakon.harness.workload import Judgement, Workload


@dataclass(frozen=True, slots=True)
class Trial:
    """A plan, its recording, and the verdict."""

    plan: Plan
    """The plan."""
    recording: Recording
    """All that was recorded."""
    judgement: Judgement | None
    """The verdict of the workload's checkers; None if a finding of the harness replaces it."""
    findings: tuple[Finding, ...]
    """The findings of the harness itself."""
    wall_s: float
    """The duration by the wall clock, in seconds."""
    folder: Path | None = None
    """The run folder; None if the run was not saved."""
    again: str | None = None
    """The command that runs the trial again, if it is not `ostrakon replay`."""

    @property
    def history(self) -> History:
        """The operations of clients and of the nemesis."""
        return self.recording.history

    @property
    def trace(self) -> Trace:
        """The events that nodes reported."""
        return self.recording.trace

    @property
    def effects(self) -> tuple[dict[str, Any], ...]:
        """The effect of each fault."""
        return self.recording.effects

    @property
    def final_ns(self) -> int | None:
        """When the final phase began, in nanoseconds of virtual time; None if it did not, or is not known."""
        return self.recording.final_ns

    @property
    def virtual_s(self) -> float:
        """The duration of the trial by its own clock, in seconds."""
        return self.recording.virtual_s

    @property
    def digest(self) -> str:
        """A hash of all that happened."""
        return self.recording.digest

    @property
    def valid(self) -> str:
        """`valid`, `unknown` or `invalid`: the worst of the checkers' verdicts and the harness's findings."""
        verdicts = [*(finding.valid for finding in self.findings), *self._judged]
        return "unknown" if any(finding.is_ours for finding in self.findings) else worst(verdicts)

    @property
    def why(self) -> str:
        """The reason, in one sentence."""
        valid = self.valid
        # A mistake in the user's code first: it explains what is missing.
        findings = sorted(self.findings, key=lambda finding: not finding.is_ours)
        ours = [finding.why for finding in findings if finding.valid == valid]
        theirs = [self.judgement.why] if self.judgement is not None and self.judgement.valid == valid else []
        # The harness's findings come first: a crashed node explains why it did not answer.
        return next(iter(ours + theirs), "")

    @property
    def anomalies(self) -> list[dict[str, Any]]:
        """The anomalies that the checkers found, as plain data."""
        return _anomalies(self.judgement.to_json()) if self.judgement is not None else []

    @property
    def reason(self) -> str:
        """A short name of the kind of failure, equal for failures of one kind; empty if the trial is
        valid."""
        if self.valid == "valid":
            return ""
        named = [
            ": ".join(filter(None, (finding.name, finding.manner)))
            for finding in self.findings
            if finding.valid == self.valid
        ]
        return " · ".join(list(dict.fromkeys([*named, *self._kinds()]))[:2]) or self.why

    @property
    def faults(self) -> list[FaultSpan]:
        """Each fault with its begin, its end and its effect."""
        return fault_spans(self.history, self.effects)

    @property
    def explanations(self) -> list[Explanation | None]:
        """Each anomaly as a story of nodes, times and faults; None if clients' operations do not show it."""
        faults = self.faults
        return [explain(anomaly, self.history, faults) for anomaly in self.anomalies]

    @property
    def headline(self) -> str:
        """What happened, in one sentence: from the first anomaly that has a story, else `why`."""
        if self.valid != "invalid" or any(finding.valid == "invalid" for finding in self.findings):
            return self.why
        told = (explained.headline for explained in self.explanations if explained is not None)
        return next(filter(None, told), self.why)

    def _kinds(self) -> Iterator[str]:
        # An anomaly that clients observed is a better name than one that only nodes show.
        for anomaly in sorted(self.anomalies, key=lambda anomaly: bool(anomaly.get("latent"))):
            explained = explain(anomaly, self.history, self.faults)
            kind = " ".join(filter(None, (anomaly.get("property"), anomaly["name"])))
            yield f"{kind}: {explained.manner}" if explained is not None and explained.manner else kind

    @property
    def replay(self) -> str:
        """The command that runs this trial again."""
        if self.again is not None:
            return self.again
        if self.folder is not None:
            return shlex.join(["ostrakon", "replay", str(_relative(self.folder))])
        return shlex.join(["ostrakon", "test", self.plan.reference, "--seed", str(self.plan.seed)])

    def _told_faults(self) -> list[dict[str, Any]]:
        """The effects of all faults, each with its line for the report."""
        lines = {span.number: span.line() for span in self.faults}
        return [
            {**effect, **({"told": lines[effect["fault"]]} if effect.get("fault") in lines else {})}
            for effect in self.effects
        ]

    @property
    def _judged(self) -> list[str]:
        return [self.judgement.valid] if self.judgement is not None else []

    def results(self) -> dict[str, Any]:
        """The content of `results.json`."""
        recording = self.recording
        return {
            "valid": as_json(self.valid),
            "why": self.why,
            "headline": self.headline,
            "story": next((list(told.lines) for told in self.explanations if told is not None), []),
            "reason": self.reason,
            "workload": self.plan.workload,
            "bug": self.plan.bug,
            "seed": self.plan.seed,
            "replay": self.replay,
            "verdict": self.judgement.to_json() if self.judgement is not None else None,
            "findings": [finding.to_json() for finding in self.findings],
            "faults": self._told_faults(),
            "crashes": list(recording.crashes),
            "network": recording.network,
            "ops": sum(1 for _ in recording.history.where(type="invoke")),
            "events": len(recording.trace),
            "virtual_s": recording.virtual_s,
            "wall_s": self.wall_s,
            "digest": recording.digest,
            "plan_digest": plan_digest(self.plan),
            "stopped": recording.stopped,
            "sometimes": recording.sometimes,
            **({"messages": recording.message_transitions} if recording.message_transitions else {}),
            **({"versions": recording.versions} if recording.versions else {}),
            "version": VERSION,
        }


def run(
    plan: Plan,
    *,
    workload: Workload | None = None,
    store: Store | None = None,
    name: str | None = None,
    report: bool = False,
    again: str | None = None,
    watch: bool = False,
) -> Trial:
    """Run a plan and judge the recording.

    The workload is found by the plan's reference unless it is given. With a `store`, the run is saved while
    it runs, in a run folder called `name` (by default after the seed). With `report`, a page is written. With
    `again`, messages show this command instead of `ostrakon replay`. With `watch`, a simulation ends at the
    first violation that the workload's monitor reports.

    Raises: UnknownName, BadPlan, OSError.
    """
    resolved = resolve(plan, workload)
    return _run(resolved, store=store, name=name, report=report, again=again, watch=watch)


def run_observed(
    plan: Plan, *, store: Store | None = None, name: str | None = None, report: bool = False
) -> Trial:
    """As `run`, for a search: kinds of messages are counted where programs report no events."""
    resolved = replace(resolve(plan), observes_messages=True)
    return _run(resolved, store=store, name=name, report=report)


def _run(
    resolved: ResolvedPlan,
    *,
    store: Store | None,
    name: str | None,
    report: bool,
    again: str | None = None,
    watch: bool = False,
) -> Trial:
    plan = resolved.plan
    substrate = find_substrate(plan.substrate)
    substrate.require(resolved)
    folder = store.create(plan, name or f"seed-{plan.seed}") if store is not None else None
    began = time.perf_counter()
    with _generator_named(resolved.workload):
        recording = substrate.run(resolved, folder, watch=watch)
    judgement, findings = judge(plan, resolved.workload, recording)
    trial = Trial(
        plan,
        recording,
        judgement,
        findings,
        time.perf_counter() - began,
        folder.path if folder is not None else None,
        again,
    )
    if folder is not None:
        folder.write_results(trial.results())
        if report:
            make_page(folder.path, resolved.workload)
    return trial


@contextmanager
def _generator_named(workload: Workload) -> Iterator[None]:
    """Report a mistake in the workload's generator with its place. Raises: BadWorkload."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, ImpossibleGenerator) and not any(
            note.startswith(GENERATOR_NOTES) for note in getattr(error, "__notes__", ())
        ):
            raise
        place = place_of_error(error) or place_of(workload.generator) or workload.place
        told = str(error) if isinstance(error, ImpossibleGenerator | TypeError) else repr(error)
        problem = f"the generator of {workload.name!r} is at fault: {told}"
    else:
        return
    raise BadWorkload(at(place, problem))


def judge(
    plan: Plan, workload: Workload, recording: Recording
) -> tuple[Judgement | None, tuple[Finding, ...]]:
    """The verdict of the workload's checkers on a recording, and the findings of the harness."""
    # No pass without evidence, even if the workload's checkers would accept it.
    missing = (_no_evidence(why, recording.history, workload) for why in fruitless(recording.history))
    findings = (*recording.findings, *missing)
    try:
        judgement = workload.check(plan, recording.history, recording.trace)
    except Exception as error:
        why = f"the checkers of {workload.name!r} crashed: {type(error).__name__}: {error}"
        why = at(place_of_error(error) or place_of(workload.check) or workload.place, why)
        told = "".join(traceback.format_exception(error))
        return None, (*findings, Finding("checker crashed", "unknown", why, is_ours=True, traceback=told))
    if not hasattr(judgement, "to_json"):
        why = f"the checkers of {workload.name!r} must return a Verdict, and returned {judgement!r}"
        why = at(place_of(workload.check) or workload.place, why)
        return None, (*findings, Finding("no verdict", "unknown", why, is_ours=True))
    return judgement, findings


def _no_evidence(why: str, history: History, workload: Workload) -> Finding:
    """The finding that a kind of operation never succeeded, with the most frequent reason for that."""
    manner = why.partition(" in ")[0]
    if not any(history.clients):
        why = at(place_of(workload.generator) or workload.place, why)
        return Finding("no evidence", "unknown", why, manner=manner)
    errors = Counter(op.error for op in history.where(f=why.partition(" ")[0]) if op.error)
    if errors:
        why = f"{why}, most often because of: {max(errors, key=errors.__getitem__)}"
    return Finding("no evidence", "unknown", why, manner=manner)


def _anomalies(verdict: Mapping[str, Any]) -> list[dict[str, Any]]:
    own = list(verdict.get("anomalies", ()))
    return own + [anomaly for part in verdict.get("parts", {}).values() for anomaly in _anomalies(part)]


def _relative(path: Path) -> Path:
    try:
        return path.resolve().relative_to(Path.cwd())
    except ValueError:
        return path
