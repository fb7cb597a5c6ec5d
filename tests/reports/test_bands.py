from __future__ import annotations

import pytest

from ostrakon.reports.bands import Band, bands, rows, whom
from tests.reports.samples import MS, SPLIT, ops


def test_a_fault_lasts_from_its_start_to_its_stop_though_each_is_told_twice() -> None:
    found = bands(SPLIT, {})

    assert [(band.kind, band.start // MS, (band.end or 0) // MS) for band in found] == [
        ("partition", 12, 42),
        ("kill", 20, 22),
    ]
    assert found[0].whom == "minority n1 n2 | n3"
    assert found[1].nodes == ("n2",)


def test_of_two_faults_of_a_kind_the_one_with_the_id_ends() -> None:
    history = ops(
        (1, "info", "nemesis", "start-pause", {"id": 0, "nodes": ["n1"]}),
        (2, "info", "nemesis", "start-pause", {"id": 1, "nodes": ["n2"]}),
        (3, "info", "nemesis", "stop-pause", {"id": 1}),
        (3, "info", "nemesis", "stop-pause", {"id": 1, "stopped": ["n2"]}),
        (9, "info", "nemesis", "stop-pause", {"id": 0}),
    )

    assert [(band.nodes, (band.end or 0) // MS) for band in bands(history, {})] == [
        (("n1",), 9),
        (("n2",), 3),
    ]


def test_a_fault_whose_target_was_found_out_when_it_began_lies_on_those_nodes() -> None:
    history = ops(
        (1, "info", "nemesis", "start-kill", {"id": 0, "target": "leader"}),
        (1, "info", "nemesis", "start-kill", {"id": 0, "target": "leader", "nodes": ["n3"]}),
        (9, "info", "nemesis", "stop-kill", {"id": 0}),
    )

    assert bands(history, {}) == (Band("kill", 1 * MS, 9 * MS, "leader n3", ("n3",), 0),)


def test_heal_ends_whatever_goes_on() -> None:
    history = ops((1, "info", "nemesis", "start-drop", {"id": 0}), (7, "info", "nemesis", "heal", None))

    assert bands(history, {})[0].end == 7 * MS


def test_a_fault_that_nobody_ended_has_no_end() -> None:
    assert bands(ops((1, "info", "nemesis", "start-drop", None)), {})[0].end is None


def test_a_foreign_nemesis_need_not_say_which_fault_it_ends() -> None:
    history = ops((1, "info", "nemesis", "start-pause", ["n1"]), (4, "info", "nemesis", "stop-pause", None))

    assert bands(history, {}) == (Band("pause", 1 * MS, 4 * MS, "n1", ("n1",)),)


def test_without_a_nemesis_in_the_history_the_plan_tells_of_the_faults() -> None:
    plan = {"faults": [{"kind": "kill", "at_ms": 5, "for_ms": 2, "nodes": ["n1"]}, "nonsense"]}

    assert bands(ops(), plan) == (Band("kill", 5 * MS, 7 * MS, "n1", ("n1",)),)


def test_bands_that_overlap_get_rows_of_their_own_and_others_share() -> None:
    first, second, third = Band("a", 0, 10), Band("b", 5, 20), Band("c", 10, 12)

    assert rows([first, second, third], last=30) == [(0, first), (1, second), (0, third)]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"grudge": {"n1": ["n2"], "n2": ["n1"]}}, "n1 | n2"),
        ({"grudge": {"n1": ["n2"]}, "shape": "one-way"}, "one-way n1 does not hear n2"),
        ({"nodes": ["n1", "n3"]}, "n1 n3"),
        ({"links": [["n1", "n2"], "junk"]}, "n1→n2"),
        ({}, ""),
    ],
)
def test_a_fault_says_whom_it_is_aimed_at(fault: dict[str, object], said: str) -> None:
    assert whom(fault) == said
