"""The TLS options of services and clients."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ostrakon.paxos_impl.wire.transport import Transport

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def with_tls(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options `--cert`, `--key` and `--ca` to a command."""
    for name, about in (
        ("ca", "The certificate of the cluster's own authority; a peer needs a certificate signed by it."),
        ("key", "The key of that certificate."),
        ("cert", "Use TLS with this certificate; PEM, as the other two files."),
    ):
        command = click.option(
            f"--{name}", f"tls_{name}", type=_FILE, envvar=f"PAXOS_{name.upper()}", help=about
        )(command)
    return command


def transport_of(cert: Path | None, key: Path | None, ca: Path | None) -> Transport:
    """The transport for these options.

    Raises: click.UsageError.
    """
    from ostrakon.paxos_impl.wire.transport import PLAIN, BadCertificate, mutual_tls

    match (cert, key, ca):
        case (None, None, None):
            return PLAIN
        case (Path() as cert, Path() as key, Path() as ca):
            try:
                return mutual_tls(cert, key, ca)
            except BadCertificate as error:
                raise click.UsageError(f"TLS can't use {error}") from None
    raise click.UsageError("TLS needs all three of --cert, --key and --ca")
