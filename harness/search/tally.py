"""The counts of a campaign: verdicts, failures with their reasons, and faults that had an effect."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from ostrakon.harness.plan import Plan
from ostrakon.harness.search.complexity import complexity
from ostrakon.harness.search.coverage import Coverage
from ostrakon.harness.search.outcome import Outcome, Uses, Valid
from ostrakon.harness.search.portfolio import Merit


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """All trials that were not valid for one reason, and the smallest plan among them."""

    valid: Valid
    reason: str
    count: int
    seed: int
    """The seed of the smallest plan."""
    why: str
    """The explanation of the smallest plan's failure."""
    plan: Plan
    folder: str = ""
    """The run folder of the smallest plan; empty if there is none yet."""
    shrunk: bool = False
    """Whether the smallest plan is the result of shrinking."""
    in_simulation: str = ""
    """Whether the smallest plan for the model fails in simulation too, in a clause; empty until it
    was tried there."""
    mended: bool = False
    """Whether the smallest plan no longer failed when the campaign was resumed."""


@dataclass(slots=True)
class Tally:
    """All counts of a campaign so far."""

    verdicts: Counter[str] = field(default_factory=Counter)
    workloads: dict[str, Counter[str]] = field(default_factory=dict)
    """Verdicts by workload."""
    recipes: Counter[str] = field(default_factory=Counter)
    """Trials by recipe."""
    convictions: Counter[str] = field(default_factory=Counter)
    """Invalid trials by recipe."""
    faults: dict[str, Uses] = field(default_factory=dict)
    virtual_s: float = 0.0
    wall_s: float = 0.0
    """The duration of all trials, summed over all workers."""
    reruns: int = 0
    divergent: list[int] = field(default_factory=list)
    """Seeds whose second run differed from the first."""
    findings: dict[tuple[Valid, str], FailureGroup] = field(default_factory=dict)
    coverage: Coverage = field(default_factory=Coverage)
    """The coverage of all trials."""
    merits: dict[str, Merit] = field(default_factory=dict)
    """The merits of recipes, by name."""

    @property
    def trials(self) -> int:
        """The number of seeds that were tried."""
        return self.verdicts.total()

    @property
    def failures(self) -> list[FailureGroup]:
        """The failures of the system under test, the most frequent first."""
        return self._found("invalid")

    @property
    def unknowns(self) -> list[FailureGroup]:
        """Why trials could not be judged, the most frequent first."""
        return self._found("unknown")

    def add(self, outcome: Outcome, workload: str) -> FailureGroup | None:
        """Count an outcome; returns the finding that it changed in more than its count, if it did."""
        self.verdicts[outcome.valid] += 1
        self.workloads.setdefault(workload, Counter())[outcome.valid] += 1
        self.recipes[outcome.recipe] += 1
        self.convictions[outcome.recipe] += outcome.valid == "invalid"
        self.virtual_s += outcome.virtual_s
        self.wall_s += outcome.wall_s
        self.reruns += outcome.rerun
        if outcome.differs:
            self.divergent.append(outcome.seed)
        for kind, uses in outcome.faults.items():
            seen = self.faults.get(kind, Uses())
            self.faults[kind] = Uses(seen.asked + uses.asked, seen.inert + uses.inert)
        self.coverage.add(outcome)
        return self._add_finding(outcome) if outcome.plan is not None else None

    def rechecked(self, key: tuple[Valid, str], plan: Plan, *, mended: bool) -> FailureGroup | None:
        """Note whether a plan still fails; returns the finding if this is still its smallest plan."""
        if self.findings[key].plan != plan:
            return None
        self.findings[key] = replace(self.findings[key], mended=mended)
        return self.findings[key]

    def shrunk(self, key: tuple[Valid, str], plan: Plan, simpler: Plan) -> FailureGroup | None:
        """Note what shrinking made of a plan; returns the finding if that was still its smallest."""
        finding = self.findings[key]
        if finding.plan != plan:
            return None
        folder = finding.folder if simpler == plan else ""
        self.findings[key] = replace(finding, plan=simpler, folder=folder, shrunk=True)
        return self.findings[key]

    def confirmed(self, key: tuple[Valid, str], told: str) -> FailureGroup:
        """Note whether a failure occurs in simulation; returns the finding."""
        self.findings[key] = replace(self.findings[key], in_simulation=told)
        return self.findings[key]

    def recorded(self, key: tuple[Valid, str], plan: Plan, folder: str, why: str) -> FailureGroup | None:
        """Note where a plan's run was recorded, and what was said of it; returns the finding if this is still
        its smallest plan.
        """
        finding = self.findings[key]
        if finding.plan != plan:
            return None
        self.findings[key] = replace(finding, folder=folder, why=why)
        return self.findings[key]

    def _add_finding(self, outcome: Outcome) -> FailureGroup | None:
        assert outcome.plan is not None
        key = (outcome.valid, outcome.reason)
        known = self.findings.get(key)
        if known is not None and complexity(known.plan) <= complexity(outcome.plan):
            self.findings[key] = replace(known, count=known.count + 1, mended=False)
            return self.findings[key] if known.mended else None
        finding = FailureGroup(
            outcome.valid,
            outcome.reason,
            known.count + 1 if known else 1,
            outcome.seed,
            outcome.why,
            outcome.plan,
            outcome.folder,
            in_simulation=known.in_simulation if known else "",
        )
        self.findings[key] = finding
        return finding

    def _found(self, valid: Valid) -> list[FailureGroup]:
        found = [finding for finding in self.findings.values() if finding.valid == valid]
        return sorted(found, key=lambda finding: (-finding.count, finding.reason))
