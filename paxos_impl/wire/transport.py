"""How connections are made and accepted: plain TCP, or TLS in which both sides show a certificate.

What must always hold: with TLS, a peer without a certificate of the cluster's authority gets no data, and no
data of it is read.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import anyio
import trio
from anyio.abc import AnyByteStream, SocketAttribute
from anyio.streams.tls import TLSStream

from ostrakon.paxos_impl.wire.membership import Address

HANDSHAKE_TIMEOUT_S = 5.0
"""Time that a peer has to show its certificate, in seconds."""
UNACKNOWLEDGED_MS = 1000
"""Time after which a connection is closed if sent data is not acknowledged, in milliseconds.

TCP alone would send the data again less and less often, and would not notice for minutes that the network
works again."""
_KEEPALIVE_S, _PROBES = 30, 3
"""A silent peer is probed after so many seconds, and considered gone after so many probes."""


class NotAuthenticated(Exception):
    """The peer has no valid certificate, or sent no request in time."""


class BadCertificate(Exception):
    """A certificate, its key or the authority's can't be used; the message names the files."""


@dataclass(frozen=True, slots=True)
class Transport:
    """How one side connects (`dials`) and accepts (`takes`); either both use TLS or neither."""

    dials: ssl.SSLContext | None = None
    takes: ssl.SSLContext | None = None

    async def dial(self, address: Address) -> trio.abc.Stream:
        """Connect to an address.

        Raises: OSError, also if the peer shows no certificate of the authority.
        """
        stream = await trio.open_tcp_stream(address.host, address.port)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        if self.dials is None:
            return stream
        return await _after_handshake(_tls(stream, self.dials))

    async def connect(self, address: Address) -> AnyByteStream:
        """Connect to an address, as a client that runs on Trio or on asyncio; `dial` is for servers.

        Raises: OSError, also if the peer shows no certificate of the authority.
        """
        try:
            stream = await anyio.connect_tcp(address.host, address.port)
        except OSError as error:
            # anyio's own error only says that all attempts have failed.
            raise (error.__cause__ if isinstance(error.__cause__, OSError) else error) from None
        sock = stream.extra(SocketAttribute.raw_socket)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS)
        if self.dials is None:
            return stream
        try:
            return await TLSStream.wrap(
                stream, hostname=address.host, ssl_context=self.dials, standard_compatible=False
            )
        except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            await anyio.aclose_forcefully(stream)
            raise OSError(f"no TLS with it: {_reason(error)}") from error
        except BaseException:
            await anyio.aclose_forcefully(stream)
            raise

    async def take(self, stream: trio.SocketStream) -> trio.abc.Stream:
        """Prepare an accepted connection.

        Raises: NotAuthenticated.
        """
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_S)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_S)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _PROBES)
        if self.takes is None:
            return stream
        try:
            with trio.fail_after(HANDSHAKE_TIMEOUT_S):
                return await _after_handshake(_tls(stream, self.takes, server_side=True))
        except trio.TooSlowError:
            raise NotAuthenticated(f"it showed no certificate within {HANDSHAKE_TIMEOUT_S:g} s") from None
        except OSError as error:
            raise NotAuthenticated(str(error)) from None


PLAIN = Transport()
"""No TLS: any process that can connect is trusted."""


def mutual_tls(certificate: Path, key: Path, authority: Path) -> Transport:
    """TLS in which each side must show a certificate that this authority has signed.

    Any such certificate is accepted, for any name: whoever has one belongs to the cluster. So the authority
    should sign certificates for this cluster only.

    Raises: BadCertificate.
    """
    contexts = []
    for protocol in (ssl.PROTOCOL_TLS_CLIENT, ssl.PROTOCOL_TLS_SERVER):
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # Members are identified by their authority, not by their names.
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
    # A stream may end without TLS's own end marker (which `https_compatible` allows), because frames tell
    # their length.
    return trio.SSLStream(stream, context, server_side=server_side, https_compatible=True)


async def _after_handshake(stream: trio.SSLStream[trio.SocketStream]) -> trio.abc.Stream:
    """The stream after the handshake. Raises: OSError."""
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
    """Why there was no handshake: which side's certificate was refused, and why."""
    cause = error if isinstance(error, ssl.SSLError) else error.__cause__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"{cause.reason}: this side refused the certificate that it showed: {cause.verify_message}"
    if not isinstance(cause, ssl.SSLError):
        return str(cause or error)
    reason = str(cause.reason or cause)
    if "ALERT" in reason:
        return f"{reason}: it refused the certificate of this side"
    if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
        return f"{reason}: it showed no certificate, and every side must show one"
    return reason
