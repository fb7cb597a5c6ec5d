"""Which consistency models a history satisfies, which it violates, and of which that stays open.

A model is satisfied only if a certificate says so, for it or for a stronger one, and only after an
independent replay of the certificate; it is violated only if an anomaly rules it out, for it or for a weaker
one."""

from __future__ import annotations

from collections.abc import Callable

from ostrakon.checkers.transactions import consistency as lattice
from ostrakon.checkers.transactions.certificate import Certificate, TransactionModel, certificate
from ostrakon.checkers.transactions.decision import Proven, Refuted, decide, smallest
from ostrakon.checkers.transactions.execution import Execution
from ostrakon.checkers.transactions.explanation import explain
from ostrakon.checkers.transactions.findings import Findings
from ostrakon.checkers.transactions.levels import LEVELS
from ostrakon.checkers.transactions.replay import Replay
from ostrakon.checkers.transactions.snapshot_guess import Event
from ostrakon.checkers.transactions.table import Transactions


class Assessment:
    """What is known of each model; `decide` finds out more."""

    def __init__(
        self,
        table: Transactions,
        model: TransactionModel,
        execution: Callable[[], Execution],
        findings: Findings,
        conflicts: int,
    ) -> None:
        self._table, self._model, self._make = table, model, execution
        self._findings, self._conflicts = findings, conflicts
        self._execution: Execution | None = None
        self._replay: Replay | None = None
        self._open: dict[str, str] = {}
        self._refuted: dict[str, tuple[int, ...]] = {}
        self.certificates: dict[str, Certificate] = {}
        """Certificates that were replayed, by model."""
        self._proven: dict[str, str] = {}
        """Satisfied models, each with the one whose certificate shows it."""
        self.violated: set[str] = set(lattice.violated(findings.counts))

    @property
    def execution(self) -> Execution:
        """The history in the form in which levels are decided."""
        if self._execution is None:
            self._execution = self._make()
        return self._execution

    def is_open(self, model: str) -> bool:
        """Whether it is neither proven nor refuted that the model holds."""
        return model not in self._proven and model not in self.violated

    def why_open(self, model: str) -> str:
        """What kept a model from being decided."""
        return self._open.get(model, "it was not decided")

    def proof_of(self, model: str) -> str:
        """The model whose certificate shows that this one is satisfied."""
        return self._proven[model]

    def decide_all(self) -> None:
        """Decide every model, the strongest of those that are open first: with it fall the weaker ones."""
        while undone := [
            model for model in lattice.MODELS if self.is_open(model) and model not in self._open
        ]:
            for model in lattice.strongest(undone):
                self.decide(model)

    def decide(self, model: str) -> None:
        """Decide one model, unless that was done."""
        model = lattice.canonical_name(model)
        if not self.is_open(model) or model in self._open:
            return
        decision = decide(self.execution, LEVELS[model], conflicts=self._conflicts)
        match decision:
            case Proven(events):
                self.accept(model, events)
            case Refuted(members):
                self._refuted[model] = members
                self.violated |= lattice.stronger(model)
            case undecided:
                self._open[model] = undecided.why

    def accept(self, model: str, events: tuple[Event, ...]) -> None:
        """Replay what was found; a certificate that does not hold proves nothing, and is a fault of ours."""
        found = certificate(self._table, self._model, self.execution, model, events)
        self.accept_certificate(model, found)

    def accept_certificate(self, model: str, found: Certificate) -> bool:
        """Keep a certificate if its replay succeeds; whether it does."""
        if self._replay is None:
            self._replay = Replay(self._table.history)
        fault = self._replay.fault(found)
        if fault is not None:
            self._open[model] = f"the order that was found did not hold when it was replayed: {fault}"
            return False
        self.keep(model, found)
        return True

    def keep(self, model: str, found: Certificate) -> None:
        """Keep a certificate that was replayed."""
        self.certificates[model] = found
        for weaker in lattice.weaker(model):
            self._proven.setdefault(weaker, model)

    def tell_refutations(self) -> None:
        """Explain the refuted models, by a smallest set of transactions; those that are stronger than others
        not."""
        for model in lattice.weakest(self.violated):
            if model not in self._refuted:
                continue
            members = smallest(self.execution, LEVELS[model], self._refuted[model])
            told = explain(self._table, self.execution, LEVELS[model], members, model)
            rows = [row for row in (self.execution.rows[member] for member in members) if row >= 0]
            self._findings.tell(lattice.UNORDERED + model, rows, told.pop("why"), told)
