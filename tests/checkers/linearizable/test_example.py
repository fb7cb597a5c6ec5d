"""The examples in the documentation do what they say."""

from __future__ import annotations

import doctest

import checkers.linearizability


def test_the_examples_of_the_package_are_true() -> None:
    failed, tried = doctest.testmod(checkers.linearizability)

    assert tried > 5
    assert failed == 0
