"""The examples in the documentation do what they say."""

from __future__ import annotations

import doctest
from pathlib import Path

import ostrakon.checkers.linearizability

GUIDE = Path(__file__).parents[3] / "docs" / "checkers.md"


def test_the_examples_of_the_package_are_true() -> None:
    failed, tried = doctest.testmod(ostrakon.checkers.linearizability)

    assert tried > 5
    assert failed == 0


def test_the_examples_of_the_guide_are_true() -> None:
    failed, tried = doctest.testfile(str(GUIDE), module_relative=False)

    assert tried > 5
    assert failed == 0
