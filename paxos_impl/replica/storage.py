"""What a replica must find again after a restart: facts in a write-ahead log, many to a record and a sync.

What must always hold: `save` returns only when its facts, and all before them, are durable.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from paxos_impl.core.log import Fact, Recovered
from paxos_impl.disk import Disk
from paxos_impl.membership import Membership
from paxos_impl.record import DamagedLog
from paxos_impl.storage import Header, Log, WrongStorage, require_same

_FORMAT = "paxos-replica-1"


class Storage:
    """The durable state of one replica. Open it with `recover`."""

    def __init__(self, log: Log, incarnation: int, state: Recovered) -> None:
        self._log = log
        self.incarnation = incarnation
        self.state = state
        """What was found at start-up."""

    @classmethod
    async def recover(
        cls, disk: Disk, membership: Membership, server_id: int, *, path: str = "replica"
    ) -> Storage:
        """Read what the last incarnation left and durably begin the next one.

        Raises: DamagedLog; WrongStorage, when it belongs to another server or cluster; StorageFailed.
        """
        log = Log(disk, path)
        mine = Header(_FORMAT, membership.cluster_id, server_id, membership.ids, 0)
        state, facts = Recovered(), list[bytes]()
        if (payloads := await log.load()) is not None:
            header, state = _interpret(payloads, mine, path)
            mine = msgspec.structs.replace(mine, incarnation=header.incarnation + 1)
            facts = payloads[1:]
        # All of it is written anew: after a sync has failed, what can be read need not be on the disk, and
        # no further sync would bring it there.
        await log.replace([_encode(mine), *facts])
        return cls(log, mine.incarnation, state)

    async def save(self, facts: Sequence[Fact]) -> None:
        """Add to what is to be found after a restart; durable on return.

        Raises: StorageFailed.
        """
        await self._log.append(_encode(facts))


_encode = msgspec.msgpack.Encoder().encode
_header = msgspec.msgpack.Decoder(Header)
_facts = msgspec.msgpack.Decoder(tuple[Fact, ...])


def _interpret(payloads: list[bytes], mine: Header, path: str) -> tuple[Header, Recovered]:
    """Whose log it is, and what it remembers."""
    if not payloads:
        raise DamagedLog(path, 0, "the log has no beginning")
    state = Recovered()
    try:
        header = _header.decode(payloads[0])
        if header.format != _FORMAT:
            raise WrongStorage(f"{path} has the format {header.format!r}; this version reads {_FORMAT!r}")
        require_same(header, mine, path)
        for payload in payloads[1:]:
            for fact in _facts.decode(payload):
                state = state.after(fact)
    except msgspec.DecodeError as error:
        raise WrongStorage(f"{path} is not the log of a replica: {error}") from None
    return header, state
