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

from dataclasses import dataclass
from typing import Any

import msgspec

from ostrakon.checkers.consensus.charge import Charge
from ostrakon.checkers.consensus.inquest import Inquest
from ostrakon.checkers.consensus.properties import judge
from ostrakon.checkers.consensus.seen import Seen
from ostrakon.checkers.consensus.story import Story
from ostrakon.harness.history import Trace


@dataclass(frozen=True, slots=True)
class Blame:
    """Who broke which rule, and the events that show it."""

    charge: Charge
    story: Story
    lineage: tuple[str, ...] = ()
    """How the unsafe value went from proposal to proposal until it was chosen, as `ballot=value`."""

    def to_json(self) -> dict[str, Any]:
        """The blame as plain data: `class`, `rule`, `role`, `guilty`, `restarted`, `why`, `lineage`, `story`.

        The story is a list of `event` and `after`: the earlier entries, by position, that the event
        directly follows from.
        """
        charge = self.charge
        return {
            "class": charge.kind,
            "rule": charge.rule,
            "role": charge.role,
            "guilty": list(charge.guilty),
            "restarted": charge.restarted,
            "why": charge.why,
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
    inquest = Inquest(trace, seen if seen is not None else judge(trace, only=()).seen, slot, lost=lost)
    charge = inquest.charge()
    if charge is None:
        return None
    return Blame(charge, inquest.story(charge), inquest.lineage())
