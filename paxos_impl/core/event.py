"""What can happen to an instance; every event is handled by one call of `Instance.step`."""

from __future__ import annotations

from typing import Literal

import msgspec

from ostrakon.paxos_impl.core.ballot import Value
from ostrakon.paxos_impl.core.message import Message

Timer = Literal["retransmit", "back_off", "pull"]
"""`retransmit` re-drives what may have been lost, `back_off` ends a proposer's wait after it was
refused, and `pull` asks another member what was chosen."""


class Started(msgspec.Struct, frozen=True, gc=False):
    """The process has begun to run, for the first time or again. Always the first event."""


class Received(msgspec.Struct, frozen=True, gc=False):
    """A message arrived. Losing, repeating or reordering messages is allowed; altering them is not."""

    message: Message
    sender: int
    id: str
    """The id under which it was sent."""


class ProposeRequested(msgspec.Struct, frozen=True, gc=False):
    """A client wants this value chosen, and to hear which value is."""

    request: int
    """Names the request in the reply; unique within an incarnation."""
    value: Value


class GetRequested(msgspec.Struct, frozen=True, gc=False):
    """A client asks for the chosen value."""

    request: int


class TimerFired(msgspec.Struct, frozen=True, gc=False):
    """A timer that was set ran out."""

    timer: Timer


Event = Started | Received | ProposeRequested | GetRequested | TimerFired
