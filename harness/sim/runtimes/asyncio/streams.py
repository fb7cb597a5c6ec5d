"""Streams of asyncio: the same, in fewer steps where what is asked for is there already."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from ostrakon.harness.sim.runtimes.asyncio.loop import SimulatedTransport

_Reader: Any = asyncio.StreamReader
_Protocol: Any = asyncio.StreamReaderProtocol
_usual_readline: Any = asyncio.StreamReader.readline
_usual_drain: Any = asyncio.StreamWriter.drain


async def readline(reader: Any) -> bytes:
    """`StreamReader.readline`."""
    buffer, seen = reader._buffer, 0
    while type(reader) is _Reader and reader._exception is None:
        end = buffer.find(b"\n", seen)
        if end > reader._limit or (end < 0 and (reader._eof or len(buffer) > reader._limit)):
            break
        if end >= 0:
            line = bytes(buffer[: end + 1])
            del buffer[: end + 1]
            if reader._paused:
                reader._maybe_resume_transport()
            return line
        seen = len(buffer)
        await reader._wait_for_data("readuntil")
    rest: bytes = await _usual_readline(reader)
    return rest


async def drain(writer: Any) -> None:
    """`StreamWriter.drain`."""
    transport, protocol, reader = writer._transport, writer._protocol, writer._reader
    if (
        type(transport) is not SimulatedTransport
        or transport._closing
        or type(protocol) is not _Protocol
        or protocol._paused
        or protocol._connection_lost
        or (reader is not None and reader._exception is not None)
    ):
        await _usual_drain(writer)


def shortcuts() -> Iterator[tuple[Any, str, Any]]:
    """What stands in for what, for `patches.py`."""
    for owner, name, usual, ours in (
        (asyncio.StreamReader, "readline", _usual_readline, readline),
        (asyncio.StreamWriter, "drain", _usual_drain, drain),
    ):
        shortcut: Any = ours
        # Tasks are called after the functions that they run, so these keep their names.
        shortcut.__qualname__, shortcut.__module__ = usual.__qualname__, usual.__module__
        yield owner, name, shortcut
