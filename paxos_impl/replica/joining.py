"""Joining: how a replica becomes a member of a cluster that others have founded.

What must always hold: it never runs under an id that another one had, or that it had itself before it lost
its log.
"""

from __future__ import annotations

import msgspec
import trio

from ostrakon.paxos_impl.connection import NoAnswer
from ostrakon.paxos_impl.core.multi import Configuration
from ostrakon.paxos_impl.disk import Disk
from ostrakon.paxos_impl.enroll import NotEnrolled
from ostrakon.paxos_impl.membership import Address, Membership
from ostrakon.paxos_impl.record import DamagedLog
from ostrakon.paxos_impl.remark import Remark, Remarks
from ostrakon.paxos_impl.replica.client import NotDone, ReplicaClient, Unsure, statuses
from ostrakon.paxos_impl.replica.wire import Status
from ostrakon.paxos_impl.storage import Log, WrongStorage
from ostrakon.paxos_impl.transport import Transport

_FILE = "joined"
_ANSWER_TIMEOUT_S = 5.0
_PAUSE_S = 0.5


class Joined(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """As whom a replica has joined, kept on its disk."""

    address: Address
    cluster_id: str
    server_id: int
    has_served: bool = False
    """Whether it has taken part: from then on it may have made promises, and they are in its log."""


async def join(
    known: Address,
    address: Address,
    *,
    disk: Disk,
    promises: str,
    transport: Transport,
    log: Remarks,
    groups: int = 1,
) -> tuple[int, Membership]:
    """Have the cluster that `known` is a member of take in a learner found at `address`.

    It must have so many `groups`. Returns the learner's id, and what that then knows of the cluster: itself.
    Who has joined before is who it was, and asks nobody; it must still have its log, the file `promises`, if
    it has served.

    Raises: NotEnrolled; WrongStorage, when the disk is another one's; DamagedLog; StorageFailed.
    """
    file = Log(disk, _FILE)
    mine = await _load(file)
    if mine is None:
        mine = await _enlist(known, address, groups, transport, log)
        await file.replace([_encode(mine)])
    elif mine.address != address:
        raise WrongStorage(f"this data belongs to the replica at {mine.address}, not {address}")
    elif mine.has_served and await Log(disk, promises).load() is None:
        raise WrongStorage(
            f"{promises} is missing, and with it what this replica has promised: have server "
            f"{mine.server_id} removed from the cluster, and join with a directory of its own"
        )
    return mine.server_id, Membership({mine.server_id: address}, mine.cluster_id)


async def note_service(disk: Disk) -> None:
    """PersistLazily that a replica that has joined takes part from now on. Raises: StorageFailed."""
    file = Log(disk, _FILE)
    mine = await _load(file)
    assert mine is not None, "a replica that has not joined does not serve"
    if not mine.has_served:
        await file.replace([_encode(msgspec.structs.replace(mine, has_served=True))])


async def _enlist(
    known: Address, address: Address, groups: int, transport: Transport, log: Remarks
) -> Joined:
    """Be added as a learner, under an id that nobody ever had."""
    told, now, found = await _find(known, transport, log)
    if found != groups:
        raise NotEnrolled(f"the number of groups in the cluster of {known} is {found}, not {groups}")
    for member in now.members:
        if member.address == str(address):
            raise NotEnrolled(
                f"{address} is the address of server {member.id} of that cluster: have that one removed "
                "first, or listen elsewhere"
            )
    addresses = [known, *told.members.values()]
    async with ReplicaClient(addresses, "joining", transport=transport) as client:
        try:
            await client.change(now.with_learner(str(address)), timeout_s=_ANSWER_TIMEOUT_S)
        except (NotDone, Unsure) as why:
            raise NotEnrolled(f"the cluster of {known} has not taken in {address}: {why}") from why
    joined = Joined(address, told.cluster_id, now.next_id)
    line = f"joined cluster {joined.cluster_id} as server {joined.server_id}, a learner"
    log(Remark(line, event="joined", server=joined.server_id, cluster=joined.cluster_id))
    return joined


async def _find(known: Address, transport: Transport, log: Remarks) -> tuple[Status, Configuration, int]:
    """What a member says of its cluster, once it is complete, and how many groups that has."""
    said = ""
    while True:
        try:
            told = await statuses(known, timeout_s=_ANSWER_TIMEOUT_S, transport=transport)
        except NoAnswer as error:
            raise NotEnrolled(f"no member of a cluster answers at {known}: {error}") from error
        if isinstance(told, list) and (now := told[0].configuration) is not None and now.members:
            return told[0], now, len(told)
        if said != (said := f"{known} is no member yet: it is waiting, or joining"):
            log(said)
        await trio.sleep(_PAUSE_S)


async def _load(file: Log) -> Joined | None:
    if (payloads := await file.load()) is None:
        return None
    try:
        return msgspec.msgpack.decode(payloads[0], type=Joined)
    except (msgspec.DecodeError, IndexError) as error:
        raise DamagedLog(_FILE, 0, f"it does not say as whom this replica has joined: {error}") from None


_encode = msgspec.msgpack.Encoder().encode
