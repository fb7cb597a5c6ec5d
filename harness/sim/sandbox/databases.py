"""SQLite in a simulated process: databases in memory. It reads and writes files by its own system calls."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ostrakon.harness.sim.kernel.errors import refuse

if TYPE_CHECKING:
    from ostrakon.harness.sim.sandbox.host import Resident

_IN_MEMORY = ("", ":memory:")
_is_ours = False
"""Whether `_judge_action` must watch the connection that is being made."""


def replacements(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """The replacement for `sqlite3.connect`; `sandbox.py` installs it."""
    real = sqlite3.connect

    def connect(process: Resident, *args: Any, **kwargs: Any) -> sqlite3.Connection:
        global _is_ours
        _is_ours = True
        try:
            connection: sqlite3.Connection = real(*args, **kwargs)
        finally:
            _is_ours = False
        connection.set_authorizer(_judge_action)
        return connection

    for owner in (sqlite3, sqlite3.dbapi2):
        yield owner, "connect", simulated(real, connect)


def judge_connection(process: Resident, database: Any) -> None:
    """Raise NotSimulated unless it is a database in memory, made by `sqlite3.connect`."""
    if os.fsdecode(database) not in _IN_MEMORY:
        refuse(process, f"a database file ({database})", 'use ":memory:", or files of your own')
    if not _is_ours:
        refuse(process, "sqlite3.Connection()", "use sqlite3.connect()")


def _judge_action(action: int, file: str | None, *_: str | None) -> int:
    """Deny `ATTACH` and `VACUUM INTO` of a file."""
    is_denied = action == sqlite3.SQLITE_ATTACH and file not in _IN_MEMORY
    return sqlite3.SQLITE_DENY if is_denied else sqlite3.SQLITE_OK
