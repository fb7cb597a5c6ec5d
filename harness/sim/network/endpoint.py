"""What all simulated sockets share: an owner, addresses, options, and a task that waits at each side.

Programs meet them through Trio's own socket API. The file descriptors they show stand for nothing.
"""

from __future__ import annotations

import errno
import os
import socket
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import trio
from trio.lowlevel import Abort, current_task

from ostrakon.harness.sim.disk import filesystem
from ostrakon.harness.sim.kernel.errors import NotSimulated
from ostrakon.harness.sim.network.options import UNSET, Options, Values
from ostrakon.harness.sim.network.resolver import ANY, LOOPBACK, address_info, is_loopback
from ostrakon.harness.sim.runtimes.trio.waiting import Trap, checkpoint, let_others_run, park

if TYPE_CHECKING:
    from ostrakon.harness.sim.network.host import Host, Owner

UNIX = "unix"
"""Stands in a UNIX socket's address where others have the IP; its path stands where they have the port."""

Address = tuple[str, int | str]
BROADCAST = "255.255.255.255"
_ErrorType = type[BaseException] | None
_SOL_SOCKET = socket.SOL_SOCKET


class Endpoint(trio.socket.SocketType):
    """A socket of one process."""

    def __init__(self, process: Owner, family: int, proto: int = 0) -> None:
        self.process = process
        self.machine: Host = process.machine
        self._network = self.machine.world.network
        self._family = family if type(family) is socket.AddressFamily else socket.AddressFamily(family)
        self._local: Address = (UNIX, "") if family == socket.AF_UNIX else (ANY, 0)
        self._remote: Address | None = None
        self._is_bound = False
        self.closed = False
        """Whether the program, or the operating system after its death, has closed it."""
        self._proto = proto
        self._pending_error: int | None = None
        self._reader: Any = None
        """The reader that waits: a task of Trio, or what an asyncio event loop keeps for this socket."""
        self._writer: Any = None
        self._number = next(process.socket_numbers)
        self.option_values: Values = UNSET
        """The options that were set."""
        self.timeout_s: float | None = None
        """What a socket of the standard library that stands for this one was told about waiting; 0 for not at
        all."""
        self._to_read: Trap | None = None
        self._to_write: Trap | None = None
        process.sockets[self] = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.process.name}, {self._local} to {self._remote}>"

    def __enter__(self) -> Any:
        return self

    def __exit__(self, kind: _ErrorType, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_UNIX."""
        return self._family

    @property
    def proto(self) -> int:
        """What it was made with; usually 0."""
        return self._proto

    @property
    def local(self) -> Address:
        """The local address, as the simulator keeps it."""
        return self._local

    @property
    def remote(self) -> Address | None:
        """The address that it is connected to."""
        return self._remote

    @property
    def is_listening(self) -> bool:
        """Whether it accepts connections."""
        return False

    @property
    def is_full(self) -> bool:
        """Whether what arrives for it now is dropped."""
        return False

    @property
    def options(self) -> Options:
        """What was set, and Linux's defaults."""
        protocol = {socket.SOCK_STREAM: socket.IPPROTO_TCP, socket.SOCK_DGRAM: socket.IPPROTO_UDP}[self.type]
        known = 0 if self._family == socket.AF_UNIX else protocol
        return Options(self.type, self._family, known, self.option_values)

    def has_set(self, option: int) -> bool:
        """Whether an option of sockets in general is on."""
        return bool(self.option_values.get((_SOL_SOCKET, option)))

    @property
    def _sock(self) -> socket.socket:
        # Where trio's own sockets keep the real one; anyio shows it to programs as an attribute of streams.
        return self.machine.socket_factory.plain_view(self)

    def shutdown(self, flag: int) -> None:
        """End the sending side, the receiving side, or both, if there are any. Raises: OSError."""
        fail(errno.ENOTCONN)

    def fileno(self) -> int:
        """A number that stands for no real file; -1 once closed."""
        return -1 if self.closed else self._number

    def getsockname(self) -> Any:
        """The local address. Raises: OSError with EBADF."""
        self._require_open()
        return self._shown(self._local)

    def getpeername(self) -> Any:
        """The remote address. Raises: OSError with ENOTCONN."""
        if self._remote is None:
            fail(errno.ENOTCONN)
        return self._shown(self._remote)

    def getsockopt(self, level: int, optname: int, buflen: int = 0) -> Any:
        """What was set, or Linux's default. Raises: OSError with EBADF or ENOPROTOOPT."""
        self._require_open()
        return self.options.get(level, optname, buflen)

    def setsockopt(self, level: int, optname: int, value: Any, optlen: int | None = None) -> None:
        """Kept; what has an effect is told in `ports.py` and `options.py`. Raises: OSError."""
        self._require_open()
        if optlen is not None:
            value = bytes(optlen)
        self.option_values = self.options.having(level, optname, value)

    def get_inheritable(self) -> bool:
        """Never; there is nobody to inherit it."""
        return False

    def set_inheritable(self, inheritable: bool) -> None:
        """Without effect."""

    async def bind(self, address: Any) -> None:
        """Take a local address. Raises: OSError with EADDRINUSE, EADDRNOTAVAIL or EINVAL."""
        self._require_open()
        await checkpoint()
        self.take(address)

    def take(self, address: Any) -> None:
        """As `bind`, at once."""
        self._require_open()
        if self._is_bound:
            fail(errno.EINVAL)
        if self._family == socket.AF_UNIX:
            self._take_path(os.fspath(address))
            return
        ip, port = self._resolve(address, ANY, "bind")
        if ip not in (ANY, self.machine.ip) and not is_loopback(ip):
            fail(errno.EADDRNOTAVAIL)
        self._claim((ip, port or self.machine.ports.free(self.type)))

    def listen(self, backlog: int = 128) -> None:
        """Accept connections from now on, if it can have any. Raises: OSError."""
        fail(errno.EOPNOTSUPP)

    # The same calls for an event loop that asks again when it is told to: they never wait.

    def accept_now(self) -> tuple[Endpoint, Any]:
        """As `accept`. Raises: BlockingIOError if it had to wait; OSError."""
        fail(errno.EINVAL)

    def connect_now(self, address: Any) -> None:
        """As `connect`; how it ends is told by SO_ERROR when it is writable.

        Raises: BlockingIOError if it is under way; OSError.
        """
        raise NotImplementedError

    def send_now(self, data: Any, flags: int = 0) -> int:
        """As `send`. Raises: BlockingIOError if it had to wait; OSError."""
        raise NotImplementedError

    def sendto_now(self, *args: Any) -> int:
        """As `sendto`. Raises: BlockingIOError if it had to wait; OSError."""
        return self.send_now(*args[:-1])

    def recvfrom_now(self, bufsize: int, flags: int = 0) -> tuple[bytes, Any]:
        """As `recvfrom`. Raises: BlockingIOError if it had to wait; OSError."""
        raise NotImplementedError

    def recv_now(self, bufsize: int, flags: int = 0) -> bytes:
        """As `recv`. Raises: BlockingIOError if it had to wait; OSError."""
        return self.recvfrom_now(bufsize, flags)[0]

    def is_readable(self) -> bool:
        """Whether reading, or accepting, would return at once."""
        raise NotImplementedError

    def is_writable(self) -> bool:
        """Whether sending would take something at once, or connecting has ended."""
        return True

    def poll_read(self, waiter: Any) -> bool:
        """Whether there may be something to read; if not, wake `waiter` as soon as there may be."""
        if self.closed:
            return False
        if self.is_readable():
            return True
        self._reader = waiter
        return False

    def poll_write(self, waiter: Any) -> bool:
        """Whether there may be room to write; if not, wake `waiter` as soon as there may be."""
        if self.closed:
            return False
        if self.is_writable():
            return True
        self._writer = waiter
        return False

    def forget(self, waiter: Any) -> None:
        """Stop waking a waiter."""
        if self._reader is waiter:
            self._reader = None
        if self._writer is waiter:
            self._writer = None

    def detach(self) -> NoReturn:
        """There is no file descriptor to hand out."""
        raise NotSimulated("a simulated socket has no file descriptor to detach: hand on the socket itself")

    def dup(self) -> NoReturn:
        """There is no second file descriptor for it."""
        raise NotSimulated("dup() of a socket is not simulated: hand on the socket itself")

    def close(self) -> None:
        """Close it."""
        raise NotImplementedError

    def vanish(self) -> None:
        """End the socket without a message to its peer, because the machine lost power."""
        self.closed = True

    @property
    def waits_for(self) -> tuple[object, str] | None:
        """The tasks that wait for an answer at this socket, and the machine that is to answer."""
        return None

    def is_connected_to(self, machine: Host) -> bool:
        """Whether it is an end of a connection with `machine`."""
        return False

    def reset(self) -> None:
        """Break the connection here, if there is one."""

    # Below.

    def _claim(self, address: Address) -> None:
        self.machine.ports.claim(self, address)
        self._local, self._is_bound = address, True

    def _take_path(self, path: Any) -> None:
        name = os.fsdecode(path)
        if name.startswith("\0"):
            self._claim((UNIX, name))
        else:
            inode = filesystem.make_socket(self.process, path)
            self._paths[f"inode {inode.number}"] = name
            self._claim((UNIX, f"inode {inode.number}"))

    @property
    def _paths(self) -> dict[str, str]:
        """The paths by which programs know UNIX sockets, by what the network knows them by."""
        return self.machine.ports.paths

    def _shown(self, address: Address) -> Any:
        if address[0] != UNIX:
            return address
        name = str(address[1])
        return name.encode() if name.startswith("\0") else self._paths.get(name, name)

    def _resolve(self, address: Any, default: str, calling: str = "connect") -> Address:
        """Raises: OSError; ValueError, TypeError or OverflowError as Python and Trio do."""
        if self._family == socket.AF_UNIX:
            name = os.fsdecode(address)
            if name.startswith("\0"):
                return UNIX, name
            inode = filesystem.find_socket(self.process, address)
            return UNIX, f"inode {inode.number}"
        if not isinstance(address, tuple) or len(address) != 2:
            raise ValueError("address should be a (host, port) tuple")
        host, port = address
        port = int(port)
        if not 0 <= port <= 65535:
            raise OverflowError(f"{calling}(): port must be 0-65535.")
        if host == BROADCAST:
            return BROADCAST, port
        return address_info(self._network, host or default, port, 0, socket.SOCK_STREAM, 0, 0)[0][4][0], port

    def _bind_towards(self, ip: str) -> None:
        """Take an address to send to `ip` from, unless there is one."""
        if self._family == socket.AF_UNIX or (self._is_bound and self._local[0] != ANY):
            return
        own = LOOPBACK if is_loopback(ip) else self.machine.ip
        if not self._is_bound:
            self._claim((own, self.machine.ports.free(self.type)))
        else:
            self._local = own, self._local[1]

    def _require_open(self) -> None:
        if self.closed:
            fail(errno.EBADF)

    async def _yield(self) -> None:
        """Let others go first; with nobody else ready, that would only cost time."""
        if not self.process.is_alone:
            await let_others_run()

    async def _wait_to_read(self) -> None:
        if self._reader is not None:
            fail_as_busy()
        self._reader = current_task()
        await park(self._to_read or self._read_trap())
        self._require_not_closed_meanwhile()

    async def _wait_to_write(self) -> None:
        if self._writer is not None:
            fail_as_busy()
        self._writer = current_task()
        self._to_write = self._to_write or Trap(self._stop_writing)
        await park(self._to_write)
        self._require_not_closed_meanwhile()

    def _require_not_closed_meanwhile(self) -> None:
        if self.closed:
            raise trio.ClosedResourceError("another task closed this fd")

    def _read_trap(self) -> Trap:
        self._to_read = Trap(self._stop_reading)
        return self._to_read

    def _stop_reading(self, _: object) -> Abort:
        self._reader = None
        return Abort.SUCCEEDED

    def _stop_writing(self, _: object) -> Abort:
        self._writer = None
        return Abort.SUCCEEDED

    def _wake_reader(self) -> None:
        if self._reader is not None:
            reader, self._reader = self._reader, None
            self.process.reschedule(reader)

    def _wake_writer(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            self.process.reschedule(writer)


def fail_as_busy() -> NoReturn:
    """Raise what a second task gets that waits at the same side of a socket."""
    raise trio.BusyResourceError("another task is already reading / writing this fd")


def refuse_ancillary_data(process: Owner, data: Any) -> None:
    """Raises: NotSimulated if there are any: there are no descriptors to pass on, and no credentials."""
    if data:
        raise NotSimulated(
            f"ancillary data are not simulated (sent by {process.name}): send what they stand for as bytes"
        )


def fail(error: int) -> NoReturn:
    """Raise the OSError of this number."""
    raise OSError(error, os.strerror(error))
