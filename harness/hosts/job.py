"""What the child process of a trial is told when it begins, and what it tells when it ends."""

from __future__ import annotations

from typing import Any

import msgspec

from ostrakon.harness.plan import Plan

REPORT = "hosts.json"
"""The file of the run folder in which the child leaves its report; the parent reads and removes it."""


class Job(msgspec.Struct, frozen=True):
    """A line of JSON on the child's standard input, which stays open as long as the parent lives."""

    plan: Plan
    place: str
    """The run folder."""
    groups: dict[str, str] = {}
    """The control group of each node, as a folder; empty if no fault needs them."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a recording has beside history and trace, which are files of their own."""

    effects: tuple[dict[str, Any], ...] = ()
    findings: tuple[dict[str, Any], ...] = ()
    network: dict[str, Any] = {}
    crashes: tuple[dict[str, Any], ...] = ()
    real_s: float = 0.0
    refused: str = ""
    """Why the trial could not begin, in a sentence; empty if it did."""
