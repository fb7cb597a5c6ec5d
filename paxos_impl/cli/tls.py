"""The options of TLS, for those who serve and those who ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ostrakon.paxos_impl.transport import Transport

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def with_tls(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options `cert`, `key` and `ca`."""
    for name, about in (
        ("ca", "The certificate of the cluster's own authority: who shows none signed by it gets nothing."),
        ("key", "The key of that certificate."),
        ("cert", "Speak TLS, showing this certificate; PEM, as the other two are."),
    ):
        command = click.option(
            f"--{name}", f"tls_{name}", type=_FILE, envvar=f"PAXOS_{name.upper()}", help=about
        )(command)
    return command


def transport_of(cert: Path | None, key: Path | None, ca: Path | None) -> Transport:
    """How to connect, by these options.

    Raises: click.UsageError.
    """
    from ostrakon.paxos_impl.transport import PLAIN, BadCertificate, mutual_tls

    match (cert, key, ca):
        case (None, None, None):
            return PLAIN
        case (Path() as cert, Path() as key, Path() as ca):
            try:
                return mutual_tls(cert, key, ca)
            except BadCertificate as error:
                raise click.UsageError(f"no TLS with {error}") from None
    raise click.UsageError("TLS takes all three of --cert, --key and --ca")
