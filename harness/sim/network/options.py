"""Socket options: which there are, and what they are where nobody has set them."""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_LEVELS = {
    socket.SOL_SOCKET: ("SO_",),
    socket.IPPROTO_TCP: ("TCP_",),
    socket.IPPROTO_IP: ("IP_",),
    socket.IPPROTO_IPV6: ("IPV6_",),
    socket.IPPROTO_UDP: ("UDP_",),
}
_SO_PROTOCOL, _SO_DOMAIN = 38, 39  # The socket module has them from Python 3.14 on, if at all.
_KNOWN = {
    level: {value for name, value in vars(socket).items() if name.startswith(prefixes)}
    for level, prefixes in _LEVELS.items()
}
_BUFFERS = (socket.SO_SNDBUF, socket.SO_RCVBUF)
_BUFFER_MAX = 212_992
"""`net.core.wmem_max` and `rmem_max`; Linux doubles what is set, for its own bookkeeping."""
_TCP_INFO_SIZE = 104
_DEFAULTS: dict[tuple[int, int], int] = {
    (socket.SOL_SOCKET, socket.SO_SNDBUF): 212_992,
    (socket.SOL_SOCKET, socket.SO_RCVBUF): 212_992,
    (socket.SOL_SOCKET, socket.SO_RCVLOWAT): 1,
    (socket.SOL_SOCKET, socket.SO_SNDLOWAT): 1,
    (socket.IPPROTO_TCP, getattr(socket, "TCP_LINGER2", 8)): 60,
    (socket.IPPROTO_TCP, getattr(socket, "TCP_SYNCNT", 7)): 6,
    (socket.IPPROTO_TCP, getattr(socket, "TCP_QUICKACK", 12)): 1,
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", 4)): 7200,
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPINTVL", 5)): 75,
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPCNT", 6)): 9,
    (socket.IPPROTO_TCP, socket.TCP_MAXSEG): 1460,
    (socket.IPPROTO_IP, socket.IP_TTL): 64,
}
_SWITCHES = {
    *(
        (socket.SOL_SOCKET, value)
        for value in (
            *(socket.SO_REUSEADDR, socket.SO_REUSEPORT, socket.SO_KEEPALIVE, socket.SO_BROADCAST),
            *(socket.SO_OOBINLINE, socket.SO_DONTROUTE),
        )
    ),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    (socket.IPPROTO_TCP, getattr(socket, "TCP_CORK", 3)),
}
"""Options that are on or off, whatever number turns them on."""
_LEAST = {
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPIDLE", 4)): 1,
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPINTVL", 5)): 1,
    (socket.IPPROTO_TCP, getattr(socket, "TCP_KEEPCNT", 6)): 1,
    (socket.IPPROTO_IP, socket.IP_TTL): 1,
}
"""The smallest value that is accepted."""
_TOLD = {
    (socket.SOL_SOCKET, value)
    for value in (socket.SO_TYPE, socket.SO_ERROR, socket.SO_ACCEPTCONN, _SO_PROTOCOL, _SO_DOMAIN)
}
"""Options that can be read and not set."""
_LINGER = struct.Struct("ii")
_STREAM_BUFFERS = {socket.SO_SNDBUF: 87_040, socket.SO_RCVBUF: 131_072}


Values = Mapping[tuple[int, int], Any]
"""What was set, by level and name. Never changed: a connection shares those of its listener at first."""
UNSET: Values = MappingProxyType({})


class Options:
    """The options of one socket."""

    def __init__(self, kind: int, family: int, protocol: int, values: Values) -> None:
        self._kind, self._family, self._protocol = kind, family, protocol
        self._values = values

    def get(self, level: int, name: int, size: int = 0) -> Any:
        """A number, or with a size so many bytes. Raises: OSError with ENOPROTOOPT."""
        value = self._number(level, name)
        if not size:
            return value
        if (level, name) == (socket.IPPROTO_TCP, socket.TCP_INFO):
            # The first byte is the state, 1 for an open connection; all counters are zero.
            return (bytes([1]) + bytes(_TCP_INFO_SIZE - 1))[:size]
        if isinstance(value, bytes):
            return value[:size]
        width = 8 if name == socket.SO_LINGER and level == socket.SOL_SOCKET else 4
        return value.to_bytes(8, "little")[: min(width, size)]

    def having(self, level: int, name: int, value: Any) -> Values:
        """All values, with a new one. Raises: OSError with ENOPROTOOPT."""
        self._require(level, name, on_set=True)
        if level == socket.SOL_SOCKET and name in _BUFFERS and isinstance(value, int):
            value = 2 * min(value, _BUFFER_MAX)
        if isinstance(value, int):
            is_linger = (level, name) == (socket.SOL_SOCKET, socket.SO_LINGER)
            if is_linger or value < _LEAST.get((level, name), value):
                raise OSError(errno.EINVAL, "Invalid argument")
            value = int(bool(value)) if (level, name) in _SWITCHES else int(value)
        return {**self._values, (level, name): value}

    def _number(self, level: int, name: int) -> Any:
        self._require(level, name, on_set=False)
        if level == socket.SOL_SOCKET and name in (socket.SO_TYPE, _SO_DOMAIN, _SO_PROTOCOL):
            told = {socket.SO_TYPE: self._kind, _SO_DOMAIN: self._family, _SO_PROTOCOL: self._protocol}
            return int(told[name])
        value = self._values.get((level, name))
        if value is None and level == socket.SOL_SOCKET and self._protocol == socket.IPPROTO_TCP:
            value = _STREAM_BUFFERS.get(name)
        return _DEFAULTS.get((level, name), 0) if value is None else value

    def _require(self, level: int, name: int, *, on_set: bool) -> None:
        """Raises: OSError with ENOPROTOOPT or EOPNOTSUPP if there is no such option."""
        is_known = level in _KNOWN and name in _KNOWN[level] | {_SO_DOMAIN, _SO_PROTOCOL}
        if level == socket.SOL_SOCKET:
            error = 0 if is_known and not (on_set and (level, name) in _TOLD) else errno.ENOPROTOOPT
        elif self._family == socket.AF_UNIX:
            error = errno.EOPNOTSUPP
        elif level in _LAYERS.get(self._protocol, ()):
            error = 0 if is_known else errno.ENOPROTOOPT
        else:
            error = errno.ENOPROTOOPT if on_set else errno.EOPNOTSUPP
        if error:
            raise OSError(error, os.strerror(error))


_LAYERS = {
    socket.IPPROTO_TCP: (socket.IPPROTO_TCP, socket.IPPROTO_IP),
    socket.IPPROTO_UDP: (socket.IPPROTO_UDP, socket.IPPROTO_IP),
}
"""The levels that a socket has options of, besides those of sockets in general."""


def resets_at_close(values: Values) -> bool:
    """Whether SO_LINGER says that closing is to break the connection."""
    value = values.get((socket.SOL_SOCKET, socket.SO_LINGER))
    return (
        isinstance(value, bytes | bytearray) and len(value) >= 8 and struct.unpack("ii", value[:8]) == (1, 0)
    )
