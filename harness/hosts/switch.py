"""A switch in user space: it delays, reorders, loses, doubles and damages packets.

Each host has a TAP device in place of a cable to the bridge, and a thread hands on what comes out of these.
Only packets of IP between nodes are struck; what goes to and from clients, and ARP, passes.
`SwitchLines` decides and never waits; `Switch` has the devices and the thread.
"""

from __future__ import annotations

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import get_args

from ostrakon.harness.faults import Grudge
from ostrakon.harness.hosts.connections import reset_connections
from ostrakon.harness.hosts.topology import CLIENTS, Host, LinkEnds, mac_of
from ostrakon.harness.plan import Plan
from ostrakon.harness.substrates.message_faults import Disturbance, Disturbed, MessageFaultKind, fate_of

DEVICE = "/dev/net/tun"
_TUNSETIFF, _IFF_TAP, _IFF_NO_PI, _CLONE_NEWNET = 0x400454CA, 0x0002, 0x1000, 0x40000000
_HEADER, _IPV4 = 14, b"\x08\x00"
"""Bytes of an Ethernet header, and its last two when a packet of IPv4 follows."""
_FRAME_MAX = 65_536
_AT_ONCE = 64
"""How many frames are taken from one device before it is another's turn."""
_WAIT_S = 0.2

Sent = tuple[int, bytes]
"""When a frame is to be handed on, in nanoseconds, and the frame."""


def needs_switch(plan: Plan) -> bool:
    """Whether a fault of the plan strikes single packets. A bridge is faster, and serves for all others."""
    return any(fault.kind in get_args(MessageFaultKind) for fault in plan.faults)


@dataclass(eq=False, slots=True)
class Blockade:
    """Links on which nothing gets through: it is dropped, or kept until the end."""

    links: frozenset[LinkEnds]
    keeps: bool
    messages: int = 0
    kept: list[tuple[LinkEnds, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class _Line:
    """One direction between two nodes."""

    rng: random.Random
    sent: int = 0
    last_ns: int = 0
    """When the last frame is handed on that must not be overtaken."""
    blockades: list[Blockade] = field(default_factory=list)
    disturbed: list[Disturbed] = field(default_factory=list)


class SwitchLines:
    """What becomes of frames between nodes. Pure but for its own counts and the randomness it is given."""

    def __init__(self, names: Iterable[str], rng: Callable[[str, str], random.Random]) -> None:
        names = tuple(names)
        pairs = [(a, b) for a in names for b in names if a != b]
        self._lines = {pair: _Line(rng(*pair)) for pair in pairs}

    @property
    def messages(self) -> int:
        """How many packets nodes have sent each other."""
        return sum(line.sent for line in self._lines.values())

    def sent(self, link: LinkEnds) -> int:
        """How many packets were sent on a link."""
        return self._lines[link].sent

    def forward(self, link: LinkEnds, frame: bytes, now_ns: int) -> list[Sent]:
        """When, and how often, a frame is handed on; nothing if it is lost or kept."""
        line = self._lines.get(link)
        if line is None or frame[_HEADER - 2 : _HEADER] != _IPV4:
            return [(now_ns, frame)]
        line.sent += 1
        if line.blockades:
            for blockade in line.blockades:
                blockade.messages += 1
            if all(blockade.keeps for blockade in line.blockades):
                line.blockades[-1].kept.append((link, frame))
            return []
        return self._pass(link, line, frame, now_ns)

    def block(self, links: Collection[LinkEnds], *, keeps: bool) -> Blockade:
        """Let nothing through on these links."""
        blockade = Blockade(frozenset(links), keeps)
        for link in sorted(blockade.links):
            self._lines[link].blockades.append(blockade)
        return blockade

    def lift(self, blockade: Blockade, now_ns: int) -> list[tuple[LinkEnds, Sent]]:
        """End this blockade and no other; returns what is handed on of the frames that it has kept."""
        for link in blockade.links:
            self._lines[link].blockades.remove(blockade)
        freed: list[tuple[LinkEnds, Sent]] = []
        for link, frame in blockade.kept:
            line = self._lines[link]
            if not line.blockades:
                freed.extend((link, sent) for sent in self._pass(link, line, frame, now_ns))
            elif all(other.keeps for other in line.blockades):
                line.blockades[-1].kept.append((link, frame))
        blockade.kept.clear()
        return freed

    def disturb(self, disturbance: Disturbance) -> Disturbed:
        """Let a disturbance begin."""
        disturbed = Disturbed(disturbance)
        for link in sorted(disturbance.links if disturbance.links is not None else self._lines):
            self._lines[link].disturbed.append(disturbed)
        return disturbed

    def settle(self, disturbed: Disturbed) -> None:
        """End this disturbance and no other."""
        for line in self._lines.values():
            if disturbed in line.disturbed:
                line.disturbed.remove(disturbed)

    def _pass(self, link: LinkEnds, line: _Line, frame: bytes, now_ns: int) -> list[Sent]:
        fate = fate_of(frame, line.disturbed, line.rng, link, now_ns)
        due_ns = now_ns + fate.extra_ns
        if not fate.may_be_overtaken:
            due_ns = line.last_ns = max(due_ns, line.last_ns)
        if fate.corrupt_bit is not None:
            frame = _with_bit_turned(frame, fate.corrupt_bit)
        return [(due_ns, frame)] * fate.copies


class Switch:
    """What the nemesis can do to the network, as `ostrakon.harness.faults.Links` has it; a context."""

    def __init__(self, hosts: Sequence[Host], rng: Callable[[str, str], random.Random]) -> None:
        self._hosts = hosts
        self._lines = SwitchLines([host.name for host in hosts], rng)
        self._lock = threading.Lock()
        """For the lines and the frames that wait: both threads use them."""
        self._waiting: list[tuple[int, int, int, bytes]] = []
        """When to hand a frame on, its number, and the device it goes to: a heap."""
        self._number = 0
        self._devices: dict[int, str] = {}
        self._by_name: dict[str, int] = {}
        self._by_mac: dict[bytes, str] = {}
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name="switch", daemon=True)
        self._is_over = False

    def attach(self, hosts: Iterable[Host]) -> None:
        """Make each host's device, in its namespace. Raises: OSError."""
        for host in hosts:
            with _in_network(host):
                device = _tap()
            self._devices[device], self._by_name[host.name] = host.name, device
            self._by_mac[mac_of(host)] = host.name

    def __enter__(self) -> Switch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()

    @property
    def messages(self) -> int:
        """How many packets nodes have sent each other."""
        return self._lines.messages

    def sent(self, sender: str, receiver: str) -> int:
        """How many packets a node has sent to another."""
        return self._lines.sent((sender, receiver))

    def cut(self, grudge: Grudge) -> Blockade:
        """Drop what a grudge says, receiver by receiver, until this cut is mended."""
        links = {(sender, receiver) for receiver, senders in grudge.items() for sender in senders}
        with self._lock:
            return self._lines.block(links, keeps=False)

    def mend(self, cut: Blockade) -> None:
        """End this cut and no other."""
        self.release(cut)

    def hold(self, links: Collection[LinkEnds]) -> Blockade:
        """Keep what goes from these senders to these receivers."""
        with self._lock:
            return self._lines.block(links, keeps=True)

    def release(self, hold: Blockade) -> None:
        """Hand on everything that a hold has kept, in order."""
        with self._lock:
            for (_, receiver), sent in self._lines.lift(hold, time.monotonic_ns()):
                self._wait(self._by_name[receiver], sent)
        os.eventfd_write(self._wake, 1)

    def disturb(self, disturbance: Disturbance) -> Disturbed:
        """Let a disturbance of packets begin."""
        with self._lock:
            return self._lines.disturb(disturbance)

    def settle(self, disturbed: Disturbed) -> None:
        """End this disturbance and no other."""
        with self._lock:
            self._lines.settle(disturbed)

    def reset_connections(self, one: str, other: str) -> int:
        """Break every TCP connection between two nodes; returns how many."""
        return reset_connections(self._hosts, one, other)

    def _run(self) -> None:
        poll = select.epoll()
        for fd in (*self._devices, self._wake):
            poll.register(fd, select.EPOLLIN)
        while not self._is_over:
            for fd, _ in poll.poll(self._patience_s()):
                if fd == self._wake:
                    os.eventfd_read(fd)
                else:
                    self._take(fd)
            self._hand_on()
        poll.close()
        for device in self._devices:
            os.close(device)

    def _patience_s(self) -> float:
        with self._lock:
            if not self._waiting:
                return _WAIT_S
            return min(_WAIT_S, max(0.0, (self._waiting[0][0] - time.monotonic_ns()) / 1e9))

    def _take(self, device: int) -> None:
        """Take in what comes from a device, and hand on at once what need not wait."""
        sender = self._devices[device]
        for _ in range(_AT_ONCE):
            try:
                frame = os.read(device, _FRAME_MAX)
            except BlockingIOError:
                return
            for receiver in self._receivers(sender, frame):
                with self._lock:
                    for sent in self._lines.forward((sender, receiver), frame, time.monotonic_ns()):
                        self._wait(self._by_name[receiver], sent)

    def _receivers(self, sender: str, frame: bytes) -> Iterable[str]:
        known = self._by_mac.get(frame[:6])
        if known is not None:
            return (known,)
        return (name for name in self._by_name if name != sender)  # A broadcast.

    def _wait(self, device: int, sent: Sent) -> None:
        due_ns, frame = sent
        self._number += 1
        heapq.heappush(self._waiting, (due_ns, self._number, device, frame))

    def _hand_on(self) -> None:
        """Write every frame whose time has come."""
        with self._lock:
            now_ns, due = time.monotonic_ns(), []
            while self._waiting and self._waiting[0][0] <= now_ns:
                due.append(heapq.heappop(self._waiting))
        for _, _, device, frame in due:
            with suppress(OSError):  # A full queue loses frames, as that of any switch does.
                os.write(device, frame)


def _with_bit_turned(frame: bytes, number: int) -> bytes:
    """The frame with one bit turned behind its Ethernet header."""
    damaged = bytearray(frame)
    at = number % ((len(frame) - _HEADER) * 8)
    damaged[_HEADER + at // 8] ^= 1 << at % 8
    return bytes(damaged)


@contextmanager
def _in_network(host: Host) -> Iterator[None]:
    """Within this context the calling thread is in a host's network namespace; the clients' is its own."""
    if host.name == CLIENTS:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    theirs = os.open(f"/run/netns/{host.name}", os.O_RDONLY)
    try:
        _set_network(libc, theirs)
        try:
            yield
        finally:
            _set_network(libc, own)
    finally:
        os.close(own)
        os.close(theirs)


def _set_network(libc: ctypes.CDLL, network: int) -> None:
    if libc.setns(network, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _tap() -> int:
    """A new device called `eth0` in the network namespace of this thread. Raises: OSError."""
    device = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22s", b"eth0", _IFF_TAP | _IFF_NO_PI, b""))
    return device
