"""Scenarios: plans made by hand, each with a name, in which one thing goes wrong at just the right moment."""

from __future__ import annotations

from functools import cached_property
from importlib.resources import files

import msgspec

from ostrakon.harness.plan import Plan, decode_plan


class Scenario(msgspec.Struct, frozen=True, dict=True):
    """One of them. Packages offer theirs as mappings by name, at entry points of `ostrakon.scenarios`."""

    name: str
    """The name of its file, without its ending."""
    about: str
    """What happens, in a sentence."""
    bugs: tuple[str, ...]
    """The seeded bugs that it convicts."""
    package: str
    """Beside which module the file lies."""

    @cached_property
    def plan(self) -> Plan:
        """What is run. Raises: BadPlan."""
        file = files(self.package) / f"{self.name}.json"
        return decode_plan(file.read_bytes(), file.name)
