"""The properties P1 to P11 of a trace, each as a checker of its own, and all of them in one pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace

from ostrakon.checkers.consensus.monitor import Watch
from ostrakon.checkers.consensus.rules import LATENT, RULES
from ostrakon.checkers.consensus.seen import Seen
from ostrakon.checkers.garbage import collection_paused
from ostrakon.checkers.value import Key, canonical
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import History, Trace
from ostrakon.harness.history.trace import in_order

MOST_TOLD = 8
"""How many violations of one property are told in full; the others are counted."""


@dataclass(slots=True)
class Violations:
    """What one pass over a trace found."""

    seen: Seen
    kinds: Mapping[str, int]
    """How many events of each kind there are."""
    anomalies: dict[str, list[Anomaly]] = field(default_factory=dict)
    """By property, the first violations."""
    counts: Counter[str] = field(default_factory=Counter)
    """By property, how many violations there are."""
    harmed: bool = False

    def verdict(self, property: str) -> Verdict:
        """What is to be said of one property. Where there was nothing to judge it by, it is unknown."""
        rule = RULES[property]
        judged = sum(self.kinds.get(kind, 0) for kind in rule.kinds)
        if judged == 0:
            return Verdict.unknown(
                f"no {' or '.join(rule.kinds)} in the trace, so {property} was not put to test"
            )
        if property in _NEEDS_QUORUMS and "config_active" not in self.kinds:
            return Verdict.unknown(f"no config_active in the trace, so {property} has no quorums to go by")
        if property == "P2" and not any(slot.chosen for slot in self.seen.slots.values()):
            return Verdict.unknown("nothing was chosen, so there was nothing to disagree about")
        told = self.anomalies.get(property)
        if not told:
            return Verdict("valid", details={"judged": judged})
        latent = property in LATENT and not self.harmed
        return Verdict.of(
            (replace(anomaly, latent=latent) for anomaly in told),
            judged=judged,
            violations=self.counts[property],
        )

    def verdicts(self) -> dict[str, Verdict]:
        """What is to be said of each property; P11 is left out of a trace without restarts."""
        return {name: self.verdict(name) for name in RULES if name != "P11" or "restart" in self.kinds}


_NEEDS_QUORUMS = frozenset({"P2", "P4", "P9"})


def judge(
    trace: Trace, *, invited: Container[Key] | None = None, only: Iterable[str] = tuple(RULES)
) -> Violations:
    """Hold a trace to the rules in one pass; `only` names the properties to look at.

    The events are taken in the order of their times, and of the trace where these are equal.
    """
    watch = Watch(invited=invited, only=only)
    findings = Violations(watch.seen, Counter([event.event for event in trace]))
    with collection_paused():
        for event in in_order(trace):
            if not (anomalies := watch.judge(event)):
                continue
            for anomaly in anomalies:
                name = anomaly.property or ""
                findings.counts[name] += 1
                if findings.counts[name] <= MOST_TOLD:
                    findings.anomalies.setdefault(name, []).append(anomaly)
    findings.harmed = watch.harmed
    return findings


def origin(trace: Trace, history: History | None = None, *, f: str = "propose") -> Verdict:
    """P1, validity: what is learned was proposed, and what is proposed a client asked for.

    Clients' wishes are the values of the invocations of `f`; without a history only the trace is judged.
    """
    return judge(trace, invited=invited(history, f) if history is not None else None, only=["P1"]).verdict(
        "P1"
    )


def invited(history: History, f: str = "propose") -> frozenset[Key] | None:
    """The canonical forms of the values that clients asked for; None if they did not ask for any."""
    return frozenset(canonical(op.value) for op in history.where(f=f, type="invoke")) or None


def chosen(trace: Trace) -> Verdict:
    """P2, agreement: at most one value is chosen in each slot."""
    return judge(trace, only=["P2", "P3"]).verdict("P2")


def learned(trace: Trace) -> Verdict:
    """P3, agreement: all who learn a slot learn the same."""
    return judge(trace, only=["P3"]).verdict("P3")


def learned_chosen(trace: Trace) -> Verdict:
    """P4: what is learned has been chosen before."""
    return judge(trace, only=["P4"]).verdict("P4")


def stability(trace: Trace) -> Verdict:
    """P5, integrity: what a node has learned or applied never changes, over all its lives."""
    return judge(trace, only=["P5"]).verdict("P5")


def ballot_unity(trace: Trace) -> Verdict:
    """P6: each ballot has one proposer, and one value in each slot."""
    return judge(trace, only=["P2", "P3", "P6"]).verdict("P6")


def promises(trace: Trace) -> Verdict:
    """P7: an acceptor that promised or voted has nothing more to do with lower ballots."""
    return judge(trace, only=["P2", "P3", "P7"]).verdict("P7")


def reports(trace: Trace) -> Verdict:
    """P8: promises report the highest votes of those who give them."""
    return judge(trace, only=["P2", "P3", "P8"]).verdict("P8")


def safety(trace: Trace) -> Verdict:
    """P9: each proposal is one that a quorum of promises allows."""
    return judge(trace, only=["P2", "P3", "P9"]).verdict("P9")


def freshness(trace: Trace) -> Verdict:
    """P10: the ballots that a node prepares increase over its whole life."""
    return judge(trace, only=["P2", "P3", "P10"]).verdict("P10")


def memory(trace: Trace) -> Verdict:
    """P11: a restart loses neither promises nor votes."""
    return judge(trace, only=["P2", "P3", "P7", "P11"]).verdict("P11")


def membership(trace: Trace) -> Verdict:
    """M8: all nodes count quorums over the same members."""
    return judge(trace, only=["P2", "P3", "M8"]).verdict("M8")
