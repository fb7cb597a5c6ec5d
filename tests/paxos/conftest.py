"""Fixtures for the tests of Paxos."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def testdata() -> Path:
    return Path(__file__).parent.parent / "testdata" / "paxos"
