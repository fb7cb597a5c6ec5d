"""Shapes of partitions, and what each promises of any number of nodes."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.faults import grudge
from ostrakon.harness.faults.grudge import Grudge, hears, is_symmetric, majority_of

NODES = ("n1", "n2", "n3", "n4", "n5")

clusters = st.integers(1, 13).map(lambda size: tuple(f"n{number}" for number in range(1, size + 1)))
draws = st.integers(0, 2**32).map(random.Random)


def grudges(nodes: tuple[str, ...]) -> st.SearchStrategy[Grudge]:
    links = st.tuples(st.sampled_from(nodes), st.sampled_from(nodes))
    cut = st.lists(links.filter(lambda link: link[0] != link[1]))
    return cut.map(lambda links: grudge.union(*(grudge.one_way([a], [b]) for a, b in links)))


def sides(nodes: tuple[str, ...], shape: Grudge) -> set[frozenset[str]]:
    return {hears(shape, node, nodes) for node in nodes}


def test_halves_put_the_smaller_half_first() -> None:
    assert grudge.halves(NODES) == {
        "n1": ("n3", "n4", "n5"),
        "n2": ("n3", "n4", "n5"),
        "n3": ("n1", "n2"),
        "n4": ("n1", "n2"),
        "n5": ("n1", "n2"),
    }


def test_one_way_cuts_what_is_sent_and_not_what_comes_back() -> None:
    assert grudge.one_way(["n1"], ["n2", "n1"]) == {"n2": ("n1",)}
    assert grudge.send_only(("n1", "n2", "n3"), "n1") == {"n1": ("n2", "n3")}
    assert grudge.receive_only(("n1", "n2", "n3"), "n1") == {"n2": ("n1",), "n3": ("n1",)}


def test_a_bridge_node_is_heard_by_both_halves_and_hears_both() -> None:
    shape = grudge.bridge(NODES)

    assert shape == {"n1": ("n4", "n5"), "n2": ("n4", "n5"), "n4": ("n1", "n2"), "n5": ("n1", "n2")}


def test_a_ring_of_three_is_cut_one_way() -> None:
    shape = grudge.majorities_ring(NODES[:3], random.Random(0))

    assert sorted(len(senders) for senders in shape.values()) == [1, 1, 1]
    assert not is_symmetric(shape)


@given(clusters, draws)
def test_every_node_of_a_ring_hears_a_majority_and_no_two_the_same(
    nodes: tuple[str, ...], rng: random.Random
) -> None:
    shape = grudge.majorities_ring(nodes, rng)

    if len(nodes) < 3:
        assert shape == {}
        return
    assert all(len(hears(shape, node, nodes)) >= majority_of(nodes) for node in nodes)
    assert all(node in hears(shape, node, nodes) for node in nodes)
    assert len(sides(nodes, shape)) == len(nodes)
    if len(nodes) > 3:
        assert is_symmetric(shape)
    if len(nodes) <= 5:
        assert all(len(hears(shape, node, nodes)) == majority_of(nodes) for node in nodes)


@given(clusters.filter(lambda nodes: len(nodes) > 5), draws)
def test_the_ring_that_is_taken_when_luck_fails_keeps_the_promise_too(
    nodes: tuple[str, ...], rng: random.Random
) -> None:
    shape = grudge._ring(rng.sample(nodes, len(nodes)), odd=True)

    assert all(len(hears(shape, node, nodes)) >= majority_of(nodes) for node in nodes)
    assert len(sides(nodes, shape)) == len(nodes)
    assert is_symmetric(shape)


@given(clusters, draws)
def test_clean_partitions_are_symmetric_and_have_two_sides_that_are_everyone(
    nodes: tuple[str, ...], rng: random.Random
) -> None:
    for draw in (grudge.random_halves, grudge.one, grudge.minority, grudge.majority):
        shape = draw(nodes, rng)

        assert is_symmetric(shape)
        assert len(sides(nodes, shape)) <= 2
        assert frozenset().union(*sides(nodes, shape)) == frozenset(nodes)
        assert all(node in hears(shape, node, nodes) for node in nodes)


@given(clusters, draws)
def test_sides_are_as_large_as_their_names_say(nodes: tuple[str, ...], rng: random.Random) -> None:
    if len(nodes) < 3:
        return

    def sizes(shape: Grudge) -> list[int]:
        return sorted(len(side) for side in sides(nodes, shape))

    assert sizes(grudge.random_halves(nodes, rng))[0] == len(nodes) // 2
    assert sizes(grudge.one(nodes, rng)) == [1, len(nodes) - 1]
    assert sizes(grudge.minority(nodes, rng))[0] < majority_of(nodes)
    assert sizes(grudge.majority(nodes, rng))[-1] == majority_of(nodes)


@given(clusters.filter(lambda nodes: len(nodes) > 2))
def test_halves_of_a_bridge_hear_the_bridge_alone(nodes: tuple[str, ...]) -> None:
    shape = grudge.bridge(nodes)
    between = nodes[len(nodes) // 2]

    assert is_symmetric(shape)
    assert hears(shape, between, nodes) == frozenset(nodes)
    assert all(between in hears(shape, node, nodes) for node in nodes)
    first, last = hears(shape, nodes[0], nodes), hears(shape, nodes[-1], nodes)
    assert first & last == {between}


@given(st.data(), clusters)
def test_inverting_what_is_heard_gives_the_grudge_back(data: st.DataObject, nodes: tuple[str, ...]) -> None:
    shape = data.draw(grudges(nodes)) if len(nodes) > 1 else {}

    assert grudge.invert({node: hears(shape, node, nodes) for node in nodes}, nodes) == shape


@given(st.data(), clusters.filter(lambda nodes: len(nodes) > 1))
def test_union_cuts_what_any_cuts_and_nothing_else(data: st.DataObject, nodes: tuple[str, ...]) -> None:
    a, b = data.draw(grudges(nodes)), data.draw(grudges(nodes))
    both = grudge.union(a, b)

    assert both == grudge.union(b, a)
    assert grudge.union(a, a) == a
    for node in nodes:
        assert hears(both, node, nodes) == hears(a, node, nodes) & hears(b, node, nodes)


@pytest.mark.parametrize(
    "draw", [grudge.random_halves, grudge.one, grudge.minority, grudge.majority, grudge.majorities_ring]
)
def test_the_same_seed_draws_the_same_shape_whatever_the_order_of_nodes(draw: object) -> None:
    assert callable(draw)
    shapes = [draw(NODES, random.Random(seed)) for seed in range(20)]

    assert shapes == [draw(NODES[::-1], random.Random(seed)) for seed in range(20)]
    assert len({str(shape) for shape in shapes}) > 1
