"""The rules that a run is held to, in one table that every page, message and command reads.

P1 to P11 are about one slot of a consensus protocol, M1 to M13 about a log of slots, its replicas and its
clients. A to F are the ways in which a slot can be decided twice or lost, and D1 to D10 the situations that
the scenarios bring about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

RuleKind = Literal["slot", "log", "blame", "scenario"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, or one class of faults or situations."""

    id: str
    """Its short name in verdicts: "P7", "M3", "B", "D4"."""
    statement: str
    """What must hold; of a class of faults, what went wrong; of a scenario, what happens in it."""
    source: str
    """The paper and section that it comes from; empty if it is this project's own."""
    function: str
    """What decides it, as `module:name`; for a scenario, the plans that it is played by."""

    @property
    def kind(self) -> RuleKind:
        """Which of the four groups it belongs to."""
        return _KINDS[self.id[0]] if self.id[1:].isdigit() else "blame"


_KINDS: Final[Mapping[str, RuleKind]] = {"P": "slot", "M": "log", "D": "scenario"}

_PMS: Final = "Lamport, Paxos Made Simple (2001)"
_RAFT: Final = "Ongaro, Consensus: Bridging Theory and Practice (2014)"
_OMNI: Final = "Ng, Haridi and Carbone, Omni-Paxos (EuroSys 2023)"
_CONSENSUS: Final = "ostrakon.checkers.consensus"
_REPLICATION: Final = "ostrakon.checkers.replication"
_BLAME: Final = "ostrakon.checkers.consensus.blame_finding"

_TABLE: Final = (
    Rule("P1", "A value is proposed by a client before it is learned.", f"{_PMS}, section 2.1",
         f"{_CONSENSUS}.properties:origin"),
    Rule("P2", "At most one value is chosen in a slot.", f"{_PMS}, section 2.1",
         f"{_CONSENSUS}.properties:chosen"),
    Rule("P3", "All nodes that learn a slot learn the same value.", f"{_PMS}, section 2.1",
         f"{_CONSENSUS}.properties:learned"),
    Rule("P4", "A value is learned only after a quorum has accepted it.", f"{_PMS}, section 2.3",
         f"{_CONSENSUS}.properties:learned_chosen"),
    Rule("P5", "What a node has learned or applied in a slot never changes.", f"{_PMS}, section 2.1",
         f"{_CONSENSUS}.properties:stability"),
    Rule("P6", "A ballot has one proposer, and one value in each slot.", f"{_PMS}, section 2.5",
         f"{_CONSENSUS}.properties:ballot_unity"),
    Rule("P7", "An acceptor keeps its promises, also after a restart.", f"{_PMS}, section 2.2, P1a",
         f"{_CONSENSUS}.properties:promises"),
    Rule("P8", "A promise reports the acceptor's vote with the highest ballot.", f"{_PMS}, section 2.2",
         f"{_CONSENSUS}.properties:reports"),
    Rule("P9", "A proposal has a quorum of promises and the value of the highest vote that they report.",
         f"{_PMS}, section 2.2, P2c", f"{_CONSENSUS}.properties:safety"),
    Rule("P10", "A node never prepares a ballot twice: its ballots increase over its whole life.",
         f"{_PMS}, section 2.5", f"{_CONSENSUS}.properties:freshness"),
    Rule("P11", "A restart loses none of an acceptor's promises and votes.", f"{_PMS}, section 2.5",
         f"{_CONSENSUS}.properties:memory"),
    Rule("M1", "All replicas execute the same log.", f"{_PMS}, section 3", f"{_REPLICATION}:prefix"),
    Rule("M2", "A replica executes slots in order and leaves none out.", f"{_PMS}, section 3",
         f"{_REPLICATION}:no_holes"),
    Rule("M3", "Replicas that have executed the same log are in the same state.", f"{_PMS}, section 3",
         f"{_REPLICATION}:state"),
    Rule("M4", "A command takes effect once, and every attempt of its client gets the same result.",
         f"{_RAFT}, section 6.3", f"{_REPLICATION}:exactly_once"),
    Rule("M5", "A chosen value can be found on the disks of any quorum.", f"{_PMS}, section 2.5",
         f"{_REPLICATION}:durability"),
    Rule("M6", "Clients see one copy of the data, which changes at single instants (linearizability).",
         "Herlihy and Wing, Linearizability (1990), section 2",
         "ostrakon.checkers.linearizability:linearizable"),
    Rule("M7", "No node leads, or answers a read on its own, while another one holds a lease.",
         "Gray and Cheriton, Leases (1989), section 2", f"{_REPLICATION}:lease_reads"),
    Rule("M8", "All nodes count the quorums of a slot over the same members.", f"{_PMS}, section 3",
         f"{_CONSENSUS}.properties:membership"),
    Rule("M9", "A node drops from its log only what a durable snapshot covers.", f"{_RAFT}, section 5",
         f"{_REPLICATION}:compaction"),
    Rule("M10", "An id is given to one address for ever.", "", f"{_REPLICATION}:registry"),
    Rule("M11", "Once faults are over, clients are answered and replicas catch up.",
         f"{_PMS}, section 2.4", f"{_REPLICATION}:recovery"),
    Rule("M12", "Clients are served as long as some replica reaches a quorum.",
         _OMNI, f"{_REPLICATION}:progress"),
    Rule("M13", "No client sees the log go back.", "Terry et al., Session Guarantees (PDIS 1994)",
         "ostrakon.checkers.consistency.sessions:sessions"),
    Rule("A", "Two quorums that should share a node did not, or one of them was no quorum.",
         f"{_PMS}, section 2.2", f"{_BLAME}:no_quorum"),
    Rule("B", "An acceptor voted below a ballot that it had promised or voted at.",
         f"{_PMS}, section 2.2, P1a", f"{_BLAME}:broken_promise"),
    Rule("C", "An acceptor hid its vote from a later proposer.", f"{_PMS}, section 2.2",
         f"{_BLAME}:vote_hidden"),
    Rule("D", "A proposer was told of a vote and proposed another value.", f"{_PMS}, section 2.2, P2c",
         f"{_BLAME}:report_ignored"),
    Rule("E", "One ballot was used for two values.", f"{_PMS}, section 2.5", f"{_BLAME}:ballot_reused"),
    Rule("F", "Acceptors restarted without the votes by which they had chosen a value.",
         f"{_PMS}, section 2.5", f"{_BLAME}:votes_forgotten"),
    *(Rule(id, statement, source, "ostrakon.workloads.scenarios:SCENARIOS") for id, statement, source in (
        ("D1", "An acceptor crashes after a promise, and a proposer with a lower ballot follows.", ""),
        ("D2", "A proposal has one vote when its proposer dies, and arrives late elsewhere.", ""),
        ("D3", "Two values have votes of minorities, and a third proposer sees both.", ""),
        ("D4", "A leader stops, or its clock is wrong, for longer than its lease.", ""),
        ("D5", "A replica lags behind what the log still holds and needs a snapshot.", ""),
        ("D6", "Two leaders change the members at the same time.",
         "Ongaro, Bug in single-server membership changes (raft-dev, 2015)"),
        ("D7", "All replicas lose power at once.", ""),
        ("D8", "Links are cut so that only some replicas reach a quorum.", _OMNI),
        ("D9", "Replies arrive late, twice, or after a restart.", ""),
        ("D10", "An answer is lost after its command was decided, and the client asks elsewhere.", ""),
    )),
)  # fmt: skip

RULES: Final[Mapping[str, Rule]] = MappingProxyType({rule.id: rule for rule in _TABLE})
"""All of them by id, in the order in which documents list them."""


def statement(id: str) -> str:
    """What a rule says, in words that fit into a sentence; empty if there is no rule of that id.

    >>> statement("P2")
    'at most one value is chosen in a slot'
    """
    rule = RULES.get(id)
    return "" if rule is None else rule.statement[0].lower() + rule.statement[1:].rstrip(".")


_TITLES: Final[Mapping[RuleKind, str]] = {
    "slot": "One slot of consensus",
    "log": "A log of slots, its replicas and its clients",
    "blame": "Classes of faults by which a slot is decided twice or lost",
    "scenario": "Situations that scenarios bring about",
}


def as_markdown() -> str:
    """The table as the page docs/rules.md."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "# Rules\n"
    yield "What a run is held to, where each rule comes from, and the function that decides it. This page is"
    yield "made from `ostrakon/checkers/rules.py`: `python -m ostrakon.checkers.rules > docs/rules.md`."
    for kind, title in _TITLES.items():
        yield f"\n## {title}\n"
        yield "| id | statement | source | decided by |"
        yield "|---|---|---|---|"
        for rule in RULES.values():
            if rule.kind == kind:
                yield f"| {rule.id} | {rule.statement} | {rule.source} | `{rule.function}` |"
    yield ""


if __name__ == "__main__":
    print(as_markdown(), end="")
