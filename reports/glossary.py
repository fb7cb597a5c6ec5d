"""The meaning of the short names in verdicts, in a few words."""

from __future__ import annotations

from collections.abc import Mapping

from ostrakon.checkers.rules import statement

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
    return statement(name) or ANOMALIES.get(name, "")
