"""Joining: how a replica becomes a member of an existing cluster.

What must always hold: it never runs under an id that another replica had, or that it had itself before it
lost its log.
"""

from __future__ import annotations

import msgspec
import trio

from ostrakon.paxos_impl.client.connection import NoAnswer
from ostrakon.paxos_impl.client.replica import NotDone, ReplicaClient, Unsure, statuses
from ostrakon.paxos_impl.core.multi import Configuration
from ostrakon.paxos_impl.registry.enrollment import NotEnrolled
from ostrakon.paxos_impl.server.log_record import LogRecord, LogSink
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.paxos_impl.storage.record import DamagedLog
from ostrakon.paxos_impl.storage.write_ahead_log import WriteAheadLog, WrongStorage
from ostrakon.paxos_impl.wire.membership import Address, Membership
from ostrakon.paxos_impl.wire.replica import Status
from ostrakon.paxos_impl.wire.transport import Transport

_FILE = "joined"
_ANSWER_TIMEOUT_S = 5.0
_PAUSE_S = 0.5


class Joined(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The id under which a replica has joined; kept on its disk."""

    address: Address
    cluster_id: str
    server_id: int
    has_served: bool = False
    """Whether it has served: from then on it may have made promises, which are in its log."""


async def join(
    known: Address,
    address: Address,
    *,
    disk: Disk,
    promises: str,
    transport: Transport,
    log: LogSink,
    groups: int = 1,
) -> tuple[int, Membership]:
    """Have the cluster of the member `known` add a learner that is found at `address`.

    The cluster must have so many `groups`. Returns the learner's id, and a membership that has only itself. A
    replica that has joined before keeps its id and asks no member; if it has served, it must still have its
    log, the file `promises`.

    Raises: NotEnrolled; WrongStorage, when the disk is another one's; DamagedLog; StorageFailed.
    """
    file = WriteAheadLog(disk, _FILE)
    mine = await _load(file)
    if mine is None:
        mine = await _add_learner(known, address, groups, transport, log)
        await file.replace([_encode(mine)])
    elif mine.address != address:
        raise WrongStorage(f"this data belongs to the replica at {mine.address}, not {address}")
    elif mine.has_served and await WriteAheadLog(disk, promises).load() is None:
        raise WrongStorage(
            f"{promises} is missing, and with it the promises of this replica: remove server "
            f"{mine.server_id} from the cluster, and join with a new directory"
        )
    return mine.server_id, Membership({mine.server_id: address}, mine.cluster_id)


async def record_service(disk: Disk) -> None:
    """Record that a replica that has joined serves from now on. Raises: StorageFailed."""
    file = WriteAheadLog(disk, _FILE)
    mine = await _load(file)
    assert mine is not None, "a replica that has not joined does not serve"
    if not mine.has_served:
        await file.replace([_encode(msgspec.structs.replace(mine, has_served=True))])


async def _add_learner(
    known: Address, address: Address, groups: int, transport: Transport, log: LogSink
) -> Joined:
    """Have this replica added as a learner, under a new id."""
    told, now, found = await _find(known, transport, log)
    if found != groups:
        raise NotEnrolled(f"the number of groups in the cluster of {known} is {found}, not {groups}")
    for member in now.members:
        if member.address == str(address):
            raise NotEnrolled(
                f"{address} is the address of server {member.id} of that cluster: remove that server "
                "first, or use another address"
            )
    addresses = [known, *told.members.values()]
    async with ReplicaClient(addresses, "joining", transport=transport) as client:
        try:
            await client.change(now.with_learner(str(address)), timeout_s=_ANSWER_TIMEOUT_S)
        except (NotDone, Unsure) as why:
            raise NotEnrolled(f"the cluster of {known} has not added {address}: {why}") from why
    joined = Joined(address, told.cluster_id, now.next_id)
    line = f"joined cluster {joined.cluster_id} as server {joined.server_id}, a learner"
    log(LogRecord(line, event="joined", server=joined.server_id, cluster=joined.cluster_id))
    return joined


async def _find(known: Address, transport: Transport, log: LogSink) -> tuple[Status, Configuration, int]:
    """The status of a member of a complete cluster, its configuration, and its number of groups."""
    said = ""
    while True:
        try:
            told = await statuses(known, timeout_s=_ANSWER_TIMEOUT_S, transport=transport)
        except NoAnswer as error:
            raise NotEnrolled(f"no member of a cluster answers at {known}: {error}") from error
        if isinstance(told, list) and (now := told[0].configuration) is not None and now.members:
            return told[0], now, len(told)
        if said != (said := f"{known} is no member yet: its cluster is not complete, or it is joining"):
            log(said)
        await trio.sleep(_PAUSE_S)


async def _load(file: WriteAheadLog) -> Joined | None:
    if (payloads := await file.load()) is None:
        return None
    try:
        return msgspec.msgpack.decode(payloads[0], type=Joined)
    except (msgspec.DecodeError, IndexError) as error:
        raise DamagedLog(_FILE, 0, f"it has no id of this replica: {error}") from None


_encode = msgspec.msgpack.Encoder().encode
