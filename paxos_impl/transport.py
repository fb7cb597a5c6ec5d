"""How connections are made and taken: as bare TCP, or with TLS, in which both sides show a certificate.

What must always hold: with TLS, nobody who has no certificate of the cluster's authority is told anything,
and nothing that they say is read.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import trio

from ostrakon.paxos_impl.membership import Address

HANDSHAKE_TIMEOUT_S = 5.0
"""How long who connects may take to show a certificate."""
UNHEARD_MS = 1000
"""How long what was sent may go without an acknowledgement before the connection is given up for a new one.

TCP by itself would send it again less and less often, and not notice for minutes that a network is whole
again."""
_SILENT_S, _PROBES = 30, 3
"""After how long a silence who has connected is probed, and how often, before it is taken for gone."""


class Stranger(Exception):
    """Who connected did not show that it belongs here."""


class BadCertificate(Exception):
    """A certificate, its key or the authority's can't be used; the message names the files."""


@dataclass(frozen=True, slots=True)
class Transport:
    """One side's way of connecting; both `dials` and `takes` have it, or neither."""

    dials: ssl.SSLContext | None = None
    takes: ssl.SSLContext | None = None

    async def dial(self, address: Address) -> trio.abc.Stream:
        """Connect to who listens at an address.

        Raises: OSError; with TLS, that includes whoever shows no certificate of the authority.
        """
        stream = await trio.open_tcp_stream(address.host, address.port)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_MS)
        if self.dials is None:
            return stream
        return await _shaken(_tls(stream, self.dials))

    async def take(self, stream: trio.SocketStream) -> trio.abc.Stream:
        """The same for who has connected.

        Raises: Stranger.
        """
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _SILENT_S)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _SILENT_S)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
        if self.takes is None:
            return stream
        try:
            with trio.fail_after(HANDSHAKE_TIMEOUT_S):
                return await _shaken(_tls(stream, self.takes, server_side=True))
        except trio.TooSlowError:
            raise Stranger(f"it showed no certificate within {HANDSHAKE_TIMEOUT_S:g} s") from None
        except OSError as error:
            raise Stranger(str(error)) from None


PLAIN = Transport()
"""No TLS: whoever can connect is believed."""


def mutual_tls(certificate: Path, key: Path, authority: Path) -> Transport:
    """TLS in which each side must show a certificate that this authority has signed.

    Any such certificate will do, for whatever name: to have one is to belong to the cluster, and so the
    authority should be the cluster's own.

    Raises: BadCertificate.
    """
    contexts = []
    for protocol in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER):
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # Members are found by address, and known by their authority.
        context.verify_mode = ssl.CERT_REQUIRED
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ValueError) as error:
            raise BadCertificate(f"{certificate} with the key {key}: {error}") from None
        try:
            context.load_verify_locations(authority)
        except OSError as error:
            raise BadCertificate(f"{authority}: {error}") from None
        contexts.append(context)
    return Transport(*contexts)


def _no_password() -> str:
    raise ValueError("the key is encrypted; give one that is not")


def _tls(
    stream: trio.SocketStream, context: ssl.SSLContext, *, server_side: bool = False
) -> trio.SSLStream[trio.SocketStream]:
    # Frames tell their length, so that there is no need for TLS to tell the end of the stream too, which is
    # what its being compatible with HTTPS means.
    return trio.SSLStream(stream, context, server_side=server_side, https_compatible=True)


async def _shaken(stream: trio.SSLStream[trio.SocketStream]) -> trio.abc.Stream:
    """The stream after both sides have shown who they are. Raises: OSError."""
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError as error:
        await trio.aclose_forcefully(stream)
        raise OSError(f"no TLS with it: {_reason(error)}") from error
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


def _reason(error: BaseException) -> str:
    cause = error.__cause__
    return str(cause.reason or cause) if isinstance(cause, ssl.SSLError) else str(cause or error)
