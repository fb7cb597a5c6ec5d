"""Whose fault it is that a slot was decided twice, or that what it holds was lost.

In a correct Paxos the quorum that chose a value and the quorum that allowed a later proposal of another
value share an acceptor, which told the later proposer of the earlier value. So when two values are chosen,
one of these has gone wrong, and the trace says which:

- A: the quorums did not intersect, or one of them was no quorum;
- B: an acceptor in both voted at a ballot below one that it had promised or voted at;
- C: an acceptor in both hid its vote from the later proposer;
- D: the later proposer was told, and proposed something else;
- E: one ballot was used for two values.

A value that was chosen is lost by the same faults, as soon as one of its acceptors votes for another; or else

- F: acceptors were restarted without the votes by which they had chosen it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import msgspec

from ostrakon.checkers.consensus.blame_analysis import BlameAnalysis
from ostrakon.checkers.consensus.blame_finding import BlameFinding
from ostrakon.checkers.consensus.excerpt import Excerpt
from ostrakon.checkers.consensus.properties import judge
from ostrakon.checkers.consensus.seen import Seen
from ostrakon.checkers.verdict import Anomaly, Verdict
from ostrakon.harness.history import Trace


@dataclass(frozen=True, slots=True)
class Blame:
    """Who broke which rule, and the events that show it."""

    finding: BlameFinding
    story: Excerpt
    lineage: tuple[str, ...] = ()
    """How the unsafe value went from proposal to proposal until it was chosen, as `ballot=value`."""

    def to_json(self) -> dict[str, Any]:
        """The blame as plain data: `class`, `rule`, `role`, `guilty`, `restarted`, `why`, `lineage`, `story`.

        The story is a list of `event` and `after`: the earlier entries, by position, that the event
        directly follows from.
        """
        finding = self.finding
        return {
            "class": finding.kind,
            "rule": finding.rule,
            "role": finding.role,
            "guilty": list(finding.guilty),
            "restarted": finding.restarted,
            "why": finding.why,
            "lineage": list(self.lineage),
            "story": [
                {"event": msgspec.to_builtins(event), "after": list(after)}
                for event, after in zip(self.story.events, self.story.after, strict=True)
            ],
        }


def blame(trace: Trace, slot: int = 0, *, lost: bool = False, seen: Seen | None = None) -> Blame | None:
    """Who is to blame for the disagreement about a slot; None if there is none, or no telling.

    With `lost`, also who is to blame for that what is chosen there cannot be found out any more (M5). `seen`
    spares a second pass over a trace that was judged already.
    """
    analysis = BlameAnalysis(trace, seen if seen is not None else judge(trace, only=()).seen, slot, lost=lost)
    finding = analysis.finding()
    if finding is None:
        return None
    return Blame(finding, analysis.story(finding), analysis.lineage())


BLAMED = ("agreement", "P2", "P3", "P5", "M1", "M5")
"""The checks whose anomalies are disagreement about a slot, or loss of what it held."""


def with_blame(parts: Mapping[str, Verdict], trace: Trace, *, seen: Seen | None = None) -> dict[str, Verdict]:
    """The same verdicts; anomalies of those that are `BLAMED` have the guilty of their slot in their details.

    That is `blame`, as `Blame.to_json` tells it, where the trace shows whose fault it was; or `blame_failed`,
    if looking for that failed. `seen` spares a second pass over a trace that was judged already.
    """
    suspicious = [name for name in BLAMED if name in parts and parts[name].anomalies]
    if not suspicious:
        return dict(parts)
    known = seen if seen is not None else judge(trace, only=()).seen

    @cache
    def guilty(slot: int, lost: bool) -> dict[str, Any]:
        try:
            found = blame(trace, slot, lost=lost, seen=known)
        except Exception as error:  # The disagreement must be told even so.
            return {"blame_failed": f"{type(error).__name__}: {error}"}
        return {"blame": found.to_json()} if found is not None else {}

    def explained(name: str, anomaly: Anomaly) -> Anomaly:
        about = guilty(anomaly.details.get("slot", 0), name == "M5")
        return replace(anomaly, details={**anomaly.details, **about})

    blamed = {
        name: replace(parts[name], anomalies=tuple(explained(name, each) for each in parts[name].anomalies))
        for name in suspicious
    }
    return {**parts, **blamed}
