"""Scenarios: plans, written by hand, in which one fault comes at exactly the moment that matters.

A scenario shows in one trial what random faults need thousands of trials for. Each is a plan in a file of
this folder (`ostrakon replay D1-promise-then-crash`). Correct nodes survive it; nodes with one of its bugs do
not.
"""

from __future__ import annotations

from ostrakon.harness.scenario import Scenario

_ABOUT = (
    (
        "D1-promise-then-crash",
        "an acceptor crashes after its promise, and a second proposer comes with a lower ballot",
        ("promise-not-persisted", "prepare-ignores-promise"),
    ),
    (
        "D2-one-vote-then-crash",
        "a proposal has one vote when its proposer dies, and is heard of late, after a higher promise",
        ("accept-ignores-promise", "learn-on-first-accepted"),
    ),
    (
        "D3-two-minorities",
        "two values have one vote each, at different ballots, and a third proposer hears of both",
        ("adopt-lowest-ballot", "adopt-last-reported", "ignore-reported-value", "promise-omits-accepted"),
    ),
    (
        "D3-one-vote-and-two",
        "of three nodes one votes for a value and two for another, and one of these then hears of both",
        (
            "adopt-last-reported",
            "adopt-lowest-ballot",
            "accepted-not-persisted",
            "ignore-reported-value",
            "promise-omits-accepted",
        ),
    ),
    (
        "D4-stopped-leader",
        "a leader sleeps for longer than its lease, and goes on when others have another leader",
        ("lease-survives-suspension",),
    ),
    (
        "D4-drifting-clocks",
        "a leader whose clock is slow is cut off from those who granted its lease, whose clocks are fast",
        ("lease-without-margin", "lease-for-ever"),
    ),
    (
        "D4-late-grants",
        "a leader hears only when it has been replaced that its followers had granted it a lease",
        ("lease-from-receipt",),
    ),
    (
        "D4-clock-set-back",
        "the wall clock of a leader that is cut off is set back",
        ("lease-on-wall-clock",),
    ),
    (
        "D4-restarted-grantors",
        "followers are restarted just after they have granted a lease to a leader that is then cut off",
        ("grant-forgotten-at-restart", "grant-ignored"),
    ),
    (
        "D5-snapshot",
        "a replica lags behind what the log still holds, is given a snapshot, and then is needed to go on",
        ("compacts-above-snapshot", "installs-over-newer", "hands-over-nothing", "snapshot-without-sessions"),
    ),
    (
        "D6-two-leaders-change-members",
        "a leader and a learner are cut off from the others, who elect one too; on both sides members change",
        ("counts-everyone",),
    ),
    (
        "D7-everyone-loses-power",
        "all replicas lose power at once under load, twice",
        ("vote-not-persisted", "reply-before-fsync"),
    ),
    (
        "D8-quorum-loss",
        "everybody hears one replica and nobody else, and the leader is another one",
        ("leads-unanswered",),
    ),
    (
        "D8-constrained-election",
        "the only replica that can be elected lags behind what the log still holds",
        ("hands-over-nothing",),
    ),
    (
        "D9-late-replies",
        "a proposer hears replies twice, from fewer than a quorum, and is restarted before it asks again",
        ("count-replies", "ballot-reuse-after-restart"),
    ),
    (
        "D9-overtaken-replies",
        "a promise of an earlier ballot arrives when a later one is asked for, and a value was chosen since",
        ("stale-promises-counted",),
    ),
    (
        "D9-late-votes",
        "a leader is deposed and elected again, and then votes for its earlier proposals arrive",
        ("stale-votes-counted",),
    ),
    (
        "D10-answer-lost",
        "leaders stand still with commands of theirs decided, and clients send them again to others",
        ("executes-retries-again",),
    ),
)

SCENARIOS: dict[str, Scenario] = {name: Scenario(name, about, bugs, __name__) for name, about, bugs in _ABOUT}
"""All scenarios, by name."""
