"""Scenarios: named plans, written by hand, in which one fault comes at exactly the moment that matters."""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files

import msgspec

from ostrakon.harness.plan import Plan, decode_plan


class Scenario(msgspec.Struct, frozen=True, dict=True):
    """A scenario. A package offers a mapping of scenarios by name at an entry point of
    `ostrakon.scenarios`."""

    name: str
    """The name of the plan's file without its suffix."""
    about: str
    """What happens, in a sentence."""
    bugs: tuple[str, ...]
    """The names of the seeded bugs that the scenario convicts."""
    package: str
    """The package that has the plan's file."""

    @cached_property
    def plan(self) -> Plan:
        """The plan. Raises: BadPlan."""
        file = files(self.package) / f"{self.name}.json"
        return decode_plan(file.read_bytes(), file.name)
