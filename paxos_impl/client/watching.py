"""Watching keys: what changes, slot by slot, from one replica after another.

async with aclosing(watch(addresses, "user/", after=17)) as batches:
    async for batch in batches:
        for change in batch.changes:
            print(change.slot, change.key, change.value)
        remember(batch.upto)  # Go on from here after a restart.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import anyio

from ostrakon.paxos_impl.client.connection import Connection, NoAnswer
from ostrakon.paxos_impl.client.session import NotDone
from ostrakon.paxos_impl.kv.operation import prefix_range
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import (
    PROGRESS_S,
    Answer,
    Dropped,
    Groups,
    InGroup,
    Refused,
    Watch,
    Watched,
    read_response,
)
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport

_PAUSE = 1 / 30
"""Pause before the next replica is asked, in multiples of the time after which a silent one is left."""
_SILENCE_S = 3 * PROGRESS_S
"""A replica that has told nothing for so long is left, because it tells its progress more often."""


class TooOld(Exception):
    """Changes after the slot asked for are not kept any more: read the keys again, and watch from there.

    Attributes: `oldest`, a slot after which that replica keeps all changes.
    """

    def __init__(self, oldest: int) -> None:
        super().__init__(f"the changes up to slot {oldest} are not kept any more")
        self.oldest = oldest


async def watch(
    addresses: Sequence[Address],
    prefix: str = "",
    *,
    after: int | None = None,
    group: int | None = None,
    attempt_s: float = _SILENCE_S,
    transport: Transport = PLAIN,
) -> AsyncGenerator[Watched, None]:
    """The changes of all keys that begin with `prefix`, after slot `after`, or from now on if it is None.

    Each batch has all changes up to its slot `upto` that were not in an earlier batch, and may be empty. When
    a replica fails, the next one is asked for what follows, so that no change is missing or told twice. A
    watch shows what its replica has executed, which may be less than what the leader has. A replica that
    tells nothing for `attempt_s` is left.

    In a cluster with several groups, `group` says whose keys are watched: each group has slots of its own.

    Raises: TooOld; NotDone, if the cluster has several groups and `group` is None, or no such group.
    """
    wanted, at = prefix_range(prefix), 0
    while True:
        request = Watch(1, wanted.start, wanted.end, after)
        connection: Connection[Answer] = Connection(addresses[at % len(addresses)], read_response, transport)
        try:
            with anyio.move_on_after(attempt_s) as opening:
                await connection.open()
            if opening.cancelled_caught:
                raise NoAnswer(f"{connection.address}: no connection within {attempt_s:g} s")
            answers = connection.answers(request if group is None else InGroup(group, request))
            async with aclosing(answers):
                while True:
                    answer: Answer | None = None
                    with anyio.move_on_after(attempt_s):
                        answer = await anext(answers, None)
                    match answer:
                        case Watched(upto):
                            after = upto
                            yield answer
                        case Dropped(oldest):
                            raise TooOld(oldest)
                        case Groups(count):
                            raise NotDone(f"the cluster has {count} groups: say which one to watch")
                        case Refused(why, is_final=True):
                            raise NotDone(why)
                        case _:
                            break
        except NoAnswer:
            pass
        finally:
            await connection.drop()
        at += 1
        await anyio.sleep(_PAUSE * attempt_s)
