"""Makes the recording of a trial on the model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from ostrakon.harness.history import Event, History, Op
from ostrakon.harness.recording import Finding, Recording
from ostrakon.harness.store import RunFolder


def recording(
    ops: Sequence[Op],
    events: Sequence[Event],
    folder: RunFolder | None,
    *,
    now_ns: int,
    effects: Sequence[dict[str, Any]] = (),
    findings: Sequence[Finding] = (),
    network: dict[str, Any] | None = None,
    crashes: Sequence[dict[str, Any]] = (),
    final_ns: int | None = None,
) -> Recording:
    """The recording. With a run folder, history and trace are also written there.

    They are written at the end and not during the trial, because a trial takes only milliseconds.
    """
    lines = msgspec.json.Encoder().encode_lines([*ops, *events])
    if folder is not None:
        history, trace = folder.journals()
        for op in ops:
            history.write(op)
        for event in events:
            trace.write(event)
        history.close()
        trace.close()
    return Recording(
        History(ops),
        tuple(events),
        tuple(effects),
        tuple(findings),
        network or {},
        tuple(crashes),
        now_ns / 1e9,
        hashlib.blake2b(lines, digest_size=16).hexdigest(),
        final_ns=final_ns,
    )
