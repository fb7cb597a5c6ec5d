"""Locks with leases by the time of the log: exclusive for as long as the holder was told, and fenced."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ostrakon.paxos_impl.core.ballot import Ballot
from ostrakon.paxos_impl.kv.clock import LogClock
from ostrakon.paxos_impl.kv.store import Store

LEASE_MS = 10


def acquire(holder: str, at_ms: int, lock: str = "lock") -> list[object]:
    return ["acquire", lock, holder, LEASE_MS, at_ms]


def test_a_lock_is_had_by_one_until_its_lease_has_run_out() -> None:
    store = Store()

    assert store.execute(acquire("a", 100)) == 1
    assert store.execute(acquire("b", 110)) is None
    assert store.execute(acquire("b", 111)) == 2
    assert store.execute(acquire("a", 112)) is None


def test_who_has_a_lock_and_acquires_it_again_keeps_its_token_and_has_it_for_longer() -> None:
    store = Store()
    store.execute(acquire("a", 100))

    assert store.execute(acquire("a", 108)) == 1
    assert store.execute(acquire("b", 115)) is None
    assert store.execute(acquire("a", 200)) == 2, "it had run out, and might have been another's meanwhile"


def test_a_lock_that_is_given_back_is_free_at_once_and_its_next_token_is_higher() -> None:
    store = Store()
    store.execute(acquire("a", 100))

    assert store.execute(["release", "lock", 1]) is True
    assert store.execute(["release", "lock", 1]) is False
    assert store.execute(acquire("b", 100)) == 2
    assert store.execute(["release", "lock", 1]) is False


def test_who_has_lost_a_lock_can_do_nothing_in_its_name() -> None:
    store = Store()
    store.execute(acquire("a", 100))
    assert store.execute(["guarded", "lock", 1, ["put", "x", "a"]]) == [None]
    store.execute(acquire("b", 111))

    assert store.execute(["guarded", "lock", 1, ["put", "x", "late"]]) is None
    assert store.execute(["guarded", "lock", 2, ["get", "x"]]) == ["a"]
    assert store.execute(["guarded", "never granted", 0, ["get", "x"]]) is None


def test_a_stamp_that_is_earlier_than_another_does_not_turn_time_back() -> None:
    store = Store()
    store.execute(acquire("a", 100))

    assert store.execute(acquire("b", 5, "another")) == 1
    assert store.execute(acquire("c", 110, "another")) is None, "the other lease began at 100"


def test_the_leader_puts_in_the_time_whatever_the_client_says() -> None:
    store = Store()

    assert store.stamped(["acquire", "lock", "a", 10, 10**9], 7) == ["acquire", "lock", "a", 10, 7]
    assert store.stamped(["put", "x", 1], 7) == ["put", "x", 1]


# The time of the log.


@dataclass
class Leader:
    """A replica whose clock began whenever it did, and that may be behind in executing the log."""

    own_zero_ms: int
    clock: LogClock = field(default_factory=LogClock)
    executed: int = 0


@dataclass
class Log:
    """Stamps in the order of the log, each with the true time at which it was given."""

    stamps: list[tuple[int, int]] = field(default_factory=list)

    def reached_ms(self, executed: int) -> int:
        return max((stamp for stamp, _ in self.stamps[:executed]), default=0)


turns = st.tuples(st.sampled_from([0, 1, 2]), st.integers(0, 40), st.integers(0, 3), st.booleans())


@given(st.lists(turns, max_size=40), st.tuples(*[st.integers(0, 10_000)] * 3))
def test_no_more_time_passes_by_the_log_than_has_truly_passed(
    turns: list[tuple[int, int, int, bool]], zeros: tuple[int, ...]
) -> None:
    leaders, log = [Leader(zero) for zero in zeros], Log()
    true_ms = reign = 0
    leading = None
    for who, passed_ms, behind, anew in turns:
        true_ms += passed_ms
        if who != leading or anew:
            leading, reign = who, reign + 1
        leader = leaders[who]
        leader.executed = max(leader.executed, len(log.stamps) - behind)
        own_ms = leader.own_zero_ms + true_ms
        leader.clock = leader.clock.at(Ballot(reign, who), own_ms, log.reached_ms(leader.executed))
        log.stamps.append((leader.clock.stamp(own_ms), true_ms))

    reached = [(log.reached_ms(number), true_ms) for number, (_, true_ms) in enumerate(log.stamps, start=1)]
    assert all(later <= earlier + (now - then) for (earlier, then), (later, now) in pairwise(reached))


def test_within_a_reign_time_passes_as_it_does_for_the_leader() -> None:
    clock = LogClock().at(Ballot(1, 1), 5_000, 0)
    later = clock.at(Ballot(1, 1), 5_250, 0)

    assert (clock.stamp(5_000), later.stamp(5_250)) == (0, 250)
