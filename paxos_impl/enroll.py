"""Enrolling: how an instance that knows nothing but the registry's address becomes a member.

What must always hold: the token is durable before it is first used, so that whatever crashes, the instance
gets its own id back; and once an instance has seen a membership it never runs under another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import trio

from ostrakon.paxos_impl.book import Denied, Granted, normal
from ostrakon.paxos_impl.disk import Disk
from ostrakon.paxos_impl.frame import BadFrame
from ostrakon.paxos_impl.membership import Address, Membership
from ostrakon.paxos_impl.record import DamagedLog
from ostrakon.paxos_impl.registry import (
    GetMembership,
    Register,
    RegistryAnswer,
    RegistryRequest,
    View,
    ask_registry,
)
from ostrakon.paxos_impl.remark import Remark, Remarks, silence
from ostrakon.paxos_impl.storage import Log, WrongStorage
from ostrakon.paxos_impl.transport import PLAIN, Transport

_FILE = "enrolment"
_RETRY_S_FIRST, _RETRY_S_MAX = 0.1, 2.0
_ANSWER_TIMEOUT_S = 2.0


class NotEnrolled(Exception):
    """The registry will not have this instance."""


class Enrolment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an instance knows of itself, kept on its disk."""

    address: Address
    cluster_size: int
    token: str
    server_id: int | None = None
    """Absent until it has registered, as is the membership until that is complete."""
    membership: Membership | None = None
    has_served: bool = False
    """Whether it has taken part: from then on it may have made promises, and they are in its log."""


async def enroll(
    registry: Address,
    address: Address,
    cluster_size: int,
    *,
    disk: Disk,
    new_token: Callable[[], str],
    promises: str = "log",
    transport: Transport = PLAIN,
    log: Remarks = silence,
    note: Callable[[int], None] = lambda registered: None,
) -> tuple[int, Membership]:
    """Register as `address`, wait until the cluster is complete, and return the own id and the membership.

    An instance that has been through this before does not depend on the registry, but asks it all the same
    whether this is still the same cluster. It must still have its log, the file `promises`, if it has
    served. `new_token` is called once in the life of a disk, `note` with how many are known to have
    registered, unless it was complete before.

    Raises: NotEnrolled; WrongStorage, when the disk belongs to another instance; DamagedLog; StorageFailed.
    """
    file, office = Log(disk, _FILE), _Office(registry, transport, log)
    mine = await _recall(file, normal(address), cluster_size, new_token)
    if mine.server_id is not None and mine.membership is not None:
        if mine.has_served and await Log(disk, promises).load() is None:
            raise WrongStorage(
                f"{promises} is missing, and with it what this instance has promised. Without that it must "
                "not vote: put the file back, or let a new instance join with a directory of its own"
            )
        with trio.move_on_after(_ANSWER_TIMEOUT_S):
            await _confirm(office, mine, mine.server_id, mine.membership)
        return mine.server_id, mine.membership
    return await _register(office, mine, file, note)


async def note_service(disk: Disk) -> None:
    """Note that an enrolled instance takes part from now on. Raises: StorageFailed."""
    file = Log(disk, _FILE)
    mine = await _load(file)
    assert mine is not None, "an instance that is not enrolled does not serve"
    if not mine.has_served:
        await file.replace([_encode(msgspec.structs.replace(mine, has_served=True))])


async def _recall(file: Log, address: Address, cluster_size: int, new_token: Callable[[], str]) -> Enrolment:
    """What is known from before, or a beginning, made durable."""
    mine = await _load(file)
    if mine is None:
        mine = Enrolment(address, cluster_size, new_token())
        await file.replace([_encode(mine)])
        return mine
    if mine.address != address:
        raise WrongStorage(f"this data belongs to the instance at {mine.address}, not {address}")
    if mine.cluster_size != cluster_size:
        raise WrongStorage(f"this data is of a cluster of {mine.cluster_size} members, not {cluster_size}")
    return mine


async def _load(file: Log) -> Enrolment | None:
    """What the file says; None if there is none yet. It is only ever written in one piece."""
    payloads = await file.load(is_whole=True)
    if payloads is None:
        return None
    if not payloads:
        raise DamagedLog(_FILE, 0, "there is nothing in it")
    try:
        return msgspec.msgpack.decode(payloads[-1], type=Enrolment)
    except msgspec.DecodeError as error:
        raise DamagedLog(_FILE, 0, f"this is not what an instance writes: {error}") from None


async def _register(
    office: _Office, mine: Enrolment, file: Log, note: Callable[[int], None]
) -> tuple[int, Membership]:
    note(0)
    granted = await office.ask_until_answered(_registration(mine))
    if isinstance(granted, Denied):
        raise NotEnrolled(f"the registry at {office.address} refused: {granted.why}")
    assert isinstance(granted, Granted), f"the registry answered {granted}"
    office.log(
        Remark(
            f"registered as server {granted.server_id} of cluster {granted.cluster_id}",
            event="registered",
            server=granted.server_id,
            cluster=granted.cluster_id,
        )
    )
    mine = msgspec.structs.replace(mine, server_id=granted.server_id)
    await file.replace([_encode(mine)])
    membership = await _wait_complete(office, note)
    if (
        membership.cluster_id != granted.cluster_id
        or membership.members.get(granted.server_id) != mine.address
    ):
        raise NotEnrolled(f"the registry at {office.address} told of a cluster that this instance is not in")
    await file.replace([_encode(msgspec.structs.replace(mine, membership=membership))])
    return granted.server_id, membership


async def _wait_complete(office: _Office, note: Callable[[int], None]) -> Membership:
    seen = 0
    while True:
        view = await office.ask_until_answered(GetMembership())
        assert isinstance(view, View), f"the registry answered {view}"
        if view.membership is not None:
            return view.membership
        if view.registered != seen:
            seen = view.registered
            note(seen)
            office.log(f"waiting for the cluster: {seen} of {view.cluster_size} registered")
        await trio.sleep(_RETRY_S_FIRST)


async def _confirm(office: _Office, mine: Enrolment, server_id: int, membership: Membership) -> None:
    """Ask whether the registry knows this instance as it knows itself.

    Raises: NotEnrolled, when it does not. That nobody answers is no reason to stop.
    """
    try:
        answer = await office.ask(_registration(mine))
    except (OSError, trio.BrokenResourceError, BadFrame):
        office.log(f"the registry at {office.address} does not answer; going by what it said before")
        return
    if answer != Granted(server_id, membership.cluster_id):
        why = answer.why if isinstance(answer, Denied) else f"it says {answer}"
        raise NotEnrolled(
            f"this data is of server {server_id} in cluster {membership.cluster_id}, "
            f"which the registry at {office.address} does not know: {why}"
        )


def _registration(mine: Enrolment) -> Register:
    return Register(mine.address.host, mine.address.port, mine.token, mine.cluster_size)


@dataclass(frozen=True, slots=True)
class _Office:
    """The registry, as seen from here."""

    address: Address
    transport: Transport
    log: Remarks

    async def ask(self, request: RegistryRequest) -> RegistryAnswer:
        """Ask once. Raises: OSError; trio.BrokenResourceError; BadFrame."""
        return await ask_registry(self.address, request, self.transport)

    async def ask_until_answered(self, request: RegistryRequest) -> RegistryAnswer:
        """Ask again until there is an answer: every request may safely be repeated."""
        pause_s = _RETRY_S_FIRST
        while True:
            with trio.move_on_after(_ANSWER_TIMEOUT_S):
                try:
                    return await self.ask(request)
                except (OSError, trio.BrokenResourceError, BadFrame) as error:
                    if pause_s == _RETRY_S_FIRST:
                        self.log(
                            f"the registry at {self.address} does not answer: {error}; will go on asking"
                        )
            await trio.sleep(pause_s)
            pause_s = min(2 * pause_s, _RETRY_S_MAX)


_encode = msgspec.msgpack.Encoder().encode
