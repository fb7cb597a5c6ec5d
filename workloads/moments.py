"""The moments of a Paxos at which faults can strike: events that nodes report, and events close together."""

from __future__ import annotations

from collections.abc import Mapping

from ostrakon.harness.faults import Moment, reported, reported_by_another, reported_soon_after

_OF_ANY = ("restart", "prepare_sent", "promise_sent", "propose_sent", "accept_sent", "learned", "persisted")
_OF_REPLICAS = (
    *("nack_sent", "leading", "lease_held", "lease_read", "applied", "commit_sent", "config_active"),
    *("snapshot_taken", "snapshot_installed", "compacted", "offer_sent", "fetch_sent", "chunk_sent"),
    *("ask_sent", "tell_sent"),
)

OF_INSTANCES: Mapping[str, Moment] = {
    **{kind: reported(kind) for kind in _OF_ANY},
    "another-proposer": reported_by_another("prepare_sent"),
    "vote-soon-after-promise": reported_soon_after("accept_sent", "promise_sent", 50.0),
}
"""The moments of Basic Paxos by name."""

OF_REPLICAS: Mapping[str, Moment] = {
    **{kind: reported(kind) for kind in (*_OF_ANY, *_OF_REPLICAS)},
    "another-leader": reported_by_another("leading"),
    "another-lease": reported_by_another("lease_held"),
    "vote-soon-after-promise": reported_soon_after("accept_sent", "promise_sent", 50.0),
    "vote-soon-after-restart": reported_soon_after("accept_sent", "restart", 200.0),
    "promise-soon-after-vote": reported_soon_after("promise_sent", "accept_sent", 50.0),
    "lead-soon-after-restart": reported_soon_after("leading", "restart", 400.0),
    "vote-soon-after-install": reported_soon_after("accept_sent", "snapshot_installed", 100.0),
    "snapshot-soon-after-install": reported_soon_after("snapshot_taken", "snapshot_installed", 200.0),
}
"""The moments of a replicated log by name."""
