"""What a campaign came to: a verdict and the figures behind it, as plain data for pages and for --json."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ostrakon.harness.faults import kind_of
from ostrakon.harness.history.verdict import as_json
from ostrakon.harness.search.campaign import Campaign
from ostrakon.harness.search.complexity import size_line
from ostrakon.harness.search.outcome import NO_EVIDENCE, Uses, Valid
from ostrakon.harness.search.portfolio import told_merits
from ostrakon.harness.search.soak import Progress
from ostrakon.harness.search.tally import FailureGroup, Tally
from ostrakon.harness.version import VERSION

VERDICTS: tuple[Valid, ...] = ("valid", "unknown", "invalid")


def summarize(
    campaign: Campaign, progress: Progress, *, resume: str, running: bool = False
) -> dict[str, Any]:
    """The summary of a campaign after a soak, or during one; `resume` is the command that goes on with it."""
    tally = progress.tally
    portfolio = progress.portfolio
    valid, why = judge(tally, campaign.swarm.kinds)
    if progress.own_failures and valid == "valid":
        valid, why = "unknown", f"the harness itself failed: {progress.own_failures[0]}"
    return {
        "valid": as_json(valid),
        "why": why,
        "workload": campaign.swarm.workload,
        "bug": campaign.swarm.bug,
        "parameters": {**msgspec.to_builtins(campaign.swarm), "first_seed": campaign.first},
        "version": VERSION,
        "campaign": str(campaign.path),
        "resume": resume,
        "running": running,
        "stopped": progress.stopped,
        "trials": {
            "total": tally.trials,
            **{name: tally.verdicts[name] for name in VERDICTS},
            "this_soak": progress.tried,
        },
        "workloads": [
            {"name": name, "trials": verdicts.total(), **{valid: verdicts[valid] for valid in VERDICTS}}
            for name, verdicts in sorted(tally.workloads.items())
        ],
        "workers": progress.workers,
        "elapsed_s": round(progress.elapsed_s, 3),
        "trials_per_s": round(progress.trials_per_s, 1),
        "virtual_s": round(tally.virtual_s, 3),
        "wall_s": round(tally.wall_s, 3),
        "failures": [_told(finding) for finding in tally.failures],
        "unknowns": [_told(finding) for finding in tally.unknowns],
        "recipes": [
            {**told, "invalid": tally.convictions[told["name"]]}
            for told in told_merits(tally.merits, portfolio.swarm.recipes, portfolio.shares)
        ],
        "coverage": tally.coverage.to_json(),
        "faults": [
            {"kind": kind, "asked": uses.asked, "inert": uses.inert}
            for kind, uses in sorted(tally.faults.items())
        ],
        "determinism": {"reruns": tally.reruns, "divergent_seeds": tally.divergent},
        "own_failures": list(progress.own_failures),
    }


def judge(tally: Tally, kinds: tuple[str, ...] | None) -> tuple[Valid, str]:
    """The verdict on a campaign: the worst of its trials', and unknown if it never did what was asked.

    A trial in which nothing could have gone wrong takes nothing away from the others; when most are
    like that, the campaign is unknown too.
    """
    if failures := [finding for finding in tally.failures if not finding.mended]:
        failed = sum(finding.count for finding in failures)
        ways = f"{len(failures)} ways" if len(failures) > 1 else "one way"
        return "invalid", f"{failed} of {tally.trials} trials failed, in {ways}"
    if tally.trials == 0:
        return "unknown", "nothing was tried"
    empty = sum(finding.count for finding in tally.unknowns if _shows_too_little(finding))
    if puzzles := [finding for finding in tally.unknowns if not _shows_too_little(finding)]:
        count = tally.verdicts["unknown"] - empty
        return "unknown", f"{count} of {tally.trials} trials could not be judged, mostly: {puzzles[0].why}"
    if empty > tally.trials / 2:
        return "unknown", f"{empty} of {tally.trials} trials showed nothing, such as: {tally.unknowns[0].why}"
    if unused := _without_effect(tally.faults, kinds or ()):
        return "unknown", f"of the faults asked for, {', '.join(unused)} never took effect"
    besides = [f"{empty} showed nothing"] if empty else []
    if unreached := tally.coverage.unreached:
        besides.append(f"rare branches never reached: {', '.join(unreached)}")
    if mended := tally.verdicts["invalid"]:
        besides.append(f"{mended} had failed in ways that do not fail any more")
    why = f"{tally.verdicts['valid']} of {tally.trials} trials were valid"
    return "valid", "; ".join([why, *besides])


def _shows_too_little(finding: FailureGroup) -> bool:
    """Whether nothing could go wrong in these trials; others of the campaign may have what they lack."""
    return set(finding.reason.split(" · ")) <= {NO_EVIDENCE, "no evidence", "inert fault"}


def replay_line(folder: str) -> str:
    """The command that runs what is recorded in a folder again; empty if there is no folder."""
    return f"ostrakon replay {shlex.quote(os.path.relpath(folder))}" if folder else ""


def _without_effect(faults: Mapping[str, Uses], kinds: tuple[str, ...]) -> list[str]:
    effective = {kind for kind, uses in faults.items() if uses.asked > uses.inert}
    return [name for name in kinds if kind_of(name) not in effective]


def _told(finding: FailureGroup) -> dict[str, Any]:
    return {
        "reason": finding.reason,
        "count": finding.count,
        "why": finding.why,
        "seed": finding.seed,
        "folder": finding.folder,
        "mended": finding.mended,
        "shrunk": finding.shrunk,
        "in_simulation": finding.in_simulation,
        "size": size_line(finding.plan),
        "replay": replay_line(finding.folder),
        "plan": msgspec.to_builtins(finding.plan),
    }


def page_path(campaign: Campaign) -> Path:
    """Where the campaign's page goes: beside its record."""
    return campaign.path.with_suffix(".html")
