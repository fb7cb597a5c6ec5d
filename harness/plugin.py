"""The pytest plugin: marks `chaos` and `soak`, fixtures `trial` and `seed`, and a summary at the end.

A chaos test says what is run and under which faults; the plugin supplies the seeds and keeps each run in a
folder. The trials of one test are judged together. Failures are told once for each bug, at the end: under
pytest-xdist the process that started the workers does that, from the records that come with their reports.

Everything heavier than this file is imported only when a test asks for it: pytest loads plugins always.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from ostrakon.harness.plan import Plan
    from ostrakon.harness.store import Store
    from ostrakon.harness.trial import Trial
    from ostrakon.harness.trial_group import TrialGroup, TrialRecord
    from ostrakon.harness.workload import Workload

_MARKS = {
    "chaos(trials=1)": "a trial under faults in simulation; `seed` counts up over this many trials",
    "soak(trials=1)": "a long campaign, run only when it is asked for",
}
_SHRINK_S = 5.0
"""How long the first failure of each reason is shrunk."""
_PLACED = re.compile(r"\S+\.py:\d+: ")
_SESSION = pytest.StashKey["_Session"]()
_RECORDS = pytest.StashKey["list[TrialRecord]"]()
_TOLD = pytest.StashKey[bool]()
"""Whether a test failed for the verdict of a trial, which our summary tells."""
_REPORT_KEY = "ostrakon"
"""The attribute of a report that has the records of its test's trials; xdist sends it along."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer --seed, --trials, --store, --bug, --shrink and --no-shrink."""
    group = parser.getgroup("ostrakon", "trials under faults")
    group.addoption("--seed", type=int, default=0, metavar="N", help="the first seed of each chaos test")
    group.addoption("--trials", type=int, metavar="N", help="seeds per chaos test (default: as marked)")
    group.addoption("--store", type=Path, default=Path("store"), metavar="DIR", help="where runs are kept")
    group.addoption(
        "--shrink",
        metavar="TIME",
        help=f"how long to shrink the first failure of each reason, such as 10s (default: {_SHRINK_S:g}s)",
    )
    group.addoption(
        "--bug", metavar="NAME", help="give the nodes this seeded bug, where their workload has it"
    )
    group.addoption("--no-shrink", action="store_true", help="tell failures as they were found")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marks known, and refuse options that make no sense."""
    for mark, meaning in _MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")
    trials, seed = config.getoption("--trials"), config.getoption("--seed")
    if trials is not None and trials < 1:
        raise pytest.UsageError(f"--trials {trials}: expected at least 1")
    if seed < 0:
        raise pytest.UsageError(f"--seed {seed}: expected 0 or more")
    config.stash[_SESSION] = session = _Session(config)
    config.pluginmanager.register(session, "ostrakon-session")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Tests that were written beside a shrunk plan run when they are named, and not by the way."""
    store = config.stash[_SESSION].root.resolve()
    is_run_folder = (collection_path / "plan.json").exists() and (collection_path / "results.json").exists()
    return True if collection_path == store or is_run_folder else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a marked test that asks for `seed` as many seeds as it is to have."""
    mark = metafunc.definition.get_closest_marker("chaos") or metafunc.definition.get_closest_marker("soak")
    if mark is None or "seed" not in metafunc.fixturenames or _has_seeds_of_its_own(metafunc.definition):
        return
    first, trials = metafunc.config.getoption("--seed"), metafunc.config.getoption("--trials")
    if trials is None:
        trials = 1 if _misused(mark) else mark.kwargs.get("trials", 1)
    metafunc.parametrize("seed", range(first, first + trials))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Fail a test whose mark is misused; the other tests of its file can run."""
    for name in ("chaos", "soak"):
        mark = item.get_closest_marker(name)
        if mark is not None and (problem := _misused(mark)):
            from ostrakon.harness.user_code import at, place_of

            pytest.fail(at(place_of(getattr(item, "function", None)), problem), pytrace=False)


@pytest.fixture
def trial(request: pytest.FixtureRequest) -> Callable[..., Trial]:
    """Runs a trial and asserts its verdict.

    `trial(plan)` runs a plan. `trial(workload, seed=..., nemesis="partition,kill", nodes=3, ...)` draws
    one: `workload` is a `Workload` or the name of one, `nemesis` names kinds of fault by comma, and the
    rest are fields of `Plan`. `expect` is the verdict it must have, or several of which it must have one.
    A trial that only lacks evidence passes if another trial of the same test has it. Where unknown is one of
    several accepted verdicts, the test fails if all of its trials are unknown. Returns the `Trial`.
    """
    session: _Session = request.config.stash[_SESSION]
    node: pytest.Item = request.node

    def run_trial(
        subject: Plan | Workload | str, *, expect: str | tuple[str, ...] = "valid", **fields: Any
    ) -> Trial:
        from ostrakon.harness.trial import run

        line = _line_of_caller()
        with _mistakes_told(line):
            expected = _expected(expect)
            plan, workload = _planned(subject, fields, node)
            ran = run(
                plan,
                workload=workload,
                store=session.store(),
                name=_slug(node.name),
                again=_again(node, plan, workload),
            )
        record = session.note(node, ran, workload, expected)
        if not record.expected and not record.deferred:
            node.stash[_TOLD] = True
            _fail_for(record, expected)
        return ran

    run_trial.__qualname__ = "trial"  # Python names it when it is called with wrong arguments.
    return run_trial


class _Session:
    """The trials of one pytest run: hooks that follow them, and the summary at the end."""

    def __init__(self, config: pytest.Config) -> None:
        self.root: Path = config.getoption("--store")
        self._config = config
        self._is_worker = hasattr(config, "workerinput")
        self._sizes: Counter[str] = Counter()
        """How many tests each group has."""
        self._groups: dict[str, TrialGroup] = {}
        self._failures: list[TrialRecord] = []
        self._workloads: dict[str, Workload] = {}
        """By run folder; of this process only."""
        self._tests_with_page: set[str] = set()
        self._tests_with_messages: set[str] = set()
        self._held_back: list[pytest.TestReport] = []

    def store(self) -> Store:
        from ostrakon.harness.store import Store

        return Store(self.root)

    def note(
        self, node: pytest.Item, ran: Trial, workload: Workload | None, expected: tuple[str, ...]
    ) -> TrialRecord:
        """Keep in full the first run of each test and every surprise; a replay brings back the rest."""
        from ostrakon.harness.catalogue import find_report
        from ostrakon.harness.messages import keep_messages
        from ostrakon.harness.store import RunFolder
        from ostrakon.harness.trial_group import record_of

        assert ran.folder is not None
        records = node.stash.setdefault(_RECORDS, [])
        is_expected = ran.valid in expected
        in_group = self._sizes[_group_of(node)] > 1
        record = record_of(ran, _relative_id(node), len(records), expected=expected, in_group=in_group)
        records.append(record)
        if workload is not None:
            self._workloads[record.folder] = workload
        test = node.nodeid.partition("[")[0]
        if (is_expected or record.deferred) and test in self._tests_with_page:
            RunFolder(ran.folder).thin()
        else:
            self._tests_with_page.add(test)
            # To have its messages, a trial is run once more: of many failures of a test, only the first is.
            if ran.valid == "invalid" and test not in self._tests_with_messages:
                self._tests_with_messages.add(test)
                keep_messages(RunFolder(ran.folder), workload)
            find_report("run")(ran.folder)
        return record

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Count the tests of each group."""
        self._sizes.update(_group_of(item) for item in session.items)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send the records along, and let the short summary say what happened."""
        report = yield
        if call.excinfo is not None and call.excinfo.errisinstance(pytest.fail.Exception):
            _say_in_short(report, str(call.excinfo.value))
        # A test that is skipped or fails before its call is over, too: the rest of its group is judged.
        is_over = report.when == "call" or (report.when == "setup" and not report.passed)
        if "trial" in getattr(item, "fixturenames", ()) and is_over:
            from msgspec import to_builtins

            group = _group_of(item)
            told = {
                "group": group,
                "size": self._sizes[group],
                "records": [to_builtins(record) for record in item.stash.get(_RECORDS, [])],
                "is_told": item.stash.get(_TOLD, False),
            }
            setattr(report, _REPORT_KEY, told)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        """Take in the records of a test; the last test of a group fails for what the whole group lacks."""
        told = getattr(report, _REPORT_KEY, None)
        if told is not None and not self._is_worker:
            self._take_in(report, told)
        yield

    def _take_in(self, report: pytest.TestReport, told: dict[str, Any]) -> None:
        from msgspec import convert

        from ostrakon.harness.trial_group import TrialGroup, TrialRecord

        group = self._groups.setdefault(told["group"], TrialGroup(told["size"]))
        records = [convert(record, TrialRecord) for record in told["records"]]
        group.records += records
        group.outcomes[report.outcome] += 1
        self._failures += [record for record in records if not record.expected and not record.deferred]
        if not group.is_complete or report.failed:
            return
        why, record = group.lacking()
        if why:
            _fail(report, f"UNKNOWN  {why}")
        if record is not None:
            self._failures.append(record)
            told["is_told"] = True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> Generator[None]:
        """Hold back the failures that our summary tells, so that each bug is told once."""
        failed = terminalreporter.stats.get("failed", [])
        self._held_back = [report for report in failed if getattr(report, _REPORT_KEY, {}).get("is_told")]
        if self._held_back:
            terminalreporter.stats["failed"] = [each for each in failed if each not in self._held_back]
        yield

    def tell(self, terminalreporter: Any) -> None:
        """Our part of the summary, between pytest's failures and its short lines."""
        if self._held_back:
            terminalreporter.stats.setdefault("failed", []).extend(self._held_back)
        if not any(group.records for group in self._groups.values()):
            return
        terminalreporter.section("ostrakon")
        for line in self._summary():
            colour = {"INVALID": "red", "UNKNOWN": "yellow"}.get(line.partition(" ")[0])
            terminalreporter.write_line(line, **({colour: True, "bold": True} if colour else {}))

    def _summary(self) -> Iterator[str]:
        """What each bug does, the verdicts, and where the pages are."""
        from ostrakon.harness.catalogue import find_report, find_workload
        from ostrakon.harness.failure_summary import failure_summary
        from ostrakon.harness.history.plural import count

        if self._failures:
            yield from failure_summary(
                self._failures,
                self.store(),
                shrink_s=_shrink_s(self._config),
                find=lambda plan, folder: self._workloads.get(folder) or find_workload(plan.reference),
            )
            yield ""
        records = [record for group in self._groups.values() for record in group.records]
        failed = {record.folder for record in self._failures}
        excused = [record for record in records if record.deferred and record.folder not in failed]
        verdicts = Counter("valid" if record in excused else record.valid for record in records)
        counts = ", ".join(f"{verdicts[valid]} {valid}" for valid in ("valid", "unknown", "invalid"))
        yield f"{count(len(records), 'trial')}: {counts}"
        if excused:
            yield (
                f"{len(excused)} of the valid ones lacked evidence that other trials of their test have, "
                f"such as: {next(iter(excused[0].lacks.values()))}"
            )
        yield f"report: {find_report('index')(self.root)}"


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Tell each bug, the verdicts and where to read about them."""
    config.stash[_SESSION].tell(terminalreporter)


def _planned(
    subject: Plan | Workload | str, fields: dict[str, Any], node: pytest.Item
) -> tuple[Plan, Workload | None]:
    from ostrakon.harness.catalogue import find_workload, workload_names
    from ostrakon.harness.plan import BadPlan, Plan
    from ostrakon.harness.planning import plan_for
    from ostrakon.harness.reference import is_reference, reference_of
    from ostrakon.harness.requirements import require_workload
    from ostrakon.harness.workload import Workload

    if isinstance(subject, Plan):
        if fields:
            raise BadPlan(f"a plan says everything itself: leave out {', '.join(fields)}")
        return subject, None
    if not isinstance(subject, str | Workload):
        raise BadPlan(f"trial({subject!r}): expected a Workload, the name of one, or a Plan")
    if "workload" in fields:
        raise BadPlan("the workload is the first argument of trial(...): leave out workload=")
    if "seed" not in fields:
        raise BadPlan("a trial needs a seed: let the test take `seed`, and write trial(..., seed=seed)")
    workload = find_workload(subject) if isinstance(subject, str) else subject
    require_workload(workload)
    bug = node.config.getoption("--bug")
    if bug in workload.bugs:
        fields = {"bug": bug, **fields}
        if "faults" in workload.bugs[bug].plan:
            fields["nemesis"] = "none"  # Other faults would disturb those that the bug takes to show.
    source: str | None = None
    if isinstance(subject, str):
        source = subject if is_reference(subject) else None
    elif workload.name not in workload_names() or find_workload(workload.name) is not workload:
        module = getattr(node, "module", None)
        source = reference_of(workload, module) if module is not None else None
    return plan_for(workload, **{"source": source, **fields}), workload


def _expected(expect: str | tuple[str, ...]) -> tuple[str, ...]:
    from ostrakon.harness.plan import BadPlan

    expected = (expect,) if isinstance(expect, str) else expect
    if not isinstance(expected, tuple | list | set | frozenset) or not expected:
        raise BadPlan(f"expect is {expect!r}, expected valid, unknown or invalid, or several of them")
    expected = tuple(expected if isinstance(expected, tuple | list) else sorted(expected, key=str))
    if unknown := [each for each in expected if each not in ("valid", "unknown", "invalid")]:
        raise BadPlan(f"expect is {unknown[0]!r}, expected valid, unknown or invalid")
    return expected


class _mistakes_told:
    """Ends a test for a mistake in it, in a sentence that begins with the user's line."""

    def __init__(self, line: str) -> None:
        self._line = line

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        from ostrakon.harness.catalogue import UnknownName
        from ostrakon.harness.faults import UnknownFault
        from ostrakon.harness.plan import BadPlan

        if isinstance(error, UnknownName | UnknownFault | BadPlan):
            _fail_at(self._line, str(error))


def _fail_at(line: str, sentence: str) -> NoReturn:
    is_placed = _PLACED.match(sentence) is not None  # What is wrong is elsewhere: in the workload.
    try:
        pytest.fail(sentence if is_placed else f"{line}: {sentence}", pytrace=False)
    except BaseException as failure:
        raise failure from None  # What we caught says nothing more.


def _fail_for(record: TrialRecord, expected: tuple[str, ...]) -> NoReturn:
    wanted = "" if expected == ("valid",) else f"expected {' or '.join(expected)}, got "
    lines = [f"{wanted}{record.valid.upper()}  {record.headline}", f"  replay: {record.replay}"]
    pytest.fail("\n".join(lines), pytrace=False)


def _fail(report: pytest.TestReport, message: str) -> None:
    """Turn a report of a test that passed into one of a failure."""
    try:
        pytest.fail(message, pytrace=False)
    except pytest.fail.Exception:
        report.longrepr = pytest.ExceptionInfo.from_current().getrepr(style="value")
    report.outcome = "failed"
    _say_in_short(report, message)


def _say_in_short(report: pytest.TestReport, message: str) -> None:
    """Have the short summary say what happened, and point to the user's line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    if crash is not None:
        path, line, _ = report.location
        crash.path, crash.lineno = path, (line or 0) + 1
        # The line says already which test it is about.
        crash.message = _PLACED.sub("", message.partition("\n")[0])


def _misused(mark: pytest.Mark) -> str:
    """What is wrong with a mark's arguments; empty if nothing is."""
    from ostrakon.harness.history.suggestion import suggestion

    if mark.args:
        return f"@pytest.mark.{mark.name}({mark.args[0]!r}): write {mark.name}(trials={mark.args[0]!r})"
    for name in mark.kwargs:
        if name != "trials":
            return f"@pytest.mark.{mark.name} has no {name!r}; {suggestion(name, ['trials'])}"
    trials = mark.kwargs.get("trials", 1)
    if not isinstance(trials, int) or isinstance(trials, bool) or trials < 1:
        return f"@pytest.mark.{mark.name}(trials={trials!r}): expected a whole number, 1 or more"
    return ""


def _has_seeds_of_its_own(item: pytest.Item) -> bool:
    """Whether the test is parametrized with `seed` already."""
    given = (mark.args[0] for mark in item.iter_markers("parametrize") if mark.args)
    return any("seed" in (re.split(r"[\s,]+", names) if isinstance(names, str) else names) for names in given)


def _group_of(item: pytest.Item) -> str:
    """Which tests differ from this one by nothing but the seed."""
    callspec = getattr(item, "callspec", None)
    others = sorted((name, at) for name, at in callspec.indices.items() if name != "seed") if callspec else []
    return f"{item.nodeid.partition('[')[0]} {others}"


def _relative_id(item: pytest.Item) -> str:
    """How the test is named from where pytest was started."""
    within = str(item.nodeid).partition("::")[2]
    return f"{os.path.relpath(item.path, item.config.invocation_params.dir)}::{within}"


def _line_of_caller() -> str:
    """Where the test calls `trial`."""
    frame = sys._getframe(2)
    return f"{os.path.relpath(frame.f_code.co_filename)}:{frame.f_lineno}"


def _again(node: pytest.Item, plan: Plan, workload: Workload | None) -> str | None:
    """The command that runs it again: by its test, if only the test knows the workload."""
    from msgspec import UNSET

    from ostrakon.harness.catalogue import workload_names

    if workload is None or plan.source is not UNSET or workload.name in workload_names():
        return None
    # The expression on the command line has the last word over one in the project's addopts.
    marks = [name for name in ("chaos", "soak") if node.get_closest_marker(name) is not None]
    command = ["pytest", _relative_id(node), "-m", marks[0] if marks else ""]
    store = node.config.getoption("--store")
    kept = [] if store == Path("store") else ["--store", str(store)]
    return shlex.join([*command, "--seed", str(plan.seed), "--trials", "1", *kept])


def _shrink_s(config: pytest.Config) -> float:
    from ostrakon.harness.search.duration import parse_duration

    if config.getoption("--no-shrink"):
        return 0.0
    given = config.getoption("--shrink")
    return _SHRINK_S if given is None else parse_duration(given)


def _slug(name: str) -> str:
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in name).strip("-")
