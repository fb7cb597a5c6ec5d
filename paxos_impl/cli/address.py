"""The type of address arguments of the `paxos` command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ostrakon.paxos_impl.wire.membership import Address


class AddressType(click.ParamType):  # type: ignore[type-arg]  # Generic in newer versions of click only.
    """HOST:PORT."""

    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Parse an address. Raises: click.BadParameter."""
        from ostrakon.paxos_impl.wire.membership import Address

        if isinstance(value, Address):
            return value
        try:
            return Address.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


ADDRESS = AddressType()
