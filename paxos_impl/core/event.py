"""Events: what can happen to an instance. One call of `Instance.step` handles one event."""

from __future__ import annotations

from typing import Literal

import msgspec

from ostrakon.paxos_impl.core.ballot import Value
from ostrakon.paxos_impl.core.message import Message

Timer = Literal["retransmit", "back_off", "pull"]
"""`retransmit` sends again what may have been lost, `back_off` ends the wait of a proposer that was refused,
and `pull` asks another member what was chosen."""


class Started(msgspec.Struct, frozen=True, gc=False):
    """The process has started, for the first time or again. This is always the first event."""


class Received(msgspec.Struct, frozen=True, gc=False):
    """A message arrived. Losing, repeating or reordering messages is allowed; altering them is not."""

    message: Message
    sender: int
    id: str
    """The id of the `Send` that sent it."""


class ProposeRequested(msgspec.Struct, frozen=True, gc=False):
    """A client wants this value chosen, and is answered with the value that is."""

    request: int
    """Identifies the request in the reply; unique within an incarnation."""
    value: Value


class GetRequested(msgspec.Struct, frozen=True, gc=False):
    """A client asks for the chosen value."""

    request: int


class TimerFired(msgspec.Struct, frozen=True, gc=False):
    """A timer fired that was set before."""

    timer: Timer


Event = Started | Received | ProposeRequested | GetRequested | TimerFired
