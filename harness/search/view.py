"""How a soak is shown while it runs: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ostrakon.harness.history.plural import count
from ostrakon.harness.search.portfolio import told_merits
from ostrakon.harness.search.soak import Progress, View
from ostrakon.harness.search.summary import replay_line
from ostrakon.harness.search.tally import FailureGroup

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table

PAGE_EVERY_S = 5.0
"""How often a campaign's page is written anew."""
_LINE_EVERY_S = 10.0


@contextmanager
def watched(console: Console) -> Iterator[View]:
    """A view of a soak that suits where it is written to."""
    if not console.is_terminal:
        yield LineView(lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True))
        return
    from rich.live import Live

    with Live("starting workers", console=console, transient=True) as live:
        yield ScreenView(live)


def status_line(progress: Progress) -> str:
    """How it is going, in one line."""
    tally = progress.tally
    parts = [
        f"{tally.trials:,} trials",
        f"{progress.trials_per_s:,.0f}/s",
        f"{tally.virtual_s / 3600:,.2f} virtual h",
        *(f"{tally.verdicts[name]:,} {name}" for name in ("valid", "unknown", "invalid")),
        count(len(tally.failures), "distinct failure"),
        f"{len(tally.coverage.shapes):,} shapes",
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

    def found(self, finding: FailureGroup) -> None:
        """Tell of a failure and how to see it again."""
        self.write(_found_line(finding))


@dataclass(slots=True)
class ScreenView:
    """A bar and the recipes, redrawn in place; failures scroll by above them."""

    live: Live

    def show(self, progress: Progress) -> None:
        """Redraw."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        lines = Table.grid()
        lines.add_row(ProgressBar(total=1.0, completed=share_done(progress), width=24))
        lines.add_row(status_line(progress))
        lines.add_row(_recipes(progress))
        self.live.update(lines)

    def found(self, finding: FailureGroup) -> None:
        """Tell of a failure and how to see it again."""
        self.live.console.print(_found_line(finding), markup=False, highlight=False, soft_wrap=True)


@dataclass(slots=True)
class PageView:
    """Has a page written now and then, and shows everything to another view as well."""

    view: View
    write: Callable[[Progress], None]
    next_s: float = 0.0

    def show(self, progress: Progress) -> None:
        """Have the page written if it is time for it."""
        self.view.show(progress)
        if progress.elapsed_s >= self.next_s:
            self.write(progress)
            self.next_s = progress.elapsed_s + PAGE_EVERY_S

    def found(self, finding: FailureGroup) -> None:
        """Tell of a failure; the page follows in its time."""
        self.view.found(finding)


def _recipes(progress: Progress) -> Table:
    """What each recipe has yielded, and its part of the next seeds."""
    from rich.table import Table

    portfolio = progress.portfolio
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("recipe", "share", "trials", "new shapes", "new failures"):
        table.add_column(heading, justify="left" if heading == "recipe" else "right")
    for told in told_merits(portfolio.merits, portfolio.swarm.recipes, portfolio.shares):
        counts = (f"{told[name]:,}" for name in ("trials", "new_shapes", "new_failures"))
        table.add_row(told["name"], f"{told['share']:.0%}", *counts)
    return table


def _found_line(finding: FailureGroup) -> str:
    if finding.mended:
        return f"MENDED  {finding.reason}: seed {finding.seed} does not fail any more"
    return f"FAILED  {finding.reason}: {finding.why}\n        {replay_line(finding.folder)}"
