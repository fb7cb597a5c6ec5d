"""A server of leases: who holds one may act alone for `LEASE_S` seconds. One line asks, one answers.

Leases are kept in memory. A server that was started again does not know who holds what, so it grants nothing
until every lease that its predecessor can have granted is over.
"""

import time
from contextlib import suppress

import trio

PORT, LEASE_S = 6000, 0.5
BUGS = {
    "wall-clock": "leases are measured by a clock that can be set forward",
    "early-start": "a server that was started again grants at once",
}


class Leases:
    """Who holds what, and until when by this machine's clock."""

    def __init__(self, bug=None):
        self.clock = time.time if bug == "wall-clock" else time.monotonic
        self.held, self.last_grant = {}, None
        self.closed_until = self.clock() if bug == "early-start" else self.clock() + LEASE_S

    def acquire(self, lease, who):
        """Grant a lease unless somebody else holds it."""
        now = self.clock()
        holder, until = self.held.get(lease, (None, self.closed_until))
        if holder != who and now < until:
            return "held"
        self.held[lease] = who, now + LEASE_S
        self.last_grant = time.time()  # For people to read; nothing is decided by it.
        return "ok"

    def release(self, lease, who):
        """Give a lease back before its time."""
        if self.held.get(lease, ("", 0))[0] != who:
            return "not yours"
        del self.held[lease]
        return "ok"


async def serve(bug=None):
    """Answer `acquire LEASE WHO` and `release LEASE WHO`."""
    leases = Leases(bug)

    async def handle(stream):
        rest = b""
        with suppress(trio.BrokenResourceError):
            async for chunk in stream:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    what, lease, who = line.decode().split()
                    answer = leases.acquire(lease, who) if what == "acquire" else leases.release(lease, who)
                    await stream.send_all(answer.encode() + b"\n")

    await trio.serve_tcp(handle, PORT)
