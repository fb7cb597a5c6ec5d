"""What an instance of Basic Paxos must find again after a restart: its promise and its vote."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from ostrakon.paxos_impl.core.effect import Durable
from ostrakon.paxos_impl.storage.disk import Disk
from ostrakon.paxos_impl.storage.record import DamagedLog
from ostrakon.paxos_impl.storage.write_ahead_log import Header, WriteAheadLog, WrongStorage, require_same
from ostrakon.paxos_impl.wire.membership import Membership

_FORMAT = "paxos-log-1"
_T = TypeVar("_T")


class DecreeStorage:
    """The durable state of one instance; opened with `recover`."""

    def __init__(self, log: WriteAheadLog, header: Header, state: Durable) -> None:
        self._log = log
        self.incarnation = header.incarnation
        self.state = state
        """The state found at the start."""

    @classmethod
    async def recover(
        cls, disk: Disk, membership: Membership, server_id: int, *, path: str = "log"
    ) -> DecreeStorage:
        """Read the state that the last incarnation left, and durably begin the next one.

        Raises: DamagedLog; WrongStorage, when it belongs to another instance or cluster; StorageFailed.
        """
        log = WriteAheadLog(disk, path)
        mine = Header(_FORMAT, membership.cluster_id, server_id, membership.ids, 0)
        state = Durable()
        if (payloads := await log.load()) is not None:
            header, state = _interpret(payloads, path)
            require_same(header, mine, path)
            mine = msgspec.structs.replace(mine, incarnation=header.incarnation + 1)
        await log.replace([_encode(mine), _encode(state)])
        return cls(log, mine, state)

    async def save(self, state: Durable) -> None:
        """Save the state to be found after a restart; durable on return.

        Raises: StorageFailed.
        """
        await self._log.append(_encode(state))


_encode = msgspec.msgpack.Encoder().encode


def _interpret(payloads: list[bytes], path: str) -> tuple[Header, Durable]:
    """The header and the last state. The log is created with both, so that they are always there."""
    if len(payloads) < 2:
        raise DamagedLog(path, 0, "the log has no beginning")
    header = _decode(payloads[0], Header, path)
    if header.format != _FORMAT:
        raise WrongStorage(f"{path} has the format {header.format!r}; this version reads {_FORMAT!r}")
    return header, _decode(payloads[-1], Durable, path)


def _decode(payload: bytes, kind: type[_T], path: str) -> _T:
    try:
        return msgspec.msgpack.decode(payload, type=kind)
    except msgspec.DecodeError as error:
        raise WrongStorage(f"{path} is not the log of an instance: {error}") from None
