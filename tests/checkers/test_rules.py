"""One table says what each rule means, where it comes from and what decides it."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest

from ostrakon.checkers.consensus import RULES as JUDGED
from ostrakon.checkers.consensus.blame_finding import BlameClass
from ostrakon.checkers.rules import RULES, Rule, as_markdown, statement
from ostrakon.reports.glossary import gloss
from ostrakon.workloads.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_every_rule_has_what_decides_it(rule: Rule) -> None:
    module, _, name = rule.function.partition(":")

    assert hasattr(import_module(module), name)


def test_the_page_of_rules_is_the_table() -> None:
    told = (ROOT / "docs/rules.md").read_text()

    assert told == as_markdown(), "python -m ostrakon.checkers.rules > docs/rules.md"
    assert all(f"| {id} | {rule.statement} |" in told for id, rule in RULES.items())


def test_the_table_is_complete() -> None:
    assert list(RULES) == [
        *(f"P{number}" for number in range(1, 12)),
        *(f"M{number}" for number in range(1, 14)),
        *get_args(BlameClass),
        *(f"D{number}" for number in range(1, 11)),
    ]
    assert set(JUDGED) <= set(RULES)


def test_every_scenario_is_of_a_situation_in_the_table() -> None:
    assert {name.partition("-")[0] for name in SCENARIOS} == {
        id for id in RULES if RULES[id].kind == "scenario"
    }


def test_a_rule_that_the_functions_docstring_names_is_the_one_it_decides() -> None:
    named = {
        id: re.match(r"([PM]\d+)\b", import_module(module).__dict__[name].__doc__ or "")
        for id, rule in RULES.items()
        if rule.kind in ("slot", "log")
        for module, _, name in [rule.function.partition(":")]
    }

    assert {id: found[1] for id, found in named.items() if found} == {
        id: id for id, found in named.items() if found
    }
    assert sum(found is not None for found in named.values()) > 15, (
        "vacuous: hardly any docstring names a rule"
    )


def test_pages_say_what_the_table_says() -> None:
    assert gloss("P2") == statement("P2") == "at most one value is chosen in a slot"
    assert gloss("checks/M3") == statement("M3")
    assert statement("P77") == ""
