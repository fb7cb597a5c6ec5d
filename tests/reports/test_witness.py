from __future__ import annotations

from ostrakon.reports import witness
from ostrakon.reports.findings import Finding, findings
from tests.reports.samples import DUEL, SPLIT, split_decision

FOUND = findings(split_decision().to_json())


def test_the_ops_of_the_first_finding_are_drawn_with_their_invocations() -> None:
    assert witness.ops(FOUND, SPLIT) == [SPLIT[0], SPLIT[1], SPLIT[2], SPLIT[7]]


def test_the_events_drawn_are_those_of_the_blame() -> None:
    assert witness.events(FOUND, [], DUEL) == DUEL[3:]


def test_a_witness_of_clients_alone_leads_to_what_nodes_had_learned_by_then() -> None:
    only_ops = [Finding("agreement", "split decision", "", ops=(SPLIT[2], SPLIT[7]))]

    assert witness.events(only_ops, [SPLIT[2]], DUEL) == (DUEL[5],)


def test_nothing_found_is_nothing_to_draw_around() -> None:
    assert witness.ops([], SPLIT) == []
    assert witness.events([], [], DUEL) == ()


def test_values_that_stand_against_each_other_are_numbered() -> None:
    assert witness.colours(FOUND) == {'"x"': 0, '"y"': 1}


def test_one_value_alone_stands_against_none() -> None:
    assert witness.colours([Finding("", "", "", ops=(SPLIT[0], SPLIT[2]))]) == {}
