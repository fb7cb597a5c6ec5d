"""The pytest plugin, as a project that uses it meets it."""

from __future__ import annotations

import sys

import pytest

pytest_plugins = ["pytester"]

TEST = """
import pytest

@pytest.mark.chaos(trials=3)
def test_decree(trial, seed):
    trial("decree", seed=seed, nodes=3{more})
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("COLUMNS", "200")  # So that no line of pytest's short summary is cut.
    pytester.makeini("[pytest]\nfilterwarnings = error\ntrio_mode = true\n")
    return pytester


def run(project: pytest.Pytester, *arguments: str, more: str = "") -> pytest.RunResult:
    project.makepyfile(TEST.format(more=more))
    return project.runpytest_subprocess("-m", "chaos", "--strict-markers", *arguments)


def test_a_marked_test_runs_once_for_each_seed(project: pytest.Pytester) -> None:
    result = run(project)

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["3 trials: 3 valid, 0 unknown, 0 invalid", "report: store/index.html"])


def test_seeds_and_their_number_can_be_chosen(project: pytest.Pytester) -> None:
    result = run(project, "--seed", "40", "--trials", "2", "-v")

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*test_decree?40?*", "*test_decree?41?*"])


def test_runs_are_kept_where_asked(project: pytest.Pytester) -> None:
    run(project, "--store", "elsewhere", "--trials", "2")

    folders = sorted(path.name for path in (project.path / "elsewhere" / "decree").iterdir())
    assert folders == ["test_decree-0", "test_decree-1"]
    full, thin = (project.path / "elsewhere" / "decree" / name for name in folders)
    assert (full / "report.html").exists()
    assert (full / "history.jsonl").exists()
    assert sorted(path.name for path in thin.iterdir()) == ["plan.json", "results.json"]
    assert not (project.path / "store").exists()


def test_a_failure_tells_seed_witness_report_and_how_to_replay(project: pytest.Pytester) -> None:
    result = run(project, "--trials", "1", "--shrink", "1s", more=", bug='learn-on-first-accepted'")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "INVALID *",
            "*test_decree?0?: *",
            "*shrunk to *, after * runs",
            "*P4 learned but not chosen*",
            "*accept_sent*",
            "*report: *store/decree/shrunk-*/report.html",
            "*replay of the first trial: ostrakon replay *store/decree/test_decree-0",
            "1 trial: 0 valid, 0 unknown, 1 invalid",
        ]
    )


def test_a_trial_can_be_expected_to_fail(project: pytest.Pytester) -> None:
    more = ", bug='learn-on-first-accepted', expect='invalid'"

    run(project, "--trials", "1", more=more).assert_outcomes(passed=1)


def test_a_whole_plan_can_be_run(project: pytest.Pytester) -> None:
    project.makepyfile("""
        from ostrakon.harness.plan import Plan

        def test_plan(trial):
            assert trial(Plan(workload="decree", seed=5, nodes=3)).plan.seed == 5
    """)

    project.runpytest_subprocess().assert_outcomes(passed=1)


def test_without_the_marks_nothing_of_it_shows(project: pytest.Pytester) -> None:
    project.makepyfile("def test_nothing(): pass")

    result = project.runpytest_subprocess()

    result.assert_outcomes(passed=1)
    assert "trials:" not in result.stdout.str()
    assert not (project.path / "store").exists()


def test_the_marks_and_options_are_explained(project: pytest.Pytester) -> None:
    told = project.runpytest_subprocess("--markers").stdout.str()
    helped = project.runpytest_subprocess("--help").stdout.str()

    assert "@pytest.mark.chaos" in told
    assert "@pytest.mark.soak" in told
    assert "--trials" in helped


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            ", nemesis='partiton'",
            "test_*.py:5: there is no fault called 'partiton'; did you mean*",
        ),
        (", node=3", "test_*.py:5: a plan has no field 'node'; did you mean nodes*"),
    ],
    ids=["fault", "field"],
)
def test_a_mistake_in_a_test_is_a_sentence_without_a_traceback(
    project: pytest.Pytester, more: str, said: str
) -> None:
    result = run(project, "--trials", "1", more=more)

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([said])
    result.stdout.no_fnmatch_line("*harness/planning.py*")
    result.stdout.no_fnmatch_line("*During handling of the above exception*")


SERVER = """
import pytest
import trio

from ostrakon import Fault, Verdict, Workload, linearizable, lines_to, models, reads_and_writes


async def serve():
    held = 0

    async def handle(stream):
        nonlocal held
        async for line in stream:
            if line.startswith(b"write "):
                held = int(line.split()[1])
            await stream.send_all(b"%d\\n" % held)

    await trio.serve_tcp(handle, 4000)


async def returns():
    pass


def workload(**parts):
    whole = dict(
        name="mine",
        program=lambda site: serve(),
        connect=lines_to(4000, ask=lambda op: f"{op.f} {op.value}", answer=int),
        generator=reads_and_writes,
        check=lambda plan, history, trace: linearizable(history, models.register(initial=0)),
        defaults={"nodes": 1},
    )
    return Workload(**{**whole, **parts})


MINE = workload()
FORGETFUL = workload(name="forgetful")
"""
"""A register in memory, which a restart empties; what follows it begins on line 38."""

KILLED = """
@pytest.mark.chaos(trials=6)
def test_killed(trial, seed):
    trial(FORGETFUL, seed=seed, nemesis="kill")
"""


def run_server(project: pytest.Pytester, test: str, *arguments: str) -> pytest.RunResult:
    project.makepyfile(test_mine=SERVER + test)
    return project.runpytest_subprocess("-m", "chaos", *arguments)


def test_one_bug_is_told_once_and_the_other_failures_are_a_line_each(project: pytest.Pytester) -> None:
    result = run_server(project, KILLED, "--shrink", "1s")
    lines = result.stdout.lines
    begin = next(at for at, line in enumerate(lines) if line.startswith("INVALID"))
    others = next(at for at, line in enumerate(lines) if line.startswith("  the same in"))

    assert sum(line.startswith("INVALID") for line in lines) == 1
    assert others - begin <= 40
    assert "FAILURES" not in result.stdout.str()
    assert "n1 answered read with 0" in lines[begin]
    told = [line for line in lines if line.startswith("    test_mine.py::test_killed[")]
    assert len(told) == result.parseoutcomes()["failed"] - 1 > 0
    assert all("ostrakon replay store/forgetful/test_killed-" in line for line in told)
    result.stdout.fnmatch_lines(["FAILED test_mine.py::test_killed* - INVALID  n1 answered read*"])


def test_what_a_run_printed_works_as_printed(project: pytest.Pytester) -> None:
    result = run_server(project, KILLED, "--trials", "2", "--shrink", "1s")

    for name in ("replay: ", "shrink on: "):
        command = next(line.split(name)[1] for line in result.stdout.lines if line.strip().startswith(name))
        options = ["--seconds", "1"] if name.startswith("shrink") else []
        again = project.run(sys.executable, "-m", *command.split(), *options)
        assert again.ret == 1
        again.stdout.fnmatch_lines(["INVALID *"])


def test_failures_are_told_as_found_if_asked(project: pytest.Pytester) -> None:
    result = run_server(project, KILLED, "--no-shrink")

    result.stdout.fnmatch_lines(["INVALID *", "*shrink: ostrakon shrink store/forgetful/test_killed-*"])
    assert not list((project.path / "store/forgetful").glob("shrunk*"))


def test_workers_of_xdist_change_nothing_of_the_summary(project: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    alone = run_server(project, KILLED, "--no-shrink", "--store", "here")
    both = run_server(project, KILLED, "--no-shrink", "--store", "there", "-n", "2")

    def summary(result: pytest.RunResult) -> list[str]:
        kept = ("FAILED", "report: ", "6 trials: ")
        return sorted(line.replace("there", "here") for line in result.stdout.lines if line.startswith(kept))

    assert summary(alone) == summary(both)
    assert sum(line.startswith("INVALID") for line in both.stdout.lines) == 1


def test_a_workload_that_only_a_test_knows_is_replayed_by_its_test(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\naddopts = -m 'not chaos'\n")
    test = """
@pytest.mark.chaos(trials=2)
@pytest.mark.parametrize("what", ["a b"])
def test_it(trial, seed, what):
    wrong = lambda plan, history, trace: linearizable(history, models.register(initial=5))
    trial(workload(name="hidden", check=wrong), seed=seed)
"""
    result = run_server(project, test, "--no-shrink")

    command = next(line for line in result.stdout.lines if line.startswith("  replay: ")).split(": ", 1)[1]
    assert command.startswith("pytest 'test_mine.py::test_it[")
    again = project.run("sh", "-c", f"{sys.executable} -m {command}")
    assert again.parseoutcomes() == {"failed": 1}


def test_tests_beside_shrunk_plans_are_not_collected_by_the_way(project: pytest.Pytester) -> None:
    run_server(project, KILLED, "--shrink", "1s")
    (written,) = (project.path / "store").glob("forgetful/shrunk*/test_*.py")

    result = project.runpytest_subprocess("-m", "not chaos", ".")
    assert result.parseoutcomes() == {"deselected": 6}

    named = project.runpytest_subprocess(str(written.relative_to(project.path)))
    named.assert_outcomes(failed=1)


RARE = """
@pytest.mark.chaos(trials={trials})
def test_rare(trial, seed):
    kill = Fault(kind="kill", at_ms=100, for_ms=500, nodes=("n1",))
    pause = Fault(kind="pause", at_ms=1000 if seed == 2 else 200, for_ms=50, nodes=("n1",))
    trial(workload(check=lambda *_: Verdict.of([])), seed=seed, faults=(kill, pause))
"""


def test_a_fault_that_acts_in_one_trial_of_a_test_is_evidence_for_all(project: pytest.Pytester) -> None:
    result = run_server(project, RARE.format(trials=3), "-x")

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["3 trials: *0 unknown*", "2 of the valid ones lacked evidence*"])


def test_a_fault_that_never_acts_leaves_the_test_unknown(project: pytest.Pytester) -> None:
    result = run_server(project, RARE.format(trials=2))

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["UNKNOWN *", "2 trials: *", "FAILED *UNKNOWN  in none of 2 trials: *pause*"])


TOLERANT = """
@pytest.mark.chaos(trials=3)
def test_tolerant(trial, seed):
    judged = Verdict.of([]) if seed in {judged} else Verdict.unknown("too little was seen")
    trial(workload(check=lambda *_: judged), seed=seed, expect=("valid", "unknown"))
"""


@pytest.mark.parametrize("more", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_test_that_accepts_unknown_fails_if_all_its_trials_are_unknown(
    project: pytest.Pytester, more: tuple[str, ...]
) -> None:
    if more:
        pytest.importorskip("xdist")
    result = run_server(project, TOLERANT.format(judged="()"), *more)

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "UNKNOWN *too little was seen*",
            "3 trials: 0 valid, 3 unknown, 0 invalid",
            "FAILED *UNKNOWN  each of 3 trials is unknown: too little was seen",
        ]
    )


def test_a_test_that_accepts_unknown_passes_if_one_trial_is_valid(project: pytest.Pytester) -> None:
    result = run_server(project, TOLERANT.format(judged="(1,)"))

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["3 trials: 1 valid, 2 unknown, 0 invalid"])


def test_evidence_is_judged_although_the_last_test_of_the_group_is_skipped(project: pytest.Pytester) -> None:
    skip = "\n    if seed == 2: pytest.skip('not today')\n    judged ="
    result = run_server(project, TOLERANT.format(judged="()").replace("\n    judged =", skip))

    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["FAILED *UNKNOWN  each of 2 trials is unknown: too little was seen"])


def test_a_test_that_never_runs_a_trial_fails(project: pytest.Pytester) -> None:
    result = run_server(
        project, "@pytest.mark.chaos\ndef test_empty(trial):\n    for plan in (): trial(plan)\n"
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["FAILED *UNKNOWN  no trial was run: the test asks for `trial`*"])


MISTAKES = {
    "chaos(5)": ("", "*test_mine.py:*: @pytest.mark.chaos(5): write chaos(trials=5)"),
    "chaos(trials='many')": ("", "*: @pytest.mark.chaos(trials='many'): expected a whole number, 1 or more"),
    "chaos(trial=3)": ("", "*: @pytest.mark.chaos has no 'trial'; did you mean trials?"),
    "nodes": ("MINE, seed=1, nodes='3'", "test_mine.py:40: *nodes is '3': expected int, got str"),
    "nemesis": (
        "MINE, seed=1, nemesis=['kill']",
        "test_mine.py:40: nemesis is ?'kill'?, expected a string of names*'kill'",
    ),
    "seed": ("MINE", "test_mine.py:40: a trial needs a seed*"),
    "negative": ("MINE, seed=-1", "test_mine.py:40: *seed is -1, expected 0 or more"),
    "subject": ("42, seed=1", "test_mine.py:40: trial(42): expected a Workload*"),
    "expect": ("MINE, seed=1, expect='ok'", "test_mine.py:40: expect is 'ok', expected valid*"),
    "string": (
        "workload(generator=lambda p, r: 'read'), seed=1",
        "test_mine.py:40: the generator of 'mine' is at fault: 'read' is not a source of ops*",
    ),
    "raises": (
        "workload(generator=lambda p, r: 1 / 0), seed=1",
        "test_mine.py:40: the generator of 'mine' is at fault: ZeroDivisionError*",
    ),
    "defaults": (
        "workload(defaults={'nods': 3}), seed=1",
        "test_mine.py:*: the workload 'mine': defaults has 'nods', which is no field*did you mean nodes*",
    ),
    "name": ("workload(name='../evil/x'), seed=1", "*: the workload '../evil/x': name is '../evil/x'*"),
    "returns": (
        "workload(program=lambda site: returns()), seed=1",
        "UNKNOWN  test_mine.py:40: the node ended at 0.0 s: a program must run until it is stopped*",
    ),
    "verdict": (
        "workload(check=lambda p, h, t: True), seed=1",
        "UNKNOWN  test_mine.py:40: the checkers of 'mine' must return a Verdict, and returned True",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_each_mistake_ends_in_a_sentence_at_the_users_line(project: pytest.Pytester, mistake: str) -> None:
    call, said = MISTAKES[mistake]
    mark = mistake if mistake.startswith("chaos") else "chaos"
    test = f"@pytest.mark.{mark}\ndef test_it(trial, seed):\n    trial({call or 'MINE, seed=seed'})\n"

    result = run_server(project, test, "--no-shrink")

    outcomes = result.parseoutcomes()
    assert outcomes.get("failed", 0) + outcomes.get("errors", 0) == 1
    result.stdout.fnmatch_lines([said])
    result.stdout.no_fnmatch_line("*During handling of the above exception*")
    result.stdout.no_fnmatch_line("*ostrakon/harness/*.py*")


def test_a_seed_below_zero_is_refused(project: pytest.Pytester) -> None:
    result = run(project, "--seed=-5")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--seed -5: expected 0 or more"])


def test_no_trials_at_all_are_no_way_to_pass(project: pytest.Pytester) -> None:
    result = run(project, "--trials", "0")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--trials 0: expected at least 1"])


def test_a_run_in_a_subfolder_prints_paths_from_there(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project.mkdir("sub")
    (folder / "test_sub.py").write_text(TEST.format(more="").replace("nodes=3", "nodes=3, expect='invalid'"))
    monkeypatch.chdir(folder)

    result = project.runpytest_subprocess("-m", "chaos", "--trials", "1")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["  test_sub.py::test_decree?0?"])


def test_a_seeded_bug_can_be_given_to_the_nodes_on_the_command_line(project: pytest.Pytester) -> None:
    result = run(project, "--trials", "1", "--no-shrink", "--bug", "learn-on-first-accepted")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*decree with the bug learn-on-first-accepted*"])
