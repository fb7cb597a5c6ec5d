"""A Paxos that people can run. It knows nothing of the harness that tests it.

`core` decides and never waits: begin with `core.rules`, which reads like the paper. `server` runs it on Trio,
`storage` is its disk, `client` asks it, and `cli` is the `paxos` command.

What users import is here, and is loaded when it is first used:

    from ostrakon.paxos_impl import Address, AsyncClient, BlockingClient, NotDone, Unsure
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ostrakon.paxos_impl.client.asynchronous import AsyncClient as AsyncClient
    from ostrakon.paxos_impl.client.asynchronous import LockLost as LockLost
    from ostrakon.paxos_impl.client.blocking import BlockingClient as BlockingClient
    from ostrakon.paxos_impl.client.lease import LeaseLost as LeaseLost
    from ostrakon.paxos_impl.client.replica import ReplicaClient as ReplicaClient
    from ostrakon.paxos_impl.client.session import NotDone as NotDone
    from ostrakon.paxos_impl.client.session import Unsure as Unsure
    from ostrakon.paxos_impl.client.watching import TooOld as TooOld
    from ostrakon.paxos_impl.kv.machine import BadOperation as BadOperation
    from ostrakon.paxos_impl.kv.machine import BadState as BadState
    from ostrakon.paxos_impl.kv.machine import NotExecuted as NotExecuted
    from ostrakon.paxos_impl.kv.machine import PartwiseMachine as PartwiseMachine
    from ostrakon.paxos_impl.kv.machine import StateMachine as StateMachine
    from ostrakon.paxos_impl.kv.machine import TimedMachine as TimedMachine
    from ostrakon.paxos_impl.kv.queue import Queue as Queue
    from ostrakon.paxos_impl.wire.membership import Address as Address
    from ostrakon.paxos_impl.wire.replica import Done as Done

_HOMES = {
    "Address": "wire.membership",
    "AsyncClient": "client.asynchronous",
    "BadOperation": "kv.machine",
    "BadState": "kv.machine",
    "BlockingClient": "client.blocking",
    "Done": "wire.replica",
    "LeaseLost": "client.lease",
    "LockLost": "client.asynchronous",
    "NotDone": "client.session",
    "NotExecuted": "kv.machine",
    "PartwiseMachine": "kv.machine",
    "Queue": "kv.queue",
    "ReplicaClient": "client.replica",
    "StateMachine": "kv.machine",
    "TimedMachine": "kv.machine",
    "TooOld": "client.watching",
    "Unsure": "client.session",
}

__all__ = [
    "Address",
    "AsyncClient",
    "BadOperation",
    "BadState",
    "BlockingClient",
    "Done",
    "LeaseLost",
    "LockLost",
    "NotDone",
    "NotExecuted",
    "PartwiseMachine",
    "Queue",
    "ReplicaClient",
    "StateMachine",
    "TimedMachine",
    "TooOld",
    "Unsure",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
