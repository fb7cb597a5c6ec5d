"""A map that is frozen goes on changing, and what was frozen does not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.kv.key_map import KeyMap

KEYS = st.sampled_from("abcdefgh")
CHANGES = st.one_of(
    st.tuples(st.just("set"), KEYS, st.integers(0, 9)),
    st.tuples(st.just("pop"), KEYS, st.none()),
    st.tuples(st.just("freeze"), st.none(), st.none()),
    st.tuples(st.just("sort later"), st.none(), st.none()),
    st.tuples(st.just("read"), st.none(), st.integers(1, 4)),
)


@given(st.dictionaries(KEYS, st.integers(0, 9)), st.lists(CHANGES, max_size=60))
def test_a_map_is_a_dict_in_order_however_it_is_frozen_meanwhile(
    begun: dict[str, int], changes: list[tuple[str, Any, Any]]
) -> None:
    known, found = dict(begun), KeyMap(dict(begun))
    frozen: Iterator[tuple[str, Any]] = iter(())
    expected: list[tuple[str, int]] = []
    for kind, key, value in changes:
        match kind:
            case "set":
                known[key] = found[key] = value
            case "pop":
                assert found.pop(key) == known.pop(key, None)
            case "freeze":
                frozen, expected = found.freeze(), sorted(known.items())
            case "sort later":
                found.sort_later()
                frozen, expected = iter(()), []  # What was frozen before must not be read further.
            case _:
                read = list(islice(frozen, value))
                assert read == expected[: len(read)]
                del expected[: len(read)]
                assert len(read) == value or not expected

        assert list(found.items()) == sorted(known.items())
        assert (len(found), "a" in found, found.get("b")) == (len(known), "a" in known, known.get("b"))
        assert list(found.items("c", "f")) == [item for item in sorted(known.items()) if "c" <= item[0] < "f"]


def test_thousands_of_changes_are_not_merged_at_once() -> None:
    found = KeyMap({f"k{n}": n for n in range(10)})
    frozen = found.freeze()
    for n in range(5000):
        found[f"new{n}"] = n

    assert len(list(frozen)) == 10
    assert found._changes is not None
    for n in range(5000):
        found["one"] = n
    assert found._changes is None
    assert len(found) == 5011
