"""Taking a backup of a running cluster: the state of each group after one slot, from any replica.

    backup = await take_backup([Address("127.0.0.1", 7001)], timeout_s=60)

What must always hold: a backup shows every operation that was acknowledged before it was begun. So the leader
is first asked for a slot, and only a replica that has executed that slot gives its state.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

import anyio
import msgspec

from ostrakon.paxos_impl.client.connection import Connection, Connections, NoAnswer
from ostrakon.paxos_impl.client.replica import statuses
from ostrakon.paxos_impl.client.session import NotDone, Session
from ostrakon.paxos_impl.core.multi import Image
from ostrakon.paxos_impl.storage.backup import Backup, GroupState
from ostrakon.paxos_impl.wire.decree import Waiting
from ostrakon.paxos_impl.wire.membership import Address
from ostrakon.paxos_impl.wire.replica import Answer, BackupPart, InGroup, Refused, TakeBackup, read_response
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport

ATTEMPT_S = 1.0
"""Default of the time after which a replica that does not answer is left, in seconds."""
_PAUSE = 0.1
"""Pause before the next replica is asked, in multiples of that time."""
_PATIENCE = 10
"""Each part of the state may take so many times as long, once the replica has answered at all."""


async def take_backup(
    addresses: Sequence[Address],
    *,
    timeout_s: float,
    attempt_s: float = ATTEMPT_S,
    transport: Transport = PLAIN,
) -> Backup:
    """The state of the cluster that these replicas belong to.

    The first address is asked for the state before the others, so a backup need not burden the leader. A
    replica that does not answer within `attempt_s` is left for the next one.

    Raises: NotDone; NoAnswer, if no replica answers.
    """
    asking = _Asking(anyio.current_time() + timeout_s, attempt_s, transport)
    told, known = await _find(addresses, asking)
    everyone = tuple(dict.fromkeys((*addresses, *known)))
    states: list[GroupState] = []
    for number in range(told.groups):
        group = None if told.groups == 1 else number
        session = Session(
            everyone,
            "backup",
            group=group,
            attempt_s=attempt_s,
            channels=Connections(read_response, transport),
        )
        try:
            left_s = asking.deadline - anyio.current_time()
            slot = (await session.read(None, how="lease", timeout_s=left_s)).slot
        finally:
            await session.drop()
        image = await _state(everyone, TakeBackup(1, slot), group, asking)
        states.append(GroupState(image.slot, image.snapshot.state))
    return Backup(told.cluster_id, tuple(states))


class _Asking(msgspec.Struct, frozen=True):
    """How replicas are asked."""

    deadline: float
    attempt_s: float
    transport: Transport


class _Cluster(msgspec.Struct, frozen=True):
    cluster_id: str
    groups: int


async def _find(addresses: Sequence[Address], asking: _Asking) -> tuple[_Cluster, tuple[Address, ...]]:
    """The cluster of the first replica that answers, and the addresses of its members. Raises: NoAnswer."""
    failure = NoAnswer("there is no replica to ask")
    for address in addresses:
        try:
            left_s = max(0.0, asking.deadline - anyio.current_time())
            attempt_s = min(left_s, asking.attempt_s)
            told = await statuses(address, timeout_s=attempt_s, transport=asking.transport)
        except NoAnswer as error:
            failure = error
        else:
            if isinstance(told, Waiting):
                failure = NoAnswer(f"{address} is {told}")
            else:
                return _Cluster(told[0].cluster_id, len(told)), tuple(told[0].members.values())
    raise failure


async def _state(
    addresses: Sequence[Address],
    asked: TakeBackup,
    group: int | None,
    asking: _Asking,
) -> Image:
    """The state of a group, from the first replica that has executed the slot. Raises: NotDone."""
    why = "no replica answered in time"
    with anyio.move_on_after(asking.deadline - anyio.current_time()):
        while True:
            for address in addresses:
                try:
                    return await _from_replica(address, asked, group, asking)
                except NoAnswer as error:
                    why = str(error)
                await anyio.sleep(_PAUSE * asking.attempt_s)
    raise NotDone(why)


async def _from_replica(address: Address, asked: TakeBackup, group: int | None, asking: _Asking) -> Image:
    """The state of a group, from one replica. Raises: NoAnswer; NotDone, if it has no encoding."""
    parts: list[bytes] = []
    size, patience_s = 0, asking.attempt_s
    connection: Connection[Answer] = Connection(address, read_response, asking.transport)
    try:
        try:
            with anyio.fail_after(asking.attempt_s):
                await connection.open()
        except TimeoutError:
            raise NoAnswer(f"{address}: no connection in time") from None
        async with aclosing(connection.answers(asked if group is None else InGroup(group, asked))) as answers:
            while True:
                answer: Answer | None = None
                with anyio.move_on_after(patience_s):
                    answer = await anext(answers, None)
                patience_s = _PATIENCE * asking.attempt_s
                match answer:
                    case BackupPart(None):
                        continue
                    case BackupPart(id, offset, data) if id is not None and offset == size:
                        parts.append(data)
                        size += len(data)
                        if size == id.size:
                            break
                    case Refused(why, is_final):
                        raise NotDone(why) if is_final else NoAnswer(f"{address}: {why}")
                    case _:
                        raise NoAnswer(f"{address}: its state did not arrive")
    finally:
        await connection.drop()
    try:
        image = Image.read(b"".join(parts))
    except msgspec.DecodeError as error:
        raise NoAnswer(f"{address}: its state is no snapshot: {error}") from None
    if image.id != id:
        raise NoAnswer(f"{address}: its state does not match its hash")
    return image
