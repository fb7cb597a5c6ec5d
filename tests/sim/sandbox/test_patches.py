"""What stands in for something leaves no trace when it goes."""

from __future__ import annotations

from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.sim.sandbox.patches import Patches

NAMES = st.sampled_from("abcde")
VALUES = st.dictionaries(NAMES, st.integers() | st.none())


@given(VALUES, VALUES)
def test_what_was_there_is_there_again_and_what_was_not_is_not(
    before: dict[str, int | None], ours: dict[str, int | None]
) -> None:
    module, kind = ModuleType("some"), type("Some", (), dict(before))
    vars(module).update(before)
    stand_ins = Patches([(owner, name, value) for name, value in ours.items() for owner in (module, kind)])

    for _ in range(2):
        with stand_ins.applied():
            assert {name: getattr(module, name) for name in ours} == ours
            assert {name: getattr(kind, name) for name in ours} == ours
        assert {name: value for name, value in vars(module).items() if name in "abcde"} == before
        assert {name: value for name, value in vars(kind).items() if name in "abcde"} == before


def test_what_cannot_be_replaced_leaves_the_others_as_they_were() -> None:
    module = SimpleNamespace(time=1)
    stand_ins = Patches([(module, "time", 2), (int, "real", 3)])

    with pytest.raises(TypeError, match="immutable"), stand_ins.applied():
        raise AssertionError("unreachable: int is immutable")

    assert module.time == 1
