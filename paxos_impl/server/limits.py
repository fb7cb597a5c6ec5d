"""The limits of a server: how many connections it accepts, and how long each may stay silent."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, gc=False):
    """Each can be set by an option of `serve`."""

    connections: int = 2000
    """Maximum number of incoming connections; a further one is closed at once."""
    connections_per_host: int = 1000
    """The same for connections from one host that are not from this machine."""
    clients: int = 1000
    """Maximum number of clients; a further one is refused."""
    first_request_s: float = 10.0
    """Time that a new connection has for its first message, in seconds, and that any message has to arrive
    after its first byte."""
    idle_s: float | None = None
    """Time after which a client that neither asks for anything nor waits for an answer is disconnected, in
    seconds; None for never."""
    answer_bytes: int = 256 << 20
    """Maximum length of all answers that clients have not read yet, in bytes. Beyond it, the client whose
    answer does not fit is disconnected."""


LIMITS = Limits()
"""The defaults."""
