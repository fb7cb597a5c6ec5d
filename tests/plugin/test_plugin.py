"""The pytest plugin, as a project that uses it meets it."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

TEST = """
import pytest

@pytest.mark.chaos(trials=3)
def test_decree(trial, seed):
    trial("decree", seed=seed, nodes=3{more})
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
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
    result = run(project, "--trials", "1", more=", bug='learn-on-first-accepted'")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "INVALID *",
            "*seed 0, 3 nodes*",
            "*P4 learned but not chosen*",
            "*accept_sent*",
            "*report: *store/decree/test_decree-0/report.html",
            "*replay: ostrakon replay *store/decree/test_decree-0",
            "1 trials: 0 valid, 0 unknown, 1 invalid",
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
            "UnknownFault: there is no fault called 'partiton'; did you mean*",
        ),
        (", node=3", "BadPlan: a plan has no field 'node'; did you mean nodes*"),
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


def test_no_trials_at_all_are_no_way_to_pass(project: pytest.Pytester) -> None:
    result = run(project, "--trials", "0")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--trials 0: expected at least 1"])
