"""Parts of Trio that cost more than they do, and shorter ones that stand in for them while a world runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trio
import trio._core as _core
import trio._core._run as _run
import trio._highlevel_generic as _highlevel_generic
import trio._highlevel_open_tcp_stream as _highlevel_open_tcp_stream
import trio._timeouts as _timeouts

from ostrakon.harness.sim.runtimes.trio import scopes, streams, waiting

_RUN: Any = _run
_CORE: Any = _core

_Shortcut = tuple[Any, str, Any]
QUICKER: tuple[_Shortcut, ...] = (
    (trio.SocketStream, "__init__", streams.make_stream),
    (trio.SocketStream, "send_all", streams.send_all),
    (trio.SocketStream, "receive_some", streams.receive_some),
    (trio.CancelScope, "__enter__", scopes.enter),
    (trio.CancelScope, "_close", scopes.close),
    (trio.CancelScope, "_might_change_registered_deadline", lambda scope: scopes.Registration(scope)),
    (_RUN.CancelStatus, "__attrs_post_init__", scopes.begin),
    (_RUN.NurseryManager, "__aexit__", scopes.exit_nursery),
    (trio.Nursery, "_child_finished", scopes.child_finished),
    (trio.lowlevel.Task, "_attempt_delivery_of_any_pending_cancel", waiting.deliver_cancellation),
    (trio.Event, "wait", waiting.wait_for_event),
    *((owner, "sleep_until", scopes.sleep_until) for owner in (trio, _timeouts)),
    *((owner, "wait_task_rescheduled", waiting.wait_task_rescheduled) for owner in (_CORE, trio.lowlevel)),
)
"""What happens is the same to the last pass of the loop."""
FEWER_PASSES: tuple[_Shortcut, ...] = (
    *((owner, "open_tcp_stream", streams.open_tcp_stream) for owner in (trio, _highlevel_open_tcp_stream)),
    *((owner, "aclose_forcefully", streams.aclose_forcefully) for owner in (trio, _highlevel_generic)),
    *(
        (owner, name, getattr(waiting, name))
        for owner in (_CORE, _RUN, trio.lowlevel)
        for name in ("checkpoint", "checkpoint_if_cancelled", "cancel_shielded_checkpoint")
    ),
)
"""What happens means the same; passes in which nothing could happen are left out."""
SHORTCUTS = (*QUICKER, *FEWER_PASSES)

for _owner, _name, _shortcut in SHORTCUTS:
    # Tasks are called after the functions that they run, so these keep their names.
    _usual = vars(_owner)[_name]
    _shortcut.__name__, _shortcut.__qualname__ = _usual.__name__, _usual.__qualname__
    _shortcut.__module__ = _usual.__module__


@contextmanager
def shortcuts() -> Iterator[None]:
    """Run the body with the shorter ones in place."""
    usual = [(owner, name, vars(owner)[name]) for owner, name, _ in SHORTCUTS]
    for owner, name, shortcut in SHORTCUTS:
        setattr(owner, name, shortcut)
    try:
        yield
    finally:
        for owner, name, original in usual:
            setattr(owner, name, original)
