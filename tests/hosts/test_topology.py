"""The network of a trial as data."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

from ostrakon.harness.hosts.topology import (
    LinkEnds,
    addresses,
    bridge,
    change_of_cuts,
    counts,
    filter_rules,
    hosts_file,
    hosts_of,
    namespaces,
)

HOSTS = hosts_of(("n1", "n2", "n3"))
PORTS = {host.port: host.name for host in HOSTS}
LINKS = [(a, b) for a in PORTS.values() for b in PORTS.values() if a != b]


def _after(before: frozenset[LinkEnds], script: str) -> frozenset[LinkEnds]:
    """What is cut after nft has run a script."""
    now = set(before)
    for line in script.splitlines():
        links = {(PORTS[a], PORTS[b]) for a, b in re.findall(r'"(p\d+)" \. "(p\d+)"', line)}
        if line.startswith("add"):
            now |= links
        else:
            assert links <= now, (
                "nft refuses to delete what is not there, and then nothing of the script is done"
            )
            now -= links
    return frozenset(now)


@given(st.frozensets(st.sampled_from(LINKS)), st.frozensets(st.sampled_from(LINKS)))
def test_a_change_of_cuts_leads_from_what_was_cut_to_what_shall_be(
    before: frozenset[LinkEnds], after: frozenset[LinkEnds]
) -> None:
    assert _after(before, change_of_cuts(HOSTS, before, after)) == after


def test_no_change_is_no_script() -> None:
    assert change_of_cuts(HOSTS, {("n1", "n2")}, {("n1", "n2")}) == ""


def test_a_cut_is_directed() -> None:
    script = change_of_cuts(HOSTS, (), {("n1", "n3")})

    assert script == 'add element bridge ostrakon cut { "p1" . "p3" }\n'


def test_packets_are_counted_by_link() -> None:
    element = {"elem": {"val": {"concat": ["p2", "p1"]}, "counter": {"packets": 7, "bytes": 400}}}
    listed = json.dumps({"nftables": [{"metainfo": {}}, {"set": {"name": "cut", "elem": [element]}}]})

    assert counts(HOSTS, listed) == {("n2", "n1"): 7}


def test_an_empty_set_has_no_counts() -> None:
    assert counts(HOSTS, json.dumps({"nftables": [{"metainfo": {}}, {"set": {"name": "cut"}}]})) == {}


def test_every_host_is_known_by_name_and_so_are_the_clients() -> None:
    lines = hosts_file(HOSTS).splitlines()

    assert lines[0] == "127.0.0.1 localhost"
    assert lines[1:] == ["10.77.0.1 n1", "10.77.0.2 n2", "10.77.0.3 n3", "10.77.0.200 clients"]


def test_packets_are_counted_before_they_are_dropped() -> None:
    rules = filter_rules(HOSTS)

    assert rules.index("@sent") < rules.index("@cut drop")


def test_one_host_alone_has_no_links() -> None:
    assert "elements" not in filter_rules(hosts_of(("n1",)))


def test_nothing_but_the_trials_own_namespaces_is_named() -> None:
    """The commands run in new namespaces; none of them enters another than those that it makes there."""
    made = [*namespaces(HOSTS), *bridge(HOSTS), *addresses(HOSTS)]
    entered = [part for command, _ in made for part in command if part.startswith("--net=")]

    assert set(entered) == {f"--net=/run/netns/{name}" for name in ("hub", "n1", "n2", "n3")}
