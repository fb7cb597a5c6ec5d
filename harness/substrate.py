"""The interface of the four substrates: each runs the same resolved plans and returns the same recordings.

`sim` runs programs in virtual time, `model` bare nodes on an event heap, `live` processes of this machine
behind a proxy, `hosts` programs in any language on hosts that are network namespaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol

from ostrakon.harness.plan import Substrate as SubstrateName
from ostrakon.harness.recording import Recording
from ostrakon.harness.resolution import ResolvedPlan
from ostrakon.harness.store import RunFolder


class Substrate(Protocol):
    """Runs plans."""

    def require(self, plan: ResolvedPlan) -> None:
        """Refuse a plan that this substrate cannot run. Raises: BadPlan."""

    def run(self, plan: ResolvedPlan, folder: RunFolder | None, *, watch: bool) -> Recording:
        """Run a plan that `require` accepted. If a folder is given, save history and trace there.

        With `watch`, a substrate that can stop early does so when the workload's monitor reports a violation.
        """


_MODULES: Mapping[SubstrateName, str] = {
    "sim": "ostrakon.harness.simulation",
    "model": "ostrakon.harness.model.run",
    "live": "ostrakon.harness.live.cluster",
    "hosts": "ostrakon.harness.hosts.substrate",
}


def find_substrate(name: SubstrateName) -> Substrate:
    """The substrate with this name. It is imported at first use, because some are slow to import."""
    substrate: Substrate = import_module(_MODULES[name]).SUBSTRATE
    return substrate
