"""Records the messages of a trial, so that its page can draw them.

A trial does not record its messages: that would take time in every trial, and few are looked at. A
simulation is the same each time, so it is run once more for its page, and this time its messages are kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from functools import partial
from pathlib import Path

from ostrakon.harness.catalogue import UnknownName, find_report
from ostrakon.harness.history.message import Message, described, write_messages
from ostrakon.harness.plan import BadPlan
from ostrakon.harness.resolution import resolve
from ostrakon.harness.store import RunFolder
from ostrakon.harness.substrates.framing import content
from ostrakon.harness.workload import Workload

MESSAGES_MAX = 50_000
"""Messages that are kept at most: of more, those nearest to the end, where failures are noticed."""
_WALL_S_MAX = 20.0
"""A trial that took longer than this is not run once more for its page."""
CLIENTS = "clients"
"""The sender's name for all clients, which share a machine."""


def make_page(folder: Path, workload: Workload | None = None) -> Path:
    """Write the page of a run, with its messages if it failed and nodes do not report theirs.

    The workload is found by the plan's name for it unless it is given. Raises: OSError.
    """
    keep_messages(RunFolder(folder), workload)
    page: Path = find_report("run")(folder)
    return page


def keep_messages(folder: RunFolder, workload: Workload | None = None) -> None:
    """Write `messages.jsonl` into the folder of a run that needs one; nothing where it cannot be made.

    A run needs one if it is a simulation, is not valid, and no event of its trace names the message that
    carried it: else the trace tells more than the bytes do.
    """
    path = folder.path / "messages.jsonl"
    try:
        plan, results = folder.plan, folder.results
        if plan.substrate != "sim" or results.get("valid") is True or path.exists():
            return
        if float(results.get("wall_s", 0.0)) > _WALL_S_MAX or any(event.message for event in folder.trace):
            return
        resolved = resolve(plan, workload)
    except (BadPlan, UnknownName, OSError, ValueError):
        return  # The page says what of the folder is damaged; a workload may be on another machine.
    from ostrakon.harness.simulation import simulate

    kept: deque[Message] = deque(maxlen=MESSAGES_MAX)
    in_words = partial(message_in_words, resolved.workload, frozenset(plan.names))
    simulate(
        resolved,
        every_message=lambda sent: kept.append(
            in_words((sent.sender, sent.receiver), sent.payload, (sent.sent_ns, sent.received_ns))
        ),
    )
    write_messages(path, kept)


def message_in_words(
    workload: Workload,
    nodes: Collection[str],
    link: tuple[str, str],
    payload: bytes,
    times_ns: tuple[int, int | None],
) -> Message:
    """A message as diagrams show it, described by its workload. All clients go by one name.

    `link` is its sender and receiver, `times_ns` when it was sent and when it was received.
    """
    sender, receiver = link
    is_framed = sender in nodes and receiver in nodes
    frame = content(workload.framing, payload) if is_framed else payload
    kind = workload.vocabulary.kind_of(payload) if is_framed and workload.vocabulary is not None else ""
    return Message(
        sender if sender in nodes else CLIENTS,
        receiver if receiver in nodes else CLIENTS,
        *times_ns,
        len(payload),
        kind if kind and workload.describe is None else described(frame, workload.describe),
    )
