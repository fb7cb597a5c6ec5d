"""A network and machines in a few lines, for faults to act on: what is cut, what is down, and who did it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from harness.nemesis.grudge import Grudge
from harness.sim.link import Disturbance


@dataclass(eq=False)
class Strike:
    """A cut or a disturbance while it lasts, and how often it struck."""

    shape: Grudge | Disturbance
    messages: int = 0


@dataclass
class ToyLinks:
    """Delivers at once, unless a cut or a disturbance says otherwise."""

    cuts: list[Strike] = field(default_factory=list)
    disturbances: list[Strike] = field(default_factory=list)

    def cut(self, grudge: Grudge) -> Strike:
        self.cuts.append(Strike(grudge))
        return self.cuts[-1]

    def mend(self, cut: Strike) -> None:
        self.cuts.remove(cut)

    def disturb(self, disturbance: Disturbance) -> Strike:
        self.disturbances.append(Strike(disturbance))
        return self.disturbances[-1]

    def settle(self, disturbed: Strike) -> None:
        self.disturbances.remove(disturbed)

    def send(self, sender: str, receiver: str) -> list[str]:
        """Send a message; returns what befalls it."""
        for cut in self.cuts:
            assert not isinstance(cut.shape, Disturbance)
            if sender in cut.shape.get(receiver, ()):
                cut.messages += 1
                return ["cut"]
        befell = []
        for strike in self.disturbances:
            assert isinstance(strike.shape, Disturbance)
            if strike.shape.links is None or (sender, receiver) in strike.shape.links:
                strike.messages += 1
                befell.append(strike.shape.kind)
        return befell

    @property
    def is_quiet(self) -> bool:
        return not self.cuts and not self.disturbances


@dataclass
class ToyMachine:
    """Does what it is told, and refuses what would make no sense."""

    is_running: bool = True
    is_paused: bool = False
    has_power: bool = True
    told: Counter[str] = field(default_factory=Counter)
    breaks_at: str | None = None

    def pause(self) -> None:
        self._hear("pause")
        self.is_paused = self.is_running

    def resume(self) -> None:
        self._hear("resume")
        assert self.is_running, "a process that is gone cannot go on"
        self.is_paused = False

    def kill(self) -> None:
        self._hear("kill")
        self.is_running = self.is_paused = False

    def power_off(self) -> None:
        self._hear("power_off")
        self.is_running = self.is_paused = self.has_power = False

    def restart(self) -> None:
        self._hear("restart")
        assert not self.is_running, "it would be started twice"
        self.is_running = self.has_power = True

    def _hear(self, order: str) -> None:
        self.told[order] += 1
        if order == self.breaks_at:
            raise OSError(f"cannot {order}")

    @property
    def is_well(self) -> bool:
        return self.is_running and not self.is_paused and self.has_power


def toy_machines(*names: str) -> dict[str, ToyMachine]:
    return {name: ToyMachine() for name in names}
