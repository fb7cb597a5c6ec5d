"""The failures of a test run, told: one bug, one story.

Failures are grouped by their reason. The first of each reason is shrunk for a few seconds and told in full;
the others of that reason are one line each.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ostrakon.harness.catalogue import UnknownName, find_workload
from ostrakon.harness.commands.outcome import story
from ostrakon.harness.messages import make_page
from ostrakon.harness.plan import BadPlan, Plan, read_plan
from ostrakon.harness.search.complexity import size_line
from ostrakon.harness.search.shrunk import Shrunk, keep_shrunk, shrink_trial
from ostrakon.harness.store import Store
from ostrakon.harness.trial import Trial, run
from ostrakon.harness.trial_group import TrialRecord
from ostrakon.harness.workload import Workload

STORY_LINES_MAX = 40
"""As long as the story of one bug may be."""
_OTHERS_MAX = 12
"""How many more failures of one reason are listed."""


def failure_summary(
    failures: Iterable[TrialRecord],
    store: Store,
    *,
    shrink_s: float,
    find: Callable[[Plan, str], Workload] = lambda plan, folder: find_workload(plan.reference),
) -> Iterator[str]:
    """The lines that tell all failures; `shrink_s` seconds are spent on shrinking each reason, 0 for none.

    `find` finds the workload of a plan and its run folder; where it cannot, the failure is told as it was.
    """
    for number, alike in enumerate(_by_reason(failures)):
        if number > 0:
            yield ""
        yield from _story(alike, store, shrink_s, find)


def _by_reason(failures: Iterable[TrialRecord]) -> list[list[TrialRecord]]:
    groups: dict[tuple[str, str, str], list[TrialRecord]] = {}
    for record in failures:
        groups.setdefault((record.workload, record.valid, record.reason), []).append(record)
    return list(groups.values())


def _story(
    alike: Sequence[TrialRecord], store: Store, shrink_s: float, find: Callable[[Plan, str], Workload]
) -> Iterator[str]:
    first = alike[0]
    lines = [*_first(first, store, shrink_s, find)]
    if len(lines) > STORY_LINES_MAX:
        # What is at the end says where the rest can be read.
        cut = len(lines) - STORY_LINES_MAX + 1
        at = STORY_LINES_MAX - 10
        lines = [*lines[:at], f"    ... {cut} more lines in the report", *lines[at + cut :]]
    yield from lines
    if len(alike) > 1:
        yield f"  the same in {len(alike) - 1} more:"
        for record in alike[1 : _OTHERS_MAX + 1]:
            yield f"    {record.test}  {record.replay}"
        if len(alike) > _OTHERS_MAX + 1:
            yield f"    ... and {len(alike) - _OTHERS_MAX - 1} more"


def _first(
    record: TrialRecord, store: Store, shrink_s: float, find: Callable[[Plan, str], Workload]
) -> Iterator[str]:
    try:
        plan = read_plan(record.folder)
        workload = find(plan, record.folder)
    except (UnknownName, BadPlan, OSError) as error:
        yield f"{record.valid.upper()}  {record.headline}"
        yield f"  {record.test}"
        yield f"  not run again: {error}"
        yield f"  replay: {record.replay}"
        return
    trial = run(plan, workload=workload, again=record.replay)
    if trial.valid == "invalid" and plan.substrate in ("sim", "model") and shrink_s > 0:
        shrunk = shrink_trial(trial, shrink_s, workload=workload)
        yield from _shrunk_story(record, trial, shrunk, store, workload)
        return
    first, *rest = story(trial)
    yield first
    yield f"  {record.test}"
    page = Path(record.folder) / "report.html"
    yield from (line for line in rest if line.strip() and not line.startswith(("  report:", "  replay:")))
    if page.exists():
        yield f"  report: {page}"
    yield f"  replay: {record.replay}"
    if trial.valid == "invalid":
        yield f"  shrink: {shlex.join(['ostrakon', 'shrink', record.folder])}"


def _shrunk_story(
    record: TrialRecord, trial: Trial, shrunk: Shrunk, store: Store, workload: Workload
) -> Iterator[str]:
    again = None if record.replay.startswith("ostrakon") else record.replay
    kept, test = keep_shrunk(shrunk, store, workload=workload)
    assert kept.folder is not None
    make_page(kept.folder, workload)
    first, *rest = story(kept)
    yield first
    yield f"  {record.test}: {size_line(trial.plan)}"
    yield f"  shrunk to {size_line(shrunk.plan)}, after {shrunk.runs} runs"
    ending = ("  report:", "  replay:")
    yield from (line for line in rest[1:] if line.strip() and not line.startswith(ending))
    yield f"  report: {kept.folder / 'report.html' if kept.folder else ''}"
    if again is None:
        yield f"  replay: {kept.replay}"
    yield f"  replay of the first trial: {record.replay}"
    if again is None:
        yield f"  shrink on: {shlex.join(['ostrakon', 'shrink', record.folder])}"
        yield f"  test that fails until it is mended: {test}"
