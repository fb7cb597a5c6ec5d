"""How a soak is shown while it runs: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.search.soak import Progress, View
from harness.search.summary import replay_line
from harness.search.tally import Finding

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_LINE_EVERY_S = 10.0


@contextmanager
def watched(console: Console) -> Iterator[View]:
    """A view of a soak that suits where it is written to."""
    if not console.is_terminal:
        yield LineView(lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True))
        return
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(bar_width=24),
        TextColumn("{task.percentage:3.0f}%"),
        TextColumn("{task.description}"),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        yield BarView(bar, bar.add_task("starting workers", total=1.0))


def status_line(progress: Progress) -> str:
    """How it is going, in one line."""
    tally = progress.tally
    parts = [
        f"{tally.trials:,} trials",
        f"{progress.trials_per_s:,.0f}/s",
        f"{tally.virtual_s / 3600:,.2f} virtual h",
        *(f"{tally.verdicts[name]:,} {name}" for name in ("valid", "unknown", "invalid")),
        f"{len(tally.failures)} distinct failure{'' if len(tally.failures) == 1 else 's'}",
    ]
    return " · ".join(parts)


def share_done(progress: Progress) -> float:
    """How far it is, from 0 to 1; 0 when it has no end."""
    limits = progress.limits
    shares = [
        done / limit
        for done, limit in ((progress.elapsed_s, limits.seconds), (progress.tried, limits.trials))
        if math.isfinite(limit)
    ]
    return min(1.0, max(shares, default=0.0))


@dataclass(slots=True)
class LineView:
    """Writes a line every ten seconds, and one for each failure."""

    write: Callable[[str], None]
    next_s: float = 0.0

    def show(self, progress: Progress) -> None:
        """Write a line if it is time for one."""
        if progress.elapsed_s >= self.next_s:
            self.write(f"{progress.elapsed_s:6.0f} s  {status_line(progress)}")
            self.next_s = progress.elapsed_s + _LINE_EVERY_S

    def found(self, finding: Finding) -> None:
        """Tell of a failure and how to see it again."""
        self.write(_found_line(finding))


@dataclass(slots=True)
class BarView:
    """A bar that is redrawn in place; failures scroll by above it."""

    bar: Bar
    task: TaskID

    def show(self, progress: Progress) -> None:
        """Redraw."""
        self.bar.update(self.task, completed=share_done(progress), description=status_line(progress))

    def found(self, finding: Finding) -> None:
        """Tell of a failure and how to see it again."""
        self.bar.console.print(_found_line(finding), markup=False, highlight=False, soft_wrap=True)


def _found_line(finding: Finding) -> str:
    if finding.mended:
        return f"MENDED  {finding.reason}: seed {finding.seed} does not fail any more"
    return f"FAILED  {finding.reason}: {finding.why}\n        {replay_line(finding.folder)}"
