from __future__ import annotations

import pytest

from ostrakon.reports.findings import by_kind, findings, parts
from ostrakon.reports.folder import word
from tests.reports.samples import DUEL, SPLIT, split_decision


def test_a_verdict_read_back_from_json_has_the_anomalies_it_was_made_of() -> None:
    split, hidden = findings(split_decision().to_json())

    assert (split.name, split.checker, split.ops) == (
        "split decision",
        "consensus / agreement",
        (SPLIT[2], SPLIT[7]),
    )
    assert split.blame["guilty"] == ["n2"]
    assert (hidden.property, hidden.latent, hidden.events) == ("P8", True, (DUEL[4], DUEL[8]))


def test_what_did_harm_comes_before_what_is_latent() -> None:
    anomalies = [{"name": "a", "why": "", "latent": True}, {"name": "b", "why": ""}]

    assert [finding.name for finding in findings({"anomalies": anomalies})] == ["b", "a"]


def test_an_anomaly_that_two_checkers_found_is_told_once() -> None:
    same = {"anomalies": [{"name": "a", "why": "because"}]}

    assert len(findings({"parts": {"one": same, "two": same}})) == 1


def test_anomalies_of_one_kind_stand_together() -> None:
    anomalies = [{"name": name, "why": str(n)} for n, name in enumerate("abab")]

    assert [len(alike) for alike in by_kind(findings({"anomalies": anomalies}))] == [2, 2]


def test_each_checker_speaks_for_itself() -> None:
    assert [(part.name, part.valid) for part in parts(split_decision().to_json())] == [
        ("consensus / agreement", "invalid"),
        ("consensus / P8", "invalid"),
        ("consensus / stats", "valid"),
        ("termination", "valid"),
    ]


@pytest.mark.parametrize("junk", [None, 7, "x", [], {"anomalies": 3, "parts": []}, {"parts": {"a": 1}}])
def test_what_is_no_verdict_has_no_findings(junk: object) -> None:
    assert findings(junk) == ()


@pytest.mark.parametrize(
    ("valid", "said"),
    [
        (True, "valid"),
        (False, "invalid"),
        ("unknown", "unknown"),
        (None, "unknown"),
        (1, "unknown"),
        ("?", "unknown"),
    ],
)
def test_only_true_is_valid_and_only_false_is_invalid(valid: object, said: str) -> None:
    assert word(valid) == said
