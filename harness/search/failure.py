"""A failing trial, and the simplest plan found that fails in the same way.

A trial of the decree on the model takes a small part of the time that it takes in simulation, and mostly goes
the same way. So a failure of a simulation is sought there first: among the smallest plans, with other seeds;
among plans of few nodes as search draws them; and among all runs of a small world. A cluster of five nodes
can fail in ways that none of its subsets of three does, while three or four nodes can fail in another way for
the same reason; shrinking cannot find these by leaving things out. A plan that is found is shrunk, and counts
if it fails in simulation as well. The search ends with a plan that is readable, or tries the next one as long
as there is time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice, zip_longest
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.explanation import AFTER_RESTART
from ostrakon.harness.history import History
from ostrakon.harness.model import CannotExplore, Size
from ostrakon.harness.plan import BadPlan, Plan
from ostrakon.harness.search.allowance import Allowance
from ostrakon.harness.search.complexity import NODES_READABLE, complexity, is_readable
from ostrakon.harness.search.outcome import Run, Trial, reason_of
from ostrakon.harness.search.passes import PASSES, QUICK_PASSES, aimed_faults, one_fault, without_faults
from ostrakon.harness.search.scripted import script_passes, scripted_plans
from ostrakon.harness.search.shrink import shrink
from ostrakon.harness.search.smallest import calm_plans, struck_plans
from ostrakon.harness.search.swarm import Swarm
from ostrakon.harness.workload import Workload

_SEEDS = 12
"""With how many seeds a plan is tried on another substrate, where what is drawn is drawn otherwise."""
_DRAWN = 1000
"""How many plans of few nodes are drawn."""
_STATIONS = 4
"""How many plans of those on the way down on the model are tried in simulation, about."""
_START, _SOURCE = 0.5, 0.4
"""The share of the time that may be spent on finding failures on the model, and the share of what is left of
that for each way to find one."""
_AGAIN = 0.8
"""The share of the time after which no further plan is drawn, if none has become readable."""
_DOWN, _BACK = 0.5, 0.5
"""The shares of the time left then for shrinking it there, and for finding it again in simulation."""


def simplest_alike(
    failing: Trial,
    run: Run,
    allowance: Allowance,
    note: Callable[[Plan], object] = lambda plan: None,
    *,
    workload: Workload | None = None,
    needs_restart: bool = True,
) -> Plan:
    """The simplest plan found that ends as this trial did: with the same verdict, for the same reason.

    `note` is told of each simpler plan that does. The workload is the plan's unless it is given. Without
    `needs_restart`, a trial that failed after a restart of a node is like one that fails without a restart.
    """
    found = workload or find_workload(failing.plan.reference)
    reasons = (
        {reason_of(failing)} if needs_restart else {reason_of(failing), without_restart(reason_of(failing))}
    )
    return _Failure(failing, found, run, note, reasons).simplest(allowance)


def without_restart(reason: str) -> str:
    """The reason of a failure that happens in the same way without a restart of a node."""
    return reason.replace(f" · {AFTER_RESTART}", "")


@dataclass(slots=True)
class _Failure:
    trial: Trial
    workload: Workload
    run: Run
    note: Callable[[Plan], object]
    reasons: Collection[str]
    """The reasons of failures that are like this one."""
    explored: list[Plan] = field(default_factory=list, init=False)
    exploring: Iterator[Plan] | None = field(default=None, init=False)

    def simplest(self, allowance: Allowance) -> Plan:
        plan = self.trial.plan
        if plan.substrate == "sim" and self.workload.explore is None:
            # Also where there is a model: a list of operations loses them one by one, and a plan found on the
            # model draws as many as it ever did.
            return self._by_script(allowance)
        found = self._by_model(allowance) if self._has_model else None
        return shrink(
            found or plan,
            self._is_alike,
            passes=QUICK_PASSES if found is not None else PASSES,
            enough=allowance.is_spent,
            note=self.note,
            guesses=() if found is not None else self._guesses(),
        )

    def _by_script(self, allowance: Allowance) -> Plan:
        """The simplest plan found that lists its operations, or one that does not if none of those fails."""
        plan = self.trial.plan
        history = History(self.trial.history)
        guesses = (
            scripted_plans(plan, history, self.trial.anomalies, self.trial.final_ns)
            if plan.ops is UNSET
            else iter(())
        )
        for guess in _until(allowance, guesses):
            if (alike := self._alike(guess)) is not None:
                self.note(guess)
                # Now that it is known what is needed for the failure, the rest is looked for once more.
                again = scripted_plans(guess, History(alike.history), alike.anomalies, alike.final_ns)
                plan = next(
                    (smaller for smaller in _until(allowance, again) if self._is_smaller(smaller, guess)),
                    guess,
                )
                self.note(plan)
                break
        begun = history.where(type="invoke")
        passes = (*script_passes(begun), *QUICK_PASSES) if plan.ops is not UNSET else PASSES
        return shrink(
            plan,
            self._is_alike,
            passes=(*passes[:1], one_fault, without_faults, *passes[1:]),
            enough=allowance.is_spent,
            note=self.note,
            guesses=self._guesses() if plan.ops is UNSET else (),
        )

    def _is_smaller(self, plan: Plan, than: Plan) -> bool:
        return complexity(plan) < complexity(than) and self._is_alike(plan)

    @property
    def _has_model(self) -> bool:
        return self.trial.plan.substrate == "sim" and self.workload.model is not None

    def _guesses(self) -> Iterator[Plan]:
        """Simpler plans than that of the trial: of a small world, or just shorter ones."""
        yield from self._small_world()
        yield from without_aftermath(self.trial.plan, self.trial.anomalies, self.trial.reason)

    def _by_model(self, allowance: Allowance) -> Plan | None:
        """The simplest plan that was shrunk on the model and fails in simulation as well."""
        best: Plan | None = None
        drawn = self._drawn()
        again = self._failing(drawn, allowance.part(_AGAIN))
        for start in chain(self._starts(allowance.part(_START), drawn), again):
            found = self._downhill(start, allowance, best)
            best = found or best
            if allowance.is_spent() or (best is not None and is_readable(best)):
                break
        return best

    def _downhill(self, start: Plan, allowance: Allowance, best: Plan | None) -> Plan | None:
        """The simplest plan on the way down from a start that fails in simulation as well, if it is simpler
        than the best."""
        way = [start]
        shrink(
            start,
            self._is_alike,
            passes=(*PASSES, aimed_faults(self._message_kinds)),
            enough=allowance.part(_DOWN).is_spent,
            note=way.append,
        )
        stations = (replace(plan, substrate="sim") for plan in way[:: -max(1, len(way) // _STATIONS)])
        simpler = [plan for plan in stations if best is None or complexity(plan) < complexity(best)]
        return self._in_simulation(simpler, allowance.part(_BACK))

    def _in_simulation(self, plans: Sequence[Plan], allowance: Allowance) -> Plan | None:
        """The first of these plans that fails in simulation as well, with one seed or another."""
        for plan in plans:
            for seeded in _reseeded(plan):
                if allowance.is_spent():
                    return None
                if self._is_alike(seeded):
                    self.note(seeded)
                    return seeded
        return None

    def _starts(self, allowance: Allowance, drawn: Iterator[Plan]) -> Iterator[Plan]:
        """Plans that fail on the model: of few nodes as they are found, and at last those of more."""
        few = range(2, min(NODES_READABLE, self.trial.plan.nodes) + 1)
        sources = (
            (calm_plans(self.trial.plan, few), None),
            (_reseeded(self.trial.plan), 1),
            (_in_turn(drawn, struck_plans(self.trial.plan, few, self._message_kinds)), None),
            (self._small_world(), 1),
        )
        large: list[Plan] = []
        for plans, most in sources:
            for plan in islice(self._failing(plans, allowance.part(_SOURCE)), most):
                if plan.nodes <= NODES_READABLE:
                    yield plan
                else:
                    large.append(plan)
        yield from sorted(large, key=complexity)

    def _failing(self, plans: Iterable[Plan], allowance: Allowance) -> Iterator[Plan]:
        """Those of these plans that fail on the model, without what comes after that."""
        timely = _until(allowance, plans)
        return filter(None, (self._trimmed(replace(plan, substrate="model")) for plan in timely))

    def _drawn(self) -> Iterator[Plan]:
        """What search draws for few nodes."""
        plan = self.trial.plan
        few = min(plan.nodes, NODES_READABLE)
        return map(
            Swarm(workload=plan.reference, bug=plan.bug, nodes=few, options=plan.options).plan, range(_DRAWN)
        )

    def _small_world(self) -> Iterator[Plan]:
        """What follows from all there is to a small world, which is looked through once."""
        yield from self.explored
        if self.exploring is None:
            properties = broken_properties(self.trial.anomalies, self.trial.reason)
            self.exploring = small_world_plans(self.trial.plan, self.workload, properties)
        for plan in self.exploring:
            self.explored.append(plan)
            yield plan

    def _trimmed(self, plan: Plan) -> Plan | None:
        """The plan, ended where it failed if it then still does; None if it does not fail."""
        if (trial := self._alike(plan)) is None:
            return None
        return next(filter(self._is_alike, without_aftermath(plan, trial.anomalies, trial.reason)), plan)

    @property
    def _message_kinds(self) -> Sequence[str]:
        vocabulary = self.workload.vocabulary
        return vocabulary.kinds if vocabulary is not None else ()

    def _is_alike(self, plan: Plan) -> bool:
        return self._alike(plan) is not None

    def _alike(self, plan: Plan) -> Trial | None:
        """A trial of the plan, if it ends as this one did. One that cannot be run does not."""
        try:
            trial = self.run(plan)
        except BadPlan:
            return None
        return trial if trial.valid == self.trial.valid and reason_of(trial) in self.reasons else None


def _until(allowance: Allowance, plans: Iterable[Plan]) -> Iterator[Plan]:
    """These plans. When the time is over none is asked for, but one that took what was left of it counts."""
    ahead = iter(plans)
    while not allowance.is_spent() and (plan := next(ahead, None)) is not None:
        yield plan


def _in_turn(*sources: Iterable[Plan]) -> Iterator[Plan]:
    """A plan of each source, the next of each, and so on until all are at their ends."""
    for plans in zip_longest(*sources):
        yield from (plan for plan in plans if plan is not None)


def _reseeded(plan: Plan) -> Iterator[Plan]:
    """The plan with its own seed, and then with others."""
    return (replace(plan, seed=seed) for seed in dict.fromkeys((plan.seed, *range(_SEEDS))))


_MARGINS_MS = (1, 50, 500)
"""How long after the failure the clients stop; what leaves out less may still fail when what leaves out more
does not, since even the shortest end has a final phase."""


def without_aftermath(plan: Plan, anomalies: Sequence[Mapping[str, Any]], reason: str) -> Iterator[Plan]:
    """Plans that end soon after all that the reason names was complete, the shortest first."""
    named = [anomaly for anomaly in anomalies if str(anomaly["name"]) in reason] or list(anomalies)
    if not named:
        return
    failed_ms = math.ceil(max(map(_completed_ns, named)) / 1e6)
    for margin_ms in _MARGINS_MS:
        end_ms = failed_ms + margin_ms
        if end_ms < 1000 * plan.time_limit_s:
            yield _ended(plan, end_ms)


def _ended(plan: Plan, end_ms: int) -> Plan:
    faults = (
        replace(fault, for_ms=min(fault.for_ms, end_ms - fault.at_ms))
        for fault in plan.faults
        if fault.at_ms < end_ms
    )
    return replace(plan, nemesis=(), faults=tuple(faults), time_limit_s=end_ms / 1000)


def _completed_ns(anomaly: Mapping[str, Any]) -> int:
    """The time of the last thing that shows it."""
    return max((seen["time"] for seen in (*anomaly.get("ops", ()), *anomaly.get("events", ()))), default=0)


WORLDS = (Size(), Size(proposers=1, acceptors=4, timeouts=1), Size(crashes=1), Size(timeouts=1))
"""Where it is sought, one after the other, the smallest worlds first."""
_STATES_MAX = 20_000


def small_world_plans(plan: Plan, workload: Workload, properties: Sequence[str]) -> Iterator[Plan]:
    """Plans on a plan's substrate, of fewer nodes than it has, that break the last of these properties.

    What harms most is named first, and mostly follows from the others.
    """
    explore = workload.explore
    if explore is None or not properties:
        return
    for size in (size for size in WORLDS if size.acceptors < plan.nodes):
        try:
            found = explore(
                size, bug=plan.bug, only=tuple(properties[-1:]), states_max=_STATES_MAX, note=None
            )
        except CannotExplore:  # A property that small worlds do not know.
            return
        smaller = found.plan if plan.substrate == "model" else found.simulation
        if smaller is not None:
            yield replace(smaller, substrate=plan.substrate, code=plan.code)


def broken_properties(anomalies: Sequence[dict[str, Any]], reason: str) -> tuple[str, ...]:
    """The properties that the anomalies which a failure is named after are about."""
    found = (str(anomaly["property"]) for anomaly in anomalies if anomaly.get("property"))
    return tuple(dict.fromkeys(name for name in found if name in reason.split()))
