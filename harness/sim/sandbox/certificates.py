"""Certificates and keys in files of a simulated machine, which OpenSSL would look for on the real disk."""

from __future__ import annotations

import os
import posix
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ostrakon.harness.sim.disk.filesystem import is_installed
from ostrakon.harness.sim.kernel.errors import refuse

if TYPE_CHECKING:
    from ostrakon.harness.sim.sandbox.host import Resident

_memfd_create = os.memfd_create
"""The real method, which programs may not call."""


def replacements(simulated: Callable[..., Any]) -> Iterator[tuple[Any, str, Any]]:
    """The replacements for the methods of `SSLContext` that read files; `sandbox.py` installs them."""
    context = ssl.SSLContext
    for name, ours in (("load_cert_chain", _load_chain), ("load_verify_locations", _load_authorities)):
        real = getattr(context, name)
        yield context, name, _method(simulated, real, ours)


def _method(simulated: Callable[..., Any], real: Callable[..., Any], ours: Callable[..., Any]) -> Any:
    call = simulated(real, lambda process, self, *args, **kwargs: ours(process, real, self, *args, **kwargs))

    def method(self: ssl.SSLContext, *args: Any, **kwargs: Any) -> Any:
        return call(self, *args, **kwargs)

    return method


def _load_chain(
    process: Resident,
    real: Callable[..., None],
    context: ssl.SSLContext,
    certfile: Any,
    keyfile: Any = None,
    password: Any = None,
) -> None:
    with ExitStack() as stack:
        chain = _real_copy(stack, certfile)
        key = None if keyfile is None else _real_copy(stack, keyfile)
        real(context, chain, key, password)


def _load_authorities(
    process: Resident,
    real: Callable[..., None],
    context: ssl.SSLContext,
    cafile: Any = None,
    capath: Any = None,
    cadata: Any = None,
) -> None:
    if capath is not None:
        refuse(process, "a directory of certificates", "give cafile or cadata")
    with ExitStack() as stack:
        real(context, None if cafile is None else _real_copy(stack, cafile), None, cadata)


def _real_copy(stack: ExitStack, path: Any) -> str:
    """The path of a copy in memory, for as long as the stack stands. Raises: OSError."""
    if is_installed(path):
        return os.fsdecode(path)
    with open(path, "rb") as file:
        content = file.read()
    descriptor = _memfd_create("certificate")
    stack.callback(posix.close, descriptor)
    posix.write(descriptor, content)
    return f"/proc/self/fd/{descriptor}"
