"""`ostrakon explore` says what it found, keeps it as plans, and answers with the exit status."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ostrakon.harness.cli import run


def test_the_correct_core_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explore", "--proposers", "1", "--crashes", "1"]) == 0

    assert "no schedule breaks P1, P2" in capsys.readouterr().out


def test_a_bug_is_told_as_a_story_and_kept_as_plans(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path)

    assert run(["explore", "--bug", "promise-omits-accepted", "--store", store]) == 1

    told = capsys.readouterr().out
    assert "1. a client proposes v1 to n1: it promises 1.1, reporting no vote, prepares 1.1" in told
    for name in ("explored-promise-omits-accepted", "explored-promise-omits-accepted-sim"):
        plan = tmp_path / "decree" / f"{name}.json"
        assert f"ostrakon replay {plan}" in told
        assert run(["replay", str(plan), "--store", store]) == 1


def test_at_the_limit_nothing_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explore", "--limit", "100", "--json"]) == 2

    told = msgspec.json.decode(capsys.readouterr().out)
    assert told["valid"] == "unknown"
    assert told["states"] >= 100


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["--proposers", "4"], "4 proposers need as many acceptors"),
        (["--property", "P99"], "there is no property 'P99'"),
        (["--bug", "promise-omits"], "did you mean promise-omits-accepted"),
        (["--timeouts", "99"], "at most 10 timeouts"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(
    arguments: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["explore", *arguments]) == 254

    assert hint in capsys.readouterr().err
