"""What people type, what they are told, and with what status it ends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ostrakon.harness.cli import COMMANDS, run

BAD = 254


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_trial_of_the_correct_system_is_valid(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    assert run(["test", "decree", "--seed", "1", "--nodes", "3"]) == 0

    said = capsys.readouterr().out
    assert said.startswith("VALID")
    assert "replay: ostrakon replay store/decree/seed-1" in said
    assert (elsewhere / "store/decree/seed-1/report.html").exists()


def test_a_trial_of_a_broken_system_is_invalid_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", "decree", "--seed", "1", "--bug", "learn-on-first-accepted"]) == 1

    said = capsys.readouterr().out
    assert said.startswith("INVALID")
    assert "P4 learned but not chosen" in said


def test_the_json_of_a_trial_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", "decree", "--seed", "1", "--json"]) == 0

    said = json.loads(capsys.readouterr().out)
    assert said["valid"] is True
    assert said["seed"] == 1


def test_a_run_is_replayed_to_the_byte(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    run(["test", "decree", "--seed", "1"])
    first = (elsewhere / "store/decree/seed-1/history.jsonl").read_bytes()

    assert run(["replay", "store/decree/seed-1"]) == 0

    assert "to the byte" in capsys.readouterr().err
    assert (elsewhere / "store/decree/replay-of-seed-1/history.jsonl").read_bytes() == first


def test_a_scenario_is_run_by_its_name(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    assert run(["replay", "D1-promise-then-crash"]) == 0
    assert run(["replay", "D1-promise-then-crash", "--bug", "promise-not-persisted"]) == 1

    assert "two values chosen" in capsys.readouterr().out


def test_a_watched_trial_stops_at_the_first_violation_and_is_replayed_to_there(
    capsys: pytest.CaptureFixture[str], elsewhere: Path
) -> None:
    broken = ["test", "decree", "--seed", "1", "--bug", "learn-on-first-accepted"]
    run([*broken, "--store", "whole"])

    assert run([*broken, "--watch"]) == 1
    assert "stopped before its end: P4" in capsys.readouterr().out
    whole, stopped = (
        (elsewhere / store / "decree/seed-1/trace.jsonl").read_bytes() for store in ("whole", "store")
    )
    assert whole.startswith(stopped)
    assert len(stopped) < len(whole)

    assert run(["replay", "store/decree/seed-1"]) == 1
    assert "to the byte" in capsys.readouterr().err


def test_a_replay_that_goes_otherwise_is_our_own_failure(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["test", "decree", "--seed", "1"])
    results = elsewhere / "store/decree/seed-1/results.json"
    doctored = json.loads(results.read_text())
    results.write_text(json.dumps({**doctored, "digest": "another"}))

    assert run(["replay", "store/decree/seed-1"]) == 255

    assert "Something else happened" in capsys.readouterr().err


@pytest.mark.parametrize("results", [None, "{", "[]", '{"digest": "1"}'])
def test_a_replay_with_nothing_to_compare_with_says_so(
    results: str | None, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "plan.json").write_text('{"workload": "decree", "seed": 1, "nodes": 3, "time_limit_s": 0.2}')
    if results is not None:
        (elsewhere / "results.json").write_text(results)

    assert run(["replay", "."]) == 0

    assert "is not known: its results.json is missing or damaged" in capsys.readouterr().err


def test_a_replay_of_a_workload_that_only_a_test_knows_says_so(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "plan.json").write_text('{"workload": "mine", "seed": 1}')
    (elsewhere / "results.json").write_text('{"replay": "pytest test_mine.py --seed 1"}')

    assert run(["replay", "."]) == BAD

    assert "pytest test_mine.py --seed 1" in capsys.readouterr().err


def test_a_reader_who_goes_away_is_no_verdict(elsewhere: Path) -> None:
    import subprocess
    import sys

    program = "from ostrakon.harness.cli import main; main(['list'])"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as command:
        assert command.stdout is not None
        command.stdout.close()

    assert command.returncode == 141


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["test", "decre"], "did you mean decree?"),
        (["test", "membership", "--liveness", "30"], "when all are well"),
        (
            ["test", "decree", "--substrate", "model", "--check-determinism"],
            "choices are logged on 'sim' only",
        ),
        (["test", "decree", "--bug", "quorum-haf"], "did you mean quorum-half"),
        (["test", "decree", "--nemesis", "partitoin"], "did you mean partition"),
        (["tset", "decree"], "did you mean test"),
        (["test", "decree", "--nodes", "0"], "'--nodes'"),
        (["test", "decree", "--nodes", "many"], "'many' is not a valid integer"),
        (["test", "decree", "--rate", "nan"], "rate is nan"),
        (["test", "decree", "--time-limit", "inf"], "time_limit_s is inf"),
        (["test", "decree", "--store", "/dev/null"], "/dev/null"),
        (["test", "decree", "--option", "nothing"], "write NAME=VALUE"),
        (
            ["test", "decree", "--option", "askz=[]"],
            "option of workload 'decree' named 'askz'; did you mean asks",
        ),
        (["test", "decree", "--option", "schedule=[]"], "for the substrate 'model'"),
        (["test", "decree", "--substrate", "cloud"], "'cloud'"),
        (["replay", "nowhere.json"], "no file or folder nowhere.json"),
        (["replay", "D1-promise-then-crahs"], "did you mean D1-promise-then-crash"),
        (["check", "nothing.jsonl", "--model", "register"], "does not exist"),
        (["report", "."], "neither a run folder"),
        (["serve", "--store", "nowhere"], "nowhere is not there"),
    ],
)
def test_a_users_mistake_gets_a_sentence(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == BAD

    said = capsys.readouterr()
    assert told in said.err
    assert "Traceback" not in said.err + said.out


def test_a_damaged_plan_is_refused_with_the_field(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "plan.json").write_text('{"workload": "decree",\n "seed": "seven"}')

    assert run(["replay", "plan.json"]) == BAD

    told = capsys.readouterr().err
    assert "line 2" in told
    assert "$.seed" in told


def test_a_plan_that_makes_no_sense_is_refused_with_every_line_and_field(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "plan.json").write_text(
        '{"workload": "decree", "seed": 1,\n "rate": 1e300,\n "faults": [\n'
        '  {"kind": "kill", "at_ms": 1, "for_ms": 1, "nodes": ["n9"]}]}'
    )

    assert run(["replay", "plan.json"]) == BAD

    told = capsys.readouterr().err
    assert "line 2: rate is 1e+300" in told
    assert "line 4: faults[0] names n9" in told


def test_a_run_whose_plan_was_changed_has_nothing_to_be_compared_with(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["test", "decree", "--seed", "1", "--nodes", "3"])
    plan = elsewhere / "store/decree/seed-1/plan.json"
    plan.write_text(plan.read_text().replace('"concurrency": 5', '"concurrency": 4'))

    assert run(["replay", "store/decree/seed-1"]) == 0

    assert "not the one that was run then" in capsys.readouterr().err


def test_a_damaged_history_is_refused_with_its_line(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = '{"index":0,"time":1,"type":"invoke","process":0,"f":"write","value":1}\n'
    (elsewhere / "history.jsonl").write_text(
        good + '{"index":1,"time":2,"type":"okay","process":0,"f":"write"}\n'
    )

    assert run(["check", "history.jsonl", "--model", "register"]) == BAD

    assert "line 2" in capsys.readouterr().err
    assert run(["check", "history.jsonl", "--model", "register", "--keep-undamaged"]) != BAD


def test_a_pipe_is_not_taken_for_an_empty_history(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(elsewhere / "pipe")

    assert run(["check", "pipe", "--model", "register"]) == BAD

    assert "pipe is a pipe or a device" in capsys.readouterr().err


def test_a_history_that_contradicts_itself_is_refused_with_its_line(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = '{{"index":{},"time":{},"type":"invoke","process":0,"f":"write","value":1}}\n'
    (elsewhere / "history.jsonl").write_text(asked.format(0, 1) + asked.format(1, 2))

    assert run(["check", "history.jsonl", "--model", "register"]) == BAD

    assert "line 2: process is 0, whose 'write' of op 0 is not over" in capsys.readouterr().err
    assert run(["check", "history.jsonl", "--model", "register", "--keep-undamaged"]) == 0
    assert run(["check", "history.jsonl", "--model", "register", "--as-is"]) == 0


@pytest.mark.parametrize(
    ("page", "why"), [("none/page.html", "there is no folder none"), (".", "name a file")]
)
def test_where_no_page_can_be_written_is_said_before_anything_is_judged(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], page: str, why: str
) -> None:
    (elsewhere / "history.jsonl").write_text("")

    assert run(["check", "history.jsonl", "--model", "register", "--html", page]) == BAD

    told = capsys.readouterr()
    assert why in told.err
    assert not told.out


def test_a_history_is_judged_and_drawn(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        '{"index":0,"time":1,"type":"invoke","process":0,"f":"write","value":1}',
        '{"index":1,"time":2,"type":"ok","process":0,"f":"write","value":1}',
        '{"index":2,"time":3,"type":"invoke","process":0,"f":"read","value":null}',
        '{"index":3,"time":4,"type":"ok","process":0,"f":"read","value":2}',
    ]
    (elsewhere / "history.jsonl").write_text("\n".join(lines) + "\n")

    assert run(["check", "history.jsonl", "--model", "register", "--json", "--html", "page.html"]) == 1

    assert json.loads(capsys.readouterr().out)["valid"] is False
    page = (elsewhere / "page.html").read_text()
    assert "<html" in page
    assert "ostrakon check history.jsonl --model register" in page
    for what_only_a_trial_has in (
        "plan.json",
        "trace.jsonl",
        "ostrakon replay",
        "All runs",
        "No node reported",
    ):
        assert what_only_a_trial_has not in page


def test_a_long_value_does_not_fill_the_terminal(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    read = '{{"index":{},"time":{},"type":"{}","process":0,"f":"read","value":{}}}\n'
    (elsewhere / "history.jsonl").write_text(
        read.format(0, 1, "invoke", "null") + read.format(1, 2, "ok", list(range(10_000)))
    )

    assert run(["check", "history.jsonl", "--model", "set"]) == 1

    told = capsys.readouterr().out
    assert "[0, 1, 2" in told
    assert "9999]" in told
    assert max(map(len, told.splitlines())) < 500


def test_a_cycle_of_transactions_is_told_as_a_story_and_with_what_it_breaks(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    skew = [{"process": 0, "type": "ok", "value": [["append", "x", 1], ["append", "y", 1]]},
            {"process": 1, "type": "ok", "value": [["r", "x", [1]], ["r", "y", []]]}]  # fmt: skip
    (elsewhere / "history.json").write_text(json.dumps(skew))

    assert run(["check", "history.json", "--model", "list-append", "--consistency", "serializable"]) == 1

    said = capsys.readouterr().out.splitlines()
    assert said[0] == "INVALID  history.json"
    assert "the weakest it violates: monotonic-atomic-view" in said[1]
    assert said[2] == "  G-single-item: 2 transactions, none of which can be the first"
    assert "    T2 < T1 (rw): T2 read 'y' as [], without the 1 that T1 appended" in said


def test_who_is_to_blame_for_a_split_decision_is_told_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["test", "decree", "--seed", "5", "--bug", "promise-omits-accepted", "--nemesis", "mixed"]) == 1
    )

    assert "    to blame: " in capsys.readouterr().out


def test_several_files_have_one_status(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    op = '{"index":0,"time":1,"type":"invoke","process":0,"f":"write","value":1}\n'
    done = '{"index":1,"time":2,"type":"ok","process":0,"f":"write","value":1}\n'
    (elsewhere / "good.jsonl").write_text(op + done)
    (elsewhere / "empty.jsonl").write_text("")

    status = run(["check", "good.jsonl", "empty.jsonl", "--model", "register", "--json"])

    assert status == 2
    said = json.loads(capsys.readouterr().out)
    assert said["valid"] == "unknown"
    assert said["files"]["good.jsonl"]["valid"] is True


def test_a_failure_of_our_own_is_told_as_such(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMMANDS, "test", "ostrakon.harness.commands.nowhere:nothing")

    assert run(["test", "decree"]) == 255

    assert "a failure of Ostrakon itself" in capsys.readouterr().err


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0

    assert "Usage: ostrakon" in capsys.readouterr().out


def test_what_is_on_offer_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list"]) == 0

    said = capsys.readouterr().out
    for name in ("workload decree", "--bug quorum-half", "majorities-ring", "cas-register", "--option asks"):
        assert name in said


def test_a_store_is_rendered(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["test", "decree", "--seed", "1", "--nodes", "3"])

    assert run(["report", "store"]) == 0

    assert "seed-1" in (elsewhere / "store/index.html").read_text()


def test_a_trial_can_be_asked_what_was_drawn_and_whether_it_would_happen_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        run(["test", "decree", "--seed", "1", "--nemesis", "kill", "--verbose", "--check-determinism"]) == 0
    )

    said = capsys.readouterr().err
    assert "ms  kill, on n" in said
    assert "two runs made the same choices" in said


def test_a_trial_of_liveness_strikes_all_but_a_majority_for_good(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["test", "decree", "--seed", "1", "--nodes", "3", "--liveness", "30", "--verbose"]) == 0

    assert "are well for good" in capsys.readouterr().err


def test_who_runs_it_without_installing_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ostrakon.harness.catalogue._offers", lambda group: {})

    status = run(["test", "decree"])

    assert status == 254
    assert "`pip install --editable .`" in capsys.readouterr().err


def test_a_certificate_that_was_printed_is_checked_anew(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    transactions = [
        {"process": 0, "type": "ok", "value": [["w", "x", 1]]},
        {"process": 1, "type": "ok", "value": [["r", "x", 1]]},
    ]
    (elsewhere / "history.json").write_text(json.dumps(transactions))
    assert run(["check", "history.json", "--model", "rw-register", "--json"]) == 0
    (elsewhere / "verdict.json").write_text(capsys.readouterr().out)

    assert run(["check", "history.json", "--model", "rw-register", "--certificate", "verdict.json"]) == 0
    assert run(["check", "history.json", "--model", "list-append", "--certificate", "verdict.json"]) == 2
    assert run(["check", "history.json", "--model", "set", "--certificate", "verdict.json"]) == 254
    assert run(["check", "history.json", "--model", "rw-register", "--certificate", "history.json"]) == 2


def test_a_value_of_an_outside_writer_is_garbage_unless_the_history_is_open(elsewhere: Path) -> None:
    transactions = [{"process": 1, "type": "ok", "value": [["r", "x", 1]]}]
    (elsewhere / "history.json").write_text(json.dumps(transactions))

    assert run(["check", "history.json", "--model", "rw-register"]) == 1
    assert run(["check", "history.json", "--model", "rw-register", "--open"]) == 0
    assert run(["check", "history.json", "--model", "list-append", "--open"]) == 254
