"""One direction of a TCP connection: bytes go in at one socket and come out at the other, in order.

Loss, partitions and what TCP makes of them are here; `network.py` has the rules in words. A segment is
either bytes or a mark: `OPEN` is the end of the handshake and `FIN` the end of the stream, both of which are
lost and sent again like data.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from enum import Enum
from typing import TYPE_CHECKING
from zlib import crc32

from ostrakon.harness.sim.network.hold import InFlight
from ostrakon.harness.sim.network.link import Link
from ostrakon.harness.sim.network.network import UNNUMBERED, LinkMessage
from ostrakon.harness.substrates.framing import Splitter

if TYPE_CHECKING:
    from ostrakon.harness.sim.network.network import Network
    from ostrakon.harness.sim.network.stream_socket import StreamSocket

RTO_NS = 200_000_000
"""The time until a lost segment is first sent again; it doubles each time."""
RTO_MAX_NS = 120_000_000_000
USER_TIMEOUT_NS = 900_000_000_000
WINDOW = 65536
"""The maximum number of bytes in flight or unread before `send` blocks."""


class Mark(Enum):
    """A segment without bytes."""

    OPEN = 1
    FIN = 2


_FIN = Mark.FIN
Segment = bytes | Mark


class HalfConnection:
    """Carries what `source` sends to `sink`."""

    __slots__ = (
        "_end_ns",
        "_first",
        "_gap_ns",
        "_kernel",
        "_last_ns",
        "_lost",
        "_lost_since_ns",
        "_network",
        "_number",
        "_rto_ns",
        "_splitter",
        "_together",
        "link",
        "read",
        "sink",
        "source",
        "unread",
    )

    def __init__(self, network: Network, link: Link, source: StreamSocket, sink: StreamSocket) -> None:
        self.link, self.source, self.sink = link, source, sink
        self.unread = 0
        """Bytes sent that the receiving program has not taken yet."""
        self.read = 0
        """Bytes that the receiving program has taken."""
        self._network, self._kernel = network, network.kernel
        self._number = network.next_number()
        self._last_ns = 0
        """When the last segment in order arrives; none that may not overtake arrives before it."""
        self._end_ns = 0
        """When the last segment of all arrives; the end of the stream comes after it."""
        self._lost: deque[tuple[Segment, LinkMessage | None]] = deque()
        """Segments to be sent again, and those that wait behind them."""
        self._lost_since_ns, self._rto_ns = 0, RTO_NS
        self._first = True
        self._gap_ns = sink.process.segment_gap_ns
        self._together: list[bytes] | None = None
        """The last segments, as long as more can join them because they arrive at the same time."""
        framing = network.framing
        self._splitter: Splitter | None = (
            framing.splitter() if framing is not None and link.is_between_nodes else None
        )

    def send(self, data: bytes) -> None:
        """Take bytes from the source's program."""
        self.unread += len(data)
        if self._splitter is None:
            link, network = self.link, self._network
            if not link.is_between_nodes:
                self._launch_unnumbered(data)
            elif link.disturbed or network.deviations or network.on_message is not None:
                self._send_message(data)
            else:
                link.sent += 1
                network.messages += 1
                kernel = self._kernel
                if link.down or link.bytes_per_s is not None or kernel.choice_log is not None:
                    self._launch(data)
                    return
                # As `_launch` does; nearly all segments of short trials go this way.
                at_ns = kernel.now_ns + link.draw_ns()
                if at_ns <= self._last_ns:
                    if self._together is not None:
                        self._together.append(data)
                        return
                    at_ns = self._last_ns + self._gap_ns
                self._last_ns = at_ns
                if at_ns > self._end_ns:
                    self._end_ns = at_ns
                if self._gap_ns:
                    kernel.call_at(at_ns, self._arrive, data, None)
                else:
                    self._together = together = [data]
                    kernel.call_at(at_ns, self._arrive_together, together)
        else:
            for frame in self._splitter.feed(data):
                if self._first:
                    self._first = False
                    self.link.sent += 1
                    self._launch_unnumbered(frame)
                else:
                    self._send_message(frame)

    def mark(self, mark: Mark) -> None:
        """Send a mark behind everything sent so far."""
        if self._splitter is not None and (rest := self._splitter.rest()):
            self._launch(rest)
        self._launch(mark)

    def taken(self, count: int) -> None:
        """The receiving program has read `count` bytes, so there is room for more."""
        self.unread -= count
        self.read += count
        if self.source.wants_room:
            self._tell_of_room()

    def _launch_unnumbered(self, data: bytes) -> None:
        if self._network.on_unnumbered is None or self.link.is_loopback:
            self._launch(data)
        else:
            self._launch(data, self._message(data, UNNUMBERED))

    def _send_message(self, data: bytes) -> None:
        network, link = self._network, self.link
        link.sent += 1
        number = network.messages
        network.messages = number + 1
        if link.disturbed or network.deviations:
            self._launch_disturbed(data, number)
        elif network.on_message is None:
            self._launch(data)
        else:
            self._launch(data, self._message(data, number))

    def _launch_disturbed(self, data: bytes, number: int) -> None:
        network, link = self._network, self.link
        fate = network.fate(link, number, data)
        message = self._message(data, number) if network.on_message is not None else None
        # TCP repairs what happens to its segments; late is all that they can be.
        is_sent_again = self._splitter is None and (fate.copies == 0 or fate.corrupt_bit is not None)
        link.delayed += fate.extra_ns > 0 or is_sent_again
        if self._splitter is None:
            self._launch(data, message, fate.extra_ns + (RTO_NS if is_sent_again else 0))
        elif fate.copies == 0:
            link.dropped += 1
            self.unread -= len(data)
            if message is not None:
                self._report(message)
        else:
            if fate.corrupt_bit is not None:
                data = self._splitter.corrupt(data, fate.corrupt_bit)
            self._launch(data, message, fate.extra_ns, fate.may_be_overtaken)
            for _ in range(fate.copies - 1):
                link.duplicated += 1
                self.unread += len(data)
                self._launch(data, message, 0, may_be_overtaken=True)

    def _launch(
        self,
        segment: Segment,
        message: LinkMessage | None = None,
        extra_ns: int = 0,
        may_be_overtaken: bool = False,
    ) -> None:
        link, kernel = self.link, self._kernel
        self._together = None
        if link.down:
            self._lose(segment, message)
            return
        if kernel.choice_log is not None:
            kernel.note_choice("send", *link.name, _check_sum(segment))
        at_ns = kernel.now_ns + link.draw_ns() + extra_ns
        if link.bytes_per_s is not None and type(segment) is bytes:
            at_ns += link.queueing_ns(len(segment))
            self._network.held_up_until_ns = max(self._network.held_up_until_ns, at_ns)
        if segment is _FIN:
            at_ns = max(at_ns, self._end_ns + 1)
        if not may_be_overtaken:
            if at_ns <= self._last_ns:
                at_ns = self._last_ns + self._gap_ns
            self._last_ns = at_ns
        if at_ns > self._end_ns:
            self._end_ns = at_ns
        kernel.call_at(at_ns, self._arrive, segment, message)

    def _arrive(self, segment: Segment, message: LinkMessage | None) -> None:
        link = self.link
        if link.down:
            self._lose(segment, message)
        elif link.holds:
            self._keep(segment, message)
        elif self._lost:
            self._lost.append((segment, message))
        elif message is None and type(segment) is bytes:
            kernel = self._kernel
            link.delivered += 1
            check_sum = crc32(segment)
            kernel.fingerprint = hash((kernel.fingerprint, kernel.now_ns, self._number, check_sum))
            self.sink.arrive(segment)
        else:
            self._deliver(segment, message)

    def _arrive_together(self, segments: list[bytes]) -> None:
        """Segments of which all but the first have caught up with the one before."""
        if self._together is segments:
            self._together = None
        link = self.link
        if link.down or link.holds or self._lost:
            for segment in segments:
                self._arrive(segment, None)
            return
        kernel = self._kernel
        link.delivered += len(segments)
        data = segments[0] if len(segments) == 1 else b"".join(segments)
        kernel.fingerprint = hash((kernel.fingerprint, kernel.now_ns, self._number, crc32(data)))
        self.sink.arrive(data)

    def _keep(self, segment: Segment, message: LinkMessage | None) -> None:
        is_bytes = isinstance(segment, bytes)
        self.link.holds[0].keep(
            InFlight(
                *self.link.name,
                payload=segment if isinstance(segment, bytes) else b"",
                is_whole=is_bytes and self._splitter is not None,
                arrive=lambda: self._deliver(segment, message),
            )
        )

    def _deliver(self, segment: Segment, message: LinkMessage | None) -> None:
        link, kernel = self.link, self._kernel
        link.delivered += 1
        kernel.fingerprint = hash((kernel.fingerprint, kernel.now_ns, self._number, _check_sum(segment)))
        if message is not None:
            is_received = not (self.sink.closed or self.sink.broken)
            self._report(message._replace(received_ns=kernel.now_ns) if is_received else message)
        self.sink.arrive(segment)

    def _lose(self, segment: Segment, message: LinkMessage | None) -> None:
        self.link.count_cut()
        if self.source.broken:
            if message is not None:
                self._report(message)
            return
        self._lost.append((segment, message))
        if len(self._lost) == 1:
            self._lost_since_ns, self._rto_ns = self._kernel.now_ns, RTO_NS
            self._kernel.call_at(self._kernel.now_ns + RTO_NS, self._send_again)

    def _send_again(self) -> None:
        kernel = self._kernel
        if self.source.broken or not self._lost:
            self._give_up()
        elif not self.link.down:
            lost, self._lost = self._lost, deque()
            for segment, message in lost:
                self._launch(segment, message)
        elif kernel.now_ns - self._lost_since_ns >= (self.user_timeout_ns or USER_TIMEOUT_NS):
            self._give_up()
            self.source.break_with(errno.ETIMEDOUT)
        else:
            self.link.count_cut()
            self._rto_ns = min(2 * self._rto_ns, RTO_MAX_NS)
            kernel.call_at(kernel.now_ns + self._rto_ns, self._send_again)

    @property
    def user_timeout_ns(self) -> int | None:
        """How long what was lost may be sent again, or the window may be shut; None if nobody has said."""
        set_ms: int = self.source.option_values.get((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 0)
        return set_ms * 1_000_000 or None

    def _give_up(self) -> None:
        lost, self._lost = self._lost, deque()
        for _, message in lost:
            if message is not None:
                self._report(message)

    def _tell_of_room(self) -> None:
        """The window update travels back as an acknowledgement does."""
        back = self._network.link_between(self.link.receiver, self.link.sender)
        if back.down:
            self._kernel.call_at(self._kernel.now_ns + RTO_NS, self._tell_of_room)
        else:
            self._kernel.call_at(self._kernel.now_ns + back.draw_ns(), self.source.has_room)

    def _message(self, data: bytes, number: int) -> LinkMessage:
        return LinkMessage(number, *self.link.name, data, self._kernel.now_ns, None)

    def _report(self, message: LinkMessage) -> None:
        network = self._network
        listener = network.on_message if message.number != UNNUMBERED else network.on_unnumbered
        if listener is not None:
            listener(message)


def _check_sum(segment: Segment) -> int:
    return segment.value if isinstance(segment, Mark) else crc32(segment)
