"""The options of `paxos kv serve` and `join` that set times and limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ostrakon.paxos_impl.core.multi import LeaseConfig
    from ostrakon.paxos_impl.kv.machine import StateMachine
    from ostrakon.paxos_impl.server.limits import Limits
    from ostrakon.paxos_impl.server.timing import ReplicaTiming

HEARTBEATS = 10
"""Number of heartbeats within the election time."""
DRIFT = 0.05
"""How much a clock's rate may differ from real time, as a share."""


@dataclass(frozen=True, slots=True)
class Tuning:
    """The times and limits of a replica, and its state machine."""

    election_ms: int
    lease_ms: int
    value_bytes: int
    connections: int
    connections_per_host: int
    clients: int
    idle_s: float
    machine: str

    @property
    def timing(self) -> ReplicaTiming:
        """The times of the protocol."""
        from ostrakon.paxos_impl.server.timing import ReplicaTiming

        election_s = self.election_ms / 1000
        return ReplicaTiming(
            beat_s=election_s / HEARTBEATS,
            election_s=election_s,
            soon_s=election_s / HEARTBEATS,
            soon_max_s=max(1.0, election_s),
        )

    @property
    def lease(self) -> LeaseConfig | None:
        """The lease that a leader asks for; None for none."""
        from ostrakon.paxos_impl.core.multi import LeaseConfig

        return LeaseConfig(length_s=self.lease_ms / 1000, drift=DRIFT) if self.lease_ms else None

    @property
    def limits(self) -> Limits:
        """The limits of its connections."""
        from ostrakon.paxos_impl.server.limits import Limits

        return Limits(
            connections=self.connections,
            connections_per_host=self.connections_per_host,
            clients=self.clients,
            idle_s=self.idle_s or None,
        )

    def new_machine(self) -> StateMachine:
        """A new state machine. Raises: click.BadParameter."""
        from importlib import import_module

        module, _, name = self.machine.partition(":")
        try:
            make = getattr(import_module(module), name)
            made: StateMachine = make()
        except Exception as error:
            why = f"{self.machine} can't be made: {type(error).__name__}: {error}"
            raise click.BadParameter(why, param_hint="--machine") from None
        missing = [each for each in _METHODS if not hasattr(made, each)]
        if missing:
            why = f"{self.machine} is no state machine: it has no {', '.join(missing)}"
            raise click.BadParameter(why, param_hint="--machine")
        return made


_METHODS = ("parse", "is_query", "stamped", "reached_ms", "execute", "carry_out", "state", "restore")


def with_tuning(command: Callable[..., None]) -> Callable[..., None]:
    """Add these options to a command, which gets them as its argument `tuning`."""

    @wraps(command)
    def tuned(**given: Any) -> None:
        names = Tuning.__dataclass_fields__
        tuning = Tuning(**{name: given.pop(name) for name in names})
        if tuning.lease_ms > tuning.election_ms:
            raise click.BadParameter(
                f"a lease of {tuning.lease_ms} ms is longer than the election time, {tuning.election_ms} ms: "
                "followers that miss the leader would have to wait for the lease",
                param_hint="--lease-ms",
            )
        command(tuning=tuning, **given)

    made: Callable[..., None] = tuned
    for option in reversed(_OPTIONS):
        made = option(made)
    return made


_OPTIONS = (
    click.option(
        "--election-ms",
        type=click.IntRange(50, 60_000),
        default=1000,
        show_default=True,
        help="A replica tries to lead when it has heard no leader for this time, up to twice as long.",
    ),
    click.option(
        "--lease-ms",
        type=click.IntRange(0, 60_000),
        default=900,
        show_default=True,
        help="How long followers elect no other leader, at most the election time; 0 for no leases. "
        "The same for all replicas: a restarted one waits so long. Clocks may drift by 5 %.",
    ),
    click.option(
        "--value-bytes",
        type=click.IntRange(1, 4 << 20),
        default=1 << 20,
        show_default=True,
        help="Maximum length of a value.",
    ),
    click.option(
        "--connections",
        type=click.IntRange(1),
        default=2000,
        show_default=True,
        help="Maximum number of incoming connections.",
    ),
    click.option(
        "--connections-per-host",
        type=click.IntRange(1),
        default=1000,
        show_default=True,
        help="The same for each other host.",
    ),
    click.option(
        "--clients",
        type=click.IntRange(1),
        default=1000,
        show_default=True,
        help="Maximum number of clients.",
    ),
    click.option(
        "--idle-timeout",
        "idle_s",
        metavar="S",
        type=click.FloatRange(0),
        default=0.0,
        help="Disconnect clients that are idle for so many seconds; 0, the default, for never.",
    ),
    click.option(
        "--machine",
        metavar="MODULE:NAME",
        default="ostrakon.paxos_impl.kv.store:Store",
        help="Replicate another state machine than the store; the same for all replicas, for ever.",
    ),
)
