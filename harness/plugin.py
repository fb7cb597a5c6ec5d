"""The pytest plugin: marks `chaos` and `soak`, fixtures `trial` and `seed`, and a report at the end.

A chaos test says what is run and under which faults; the plugin supplies the seeds, keeps each run in a
folder, and turns a verdict other than `valid` into a failure that tells how to see it again.

Everything heavier than this file is imported only when a test asks for it: pytest loads plugins always.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ostrakon.harness.plan import Plan
    from ostrakon.harness.trial import Trial
    from ostrakon.harness.workload import Workload

_MARKS = {
    "chaos(trials=1)": "a trial under faults in simulation; `seed` counts up over this many trials",
    "soak(trials=1)": "a long campaign, run only when it is asked for",
}
_SESSION = pytest.StashKey["_Session"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer --seed, --trials and --store."""
    group = parser.getgroup("ostrakon", "trials under faults")
    group.addoption("--seed", type=int, default=0, metavar="N", help="the first seed of each chaos test")
    group.addoption("--trials", type=int, metavar="N", help="seeds per chaos test (default: as marked)")
    group.addoption("--store", type=Path, default=Path("store"), metavar="DIR", help="where runs are kept")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known."""
    for mark, meaning in _MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")
    trials = config.getoption("--trials")
    if trials is not None and trials < 1:
        raise pytest.UsageError(f"--trials {trials}: expected at least 1")
    config.stash[_SESSION] = _Session(config.getoption("--store"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a marked test that asks for `seed` as many seeds as it is to have."""
    mark = metafunc.definition.get_closest_marker("chaos") or metafunc.definition.get_closest_marker("soak")
    if mark is None or "seed" not in metafunc.fixturenames:
        return
    first, trials = metafunc.config.getoption("--seed"), metafunc.config.getoption("--trials")
    trials = mark.kwargs.get("trials", 1) if trials is None else trials
    metafunc.parametrize("seed", range(first, first + trials))


@pytest.fixture
def trial(request: pytest.FixtureRequest) -> Callable[..., Trial]:
    """Runs a trial and asserts its verdict.

    `trial(plan)` runs a plan. `trial(workload, seed=..., nemesis="partition,kill", nodes=3, ...)` draws
    one: `workload` is a `Workload` or the name of one, `nemesis` names kinds of fault by comma, and the
    rest are fields of `Plan`. `expect` is the verdict it must have, or several of which it must have one.
    Returns the `Trial`.
    """
    session: _Session = request.config.stash[_SESSION]

    def run_trial(
        subject: Plan | Workload | str, *, expect: str | tuple[str, ...] = "valid", **fields: Any
    ) -> Trial:
        from ostrakon.harness.trial import run

        plan, workload = _planned(subject, fields)
        ran = run(
            plan,
            workload=workload,
            store=session.store(),
            name=_slug(request.node.name),
            again=_again(request.node, plan, workload),
        )
        expected = (expect,) if isinstance(expect, str) else expect
        session.count(request.node, ran, expected=ran.valid in expected)
        if ran.valid not in expected:
            pytest.fail(_told(ran, expected), pytrace=False)
        return ran

    return run_trial


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what the verdicts were and where to read about them."""
    session = config.stash[_SESSION]
    if session.verdicts:
        terminalreporter.section("ostrakon")
        for line in session.summary():
            terminalreporter.write_line(line)


class _Session:
    """What the trials of one pytest run came to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.verdicts: Counter[str] = Counter()
        self._pages: set[str] = set()

    def store(self) -> Any:
        from ostrakon.harness.store import Store

        return Store(self.root)

    def count(self, node: pytest.Item, ran: Trial, *, expected: bool) -> None:
        """Keep in full the first run of each test and every surprise; a replay brings back the rest."""
        from ostrakon.harness.catalogue import find_report
        from ostrakon.harness.store import RunFolder

        assert ran.folder is not None
        self.verdicts[ran.valid] += 1
        test = node.nodeid.partition("[")[0]
        if expected and test in self._pages:
            RunFolder(ran.folder).thin()
        else:
            self._pages.add(test)
            find_report("run")(ran.folder)

    def summary(self) -> Iterable[str]:
        """The verdicts and the index."""
        from ostrakon.harness.catalogue import find_report

        counts = ", ".join(f"{self.verdicts[valid]} {valid}" for valid in ("valid", "unknown", "invalid"))
        yield f"{self.verdicts.total()} trials: {counts}"
        yield f"report: {find_report('index')(self.root)}"


def _planned(subject: Plan | Workload | str, fields: dict[str, Any]) -> tuple[Plan, Workload | None]:
    from ostrakon.harness.catalogue import UnknownName, find_workload
    from ostrakon.harness.faults import UnknownFault
    from ostrakon.harness.plan import BadPlan, Plan
    from ostrakon.harness.planning import plan_for

    if isinstance(subject, Plan):
        return subject, None
    try:
        workload = find_workload(subject) if isinstance(subject, str) else subject
        return plan_for(workload, **fields), workload
    except (UnknownName, UnknownFault, BadPlan) as error:
        pytest.fail(f"{type(error).__name__}: {error}", pytrace=False)


def _again(node: pytest.Item, plan: Plan, workload: Workload | None) -> str | None:
    """How to run it again: by its test, if only the test knows the workload."""
    from ostrakon.harness.catalogue import workload_names

    if workload is None or workload.name in workload_names():
        return None
    return f"pytest '{node.nodeid}' --seed {plan.seed} --trials 1"


def _told(ran: Trial, expected: tuple[str, ...]) -> str:
    from ostrakon.harness.commands.outcome import story

    return "\n".join(
        [*([] if expected == ("valid",) else [f"expected {' or '.join(expected)}"]), *story(ran)]
    )


def _slug(name: str) -> str:
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in name).strip("-")
