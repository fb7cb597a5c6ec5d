"""What the short names in verdicts stand for, in a few words, for those who do not know them by heart."""

from __future__ import annotations

from collections.abc import Mapping

PROPERTIES: Mapping[str, str] = {
    "P1": "a value is proposed by somebody before it is learned",
    "P2": "at most one value is chosen in a slot",
    "P3": "all nodes learn the same value",
    "P4": "what is learned was chosen by a quorum",
    "P5": "what a node has learned never changes",
    "P6": "one ballot, one proposer, one value",
    "P7": "a promise is kept, also after a restart",
    "P8": "a promise tells of the acceptor's highest vote",
    "P9": "a proposal takes the value of the highest reported vote",
    "P10": "a node never uses a ballot twice",
    "M1": "replicas execute the same log",
    "M2": "replicas execute slots in order and leave none out",
    "M3": "replicas that executed the same are in the same state",
    "M4": "a command has one effect, and one result",
    "M5": "what was chosen is not forgotten by so many that nobody needs to know of it",
    "M6": "clients see one copy of the data, which changes at once",
    "M7": "while a leader holds its lease, nobody else can lead",
    "M8": "all nodes count quorums over the same members",
    "M9": "only what a durable snapshot covers is dropped from the log",
    "M10": "an id is given to one address, for ever",
    "M11": "once faults are over, clients are answered and replicas catch up",
    "M12": "as long as somebody reaches a quorum, clients are served",
    "M13": "no client sees the log go back",
}
"""Properties of consensus: P1 to P10 are about one slot, M1 to M13 about many and about their users."""

CLASSES: Mapping[str, str] = {
    "A": "quorums that do not intersect",
    "B": "a promise or a vote that was not kept",
    "C": "a vote that was hidden",
    "D": "a report that the proposer ignored",
    "E": "one ballot used for two values",
    "F": "a vote that was forgotten in a restart",
}
"""The ways in which one slot can come to be decided twice, of which there are five, and F, in which what it
holds can be lost without that."""


ANOMALIES: Mapping[str, str] = {
    "G0": "dirty writes: two transactions each overwrote the other",
    "G1a": "a transaction read what another had written and then taken back",
    "G1b": "a transaction read from the middle of another",
    "G1c": "each of some transactions depends on what the next one wrote",
    "G-single": "read skew: one transaction saw part of another and missed part of it",
    "G-nonadjacent": "transactions missed each other's writes, never two in a row",
    "G2": "write skew: each of some transactions missed what the next one wrote",
    "lost-update": "two transactions read the same version and both replaced it",
    "internal": "a transaction did not see what it had done or seen itself",
    "future-read": "a transaction read what it was to write only later",
    "dirty-update": "a transaction built upon what another had written and then taken back",
    "garbage-read": "a value was read that nobody ever wrote",
    "duplicate-elements": "a value was read twice that was written once",
    "incompatible-order": "reads disagree about the order in which values were written",
    "cyclic-versions": "each of some versions was written over the next one",
}
"""Anomalies of transactions (Adya 1999; Cerone and Gotsman 2018; Kingsbury and Alvaro 2020), whatever orders
are drawn on besides."""

_SUFFIXES = ("-realtime", "-process", "-item")


def gloss(name: str) -> str:
    """What a property or an anomaly is about; empty for names that speak for themselves."""
    name = name.rpartition("/")[2].strip()
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return PROPERTIES.get(name) or ANOMALIES.get(name, "")
