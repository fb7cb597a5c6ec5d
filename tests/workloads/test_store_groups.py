"""The register over several groups: each log is judged by itself; bugs of what they share are convicted."""

from __future__ import annotations

from collections import Counter

import pytest

from ostrakon.checkers.verdict import Verdict
from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.history import Event, History, Op
from ostrakon.harness.plan import BadPlan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.trial import run
from ostrakon.paxos_impl.kv.placement import group_of_key
from ostrakon.workloads.groups_bugs import GROUPS_BUGS
from ostrakon.workloads.register import REGISTER, keys_of
from ostrakon.workloads.store_groups import GroupsMonitor, all_converged, keys_over, properties_by_group
from tests.workloads.hunt import convicting, hunt

TRIALS_MAX = 30
NEMESIS = {"sync-awaited-by-one-group": "slow_disk,power_loss"}


@pytest.mark.parametrize("bug", GROUPS_BUGS)
def test_a_seeded_bug_is_convicted_by_what_it_breaks(bug: str) -> None:
    trial = hunt(REGISTER, bug, nemesis=NEMESIS.get(bug, "power_loss"), trials_max=TRIALS_MAX)

    assert convicting(trial) & set(GROUPS_BUGS[bug].convicted_by), trial.why


def test_correct_replicas_serve_all_groups_whatever_is_done_to_them() -> None:
    plan = plan_for(REGISTER, seed=0, nemesis="mixed", nodes=3, options={"groups": 3})
    trial = run(plan, workload=REGISTER)

    assert trial.valid == "valid", trial.why
    executed = Counter(event.group for event in trial.trace if event.event == "applied")
    assert len(executed) == 3
    done = {group_of_key(op.value[0], 3) for op in trial.history.where(type="ok")}
    assert done == {0, 1, 2}


def test_one_group_is_what_there_is_if_nothing_is_said_of_groups() -> None:
    trial = run(plan_for(REGISTER, seed=0, nodes=3, time_limit_s=0.5), workload=REGISTER)

    assert {event.group for event in trial.trace} == {0}
    assert keys_of(trial.plan) == ("k0", "k1", "k2")


@pytest.mark.parametrize("groups", [0, 17, 1.5, "3", None])
def test_a_number_of_groups_that_makes_no_sense_is_refused(groups: object) -> None:
    with pytest.raises(BadPlan, match=r"options\.groups is"):
        run(plan_for(REGISTER, seed=0, nodes=3, options={"groups": groups}), workload=REGISTER)


@pytest.mark.parametrize("groups", range(1, 17))
def test_each_group_has_as_many_of_the_keys(groups: int) -> None:
    keys = keys_over(groups, 3)

    counts = Counter(group_of_key(key, groups) for key in keys)
    assert len(keys) == len(set(keys)) >= 3
    assert counts == dict.fromkeys(range(groups), -(-3 // groups))


def applied(group: int, slot: int, value: object, node: str = "n1", seq: int = 0) -> Event:
    return Event(seq, node, 0, seq, "applied", slot=slot, value=value, group=group)


def judged(*trace: Event) -> dict[str, Verdict]:
    key = next(key for key in keys_over(2, 2) if group_of_key(key, 2) == 1)
    op = Op(0, 0, "ok", 0, "write", [key, 1])
    return properties_by_group(History([op]), trace, 2)


def test_slots_of_different_groups_have_nothing_to_do_with_each_other() -> None:
    apart = [applied(0, 1, ["a"]), applied(1, 1, ["b"], "n2")]
    split = [applied(1, 1, ["a"]), applied(1, 1, ["b"], "n2")]

    assert judged(*apart)["M1"].valid == "valid"
    verdict = judged(*split)["M1"]
    assert verdict.valid == "invalid"
    assert verdict.why.startswith("group 1: ")
    assert [anomaly.details["group"] for anomaly in verdict.anomalies] == [1]


def test_nothing_is_demanded_of_a_group_in_which_nothing_was_done() -> None:
    assert judged(applied(1, 1, ["a"]))["M1"].valid == "valid"
    assert judged(applied(0, 1, ["a"]))["M1"].valid == "unknown"


def test_a_monitor_tells_groups_apart() -> None:
    def promise(group: int, round: int) -> Event:
        return Event(0, "n1", 0, 0, "promise_sent", ballot=(round, 1), group=group)

    monitor = GroupsMonitor(2)
    assert monitor.event(promise(0, 2)) is None
    assert monitor.event(promise(1, 1)) is None
    assert "P7" in (monitor.event(promise(0, 1)) or "")


def test_only_a_workload_of_single_keys_can_be_spread_over_groups() -> None:
    assert "groups" in REGISTER.options
    assert "groups" not in find_workload("bank").options


def test_replicas_have_converged_when_they_have_in_every_group() -> None:
    members = [Event(0, "n1", 0, 0, "config_active", members=("n1", "n2"), group=group) for group in (0, 1)]
    first = [*members, applied(0, 1, [], "n1"), applied(0, 1, [], "n2")]
    ahead = [*first, applied(1, 1, [], "n1"), applied(1, 2, [], "n1"), applied(1, 1, [], "n2")]

    assert all_converged(first, 2)
    assert not all_converged(ahead, 2)
    assert all_converged([*ahead, applied(1, 2, [], "n2")], 2)
