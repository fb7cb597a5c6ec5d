"""Enrollment: how an instance that knows only the registry's address becomes a member.

What must always hold: the token is durable before it is first used, so that the instance gets the same id
after any crash. An instance that has seen a membership never runs under another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import trio

from ostrakon.paxos_impl.registry.server import (
    GetMembership,
    Register,
    RegistryAnswer,
    RegistryRequest,
    View,
    ask_registry,
)
from ostrakon.paxos_impl.registry.state import Denied, Granted, canonical
from ostrakon.paxos_impl.server.log_record import LogRecord, LogSink, no_log
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.paxos_impl.storage.record import DamagedLog
from ostrakon.paxos_impl.storage.write_ahead_log import WriteAheadLog, WrongStorage
from ostrakon.paxos_impl.wire.frame import BadFrame
from ostrakon.paxos_impl.wire.membership import Address, Membership
from ostrakon.paxos_impl.wire.transport import PLAIN, Transport

_FILE = "enrolment"
_RETRY_S_FIRST, _RETRY_S_MAX = 0.1, 2.0
_ANSWER_TIMEOUT_S = 2.0


class NotEnrolled(Exception):
    """The instance was refused."""


class Enrolment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What an instance knows of itself; kept on its disk."""

    address: Address
    cluster_size: int
    token: str
    server_id: int | None = None
    """None until it has registered; the membership is None until the cluster is complete."""
    membership: Membership | None = None
    has_served: bool = False
    """Whether it has served: from then on it may have made promises, which are in its log."""
    backup: str = ""
    """Id of the backup that its state began with; empty for none."""


async def enroll(
    registry: Address,
    address: Address,
    cluster_size: int,
    *,
    disk: Disk,
    new_token: Callable[[], str],
    promises: str = "log",
    backup: str = "",
    transport: Transport = PLAIN,
    log: LogSink = no_log,
    note: Callable[[int], None] = lambda registered: None,
) -> tuple[int, Membership]:
    """Register as `address`, wait until the cluster is complete, and return the own id and the membership.

    An instance that was enrolled before does not depend on the registry, but asks it whether the cluster is
    still the same. If it has served, it must still have its log, the file `promises`. `new_token` is called
    once, when the disk is empty. `backup` is the id of the backup on the disk that the cluster begins with.
    `note` is called with the number of registered instances until the cluster is complete.

    Raises: NotEnrolled; WrongStorage, when the disk belongs to another instance; DamagedLog; StorageFailed.
    """
    file, client = WriteAheadLog(disk, _FILE), _RegistryClient(registry, transport, log)
    wanted = Enrolment(canonical(address), cluster_size, "", backup=backup)
    mine = await _load_or_begin(file, wanted, new_token)
    if mine.server_id is not None and mine.membership is not None:
        if mine.has_served and await WriteAheadLog(disk, promises).load() is None:
            raise WrongStorage(
                f"{promises} is missing, and with it the promises of this instance. Without them it must "
                "not vote: put the file back, or let a new instance join with a directory of its own"
            )
        with trio.move_on_after(_ANSWER_TIMEOUT_S):
            await _confirm(client, mine, mine.server_id, mine.membership)
        return mine.server_id, mine.membership
    return await _register(client, mine, file, note)


async def record_service(disk: Disk) -> None:
    """Record that an enrolled instance serves from now on. Raises: StorageFailed."""
    file = WriteAheadLog(disk, _FILE)
    mine = await _load(file)
    assert mine is not None, "an instance that is not enrolled does not serve"
    if not mine.has_served:
        await file.replace([_encode(msgspec.structs.replace(mine, has_served=True))])


async def _load_or_begin(file: WriteAheadLog, wanted: Enrolment, new_token: Callable[[], str]) -> Enrolment:
    """The enrolment on the disk; if there is none, `wanted` with a token, made durable."""
    mine = await _load(file)
    if mine is None:
        mine = msgspec.structs.replace(wanted, token=new_token())
        await file.replace([_encode(mine)])
        return mine
    if mine.address != wanted.address:
        raise WrongStorage(f"this data belongs to the instance at {mine.address}, not {wanted.address}")
    if mine.cluster_size != wanted.cluster_size:
        size = mine.cluster_size
        raise WrongStorage(f"this data is of a cluster of {size} members, not {wanted.cluster_size}")
    if wanted.backup not in ("", mine.backup):
        raise WrongStorage(
            f"this data is of an instance that did not begin with the backup {wanted.backup}: restore a "
            "backup into a new directory"
        )
    return mine


async def _load(file: WriteAheadLog) -> Enrolment | None:
    """The contents of the file; None if there is none. The file is only written in one piece."""
    payloads = await file.load(is_whole=True)
    if payloads is None:
        return None
    if not payloads:
        raise DamagedLog(_FILE, 0, "there is nothing in it")
    try:
        return msgspec.msgpack.decode(payloads[-1], type=Enrolment)
    except msgspec.DecodeError as error:
        raise DamagedLog(_FILE, 0, f"this is not an enrolment: {error}") from None


async def _register(
    client: _RegistryClient, mine: Enrolment, file: WriteAheadLog, note: Callable[[int], None]
) -> tuple[int, Membership]:
    note(0)
    granted = await client.ask_until_answered(_registration(mine))
    if isinstance(granted, Denied):
        raise NotEnrolled(f"the registry at {client.address} refused: {granted.why}")
    assert isinstance(granted, Granted), f"the registry answered {granted}"
    client.log(
        LogRecord(
            f"registered as server {granted.server_id} of cluster {granted.cluster_id}",
            event="registered",
            server=granted.server_id,
            cluster=granted.cluster_id,
        )
    )
    mine = msgspec.structs.replace(mine, server_id=granted.server_id)
    await file.replace([_encode(mine)])
    membership = await _wait_complete(client, note)
    if (
        membership.cluster_id != granted.cluster_id
        or membership.members.get(granted.server_id) != mine.address
    ):
        raise NotEnrolled(f"the registry at {client.address} named a cluster that this instance is not in")
    await file.replace([_encode(msgspec.structs.replace(mine, membership=membership))])
    return granted.server_id, membership


async def _wait_complete(client: _RegistryClient, note: Callable[[int], None]) -> Membership:
    seen = 0
    while True:
        view = await client.ask_until_answered(GetMembership())
        assert isinstance(view, View), f"the registry answered {view}"
        if view.membership is not None:
            return view.membership
        if view.registered != seen:
            seen = view.registered
            note(seen)
            client.log(f"waiting for the cluster: {seen} of {view.cluster_size} registered")
        await trio.sleep(_RETRY_S_FIRST)


async def _confirm(client: _RegistryClient, mine: Enrolment, server_id: int, membership: Membership) -> None:
    """Ask whether the registry knows this instance under its id.

    Raises: NotEnrolled, when it does not. If the registry does not answer, the instance goes on.
    """
    try:
        answer = await client.ask(_registration(mine))
    except (OSError, trio.BrokenResourceError, BadFrame):
        client.log(f"the registry at {client.address} does not answer; using its earlier answer")
        return
    if answer != Granted(server_id, membership.cluster_id):
        why = answer.why if isinstance(answer, Denied) else f"it says {answer}"
        raise NotEnrolled(
            f"this data is of server {server_id} in cluster {membership.cluster_id}, "
            f"which the registry at {client.address} does not know: {why}"
        )


def _registration(mine: Enrolment) -> Register:
    return Register(mine.address.host, mine.address.port, mine.token, mine.cluster_size, mine.backup)


@dataclass(frozen=True, slots=True)
class _RegistryClient:
    """Sends requests to the registry."""

    address: Address
    transport: Transport
    log: LogSink

    async def ask(self, request: RegistryRequest) -> RegistryAnswer:
        """Ask once. Raises: OSError; trio.BrokenResourceError; BadFrame."""
        return await ask_registry(self.address, request, self.transport)

    async def ask_until_answered(self, request: RegistryRequest) -> RegistryAnswer:
        """Ask until there is an answer: every request may safely be repeated."""
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
