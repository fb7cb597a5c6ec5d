"""A network and machines in a few lines, for faults to act on: what is cut, what is down, and who did it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ostrakon.harness.faults.grudge import Grudge
from ostrakon.harness.sim.disk.disk_fault import DiskFault
from ostrakon.harness.substrates.message_faults import Disturbance


@dataclass(eq=False)
class Strike:
    """A cut or a disturbance while it lasts, and how often it struck."""

    shape: Grudge | Disturbance
    messages: int = 0
    seen: int = 0


@dataclass
class ToyLinks:
    """Delivers at once, unless a cut or a disturbance says otherwise."""

    cuts: list[Strike] = field(default_factory=list)
    disturbances: list[Strike] = field(default_factory=list)
    holds: list[Strike] = field(default_factory=list)

    def hold(self, links: Collection[tuple[str, str]]) -> Strike:
        self.holds.append(Strike({}))
        return self.holds[-1]

    def release(self, hold: Strike) -> None:
        self.holds.remove(hold)

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

    def reset_connections(self, one: str, other: str) -> int:
        return 1

    def send(self, sender: str, receiver: str) -> list[str]:
        """Send a message; returns what befalls it."""
        for cut in self.cuts:
            assert not isinstance(cut.shape, Disturbance)
            if sender in cut.shape.get(receiver, ()):
                cut.messages += 1
                return ["cut"]
        befell: list[str] = []
        for strike in self.disturbances:
            assert isinstance(strike.shape, Disturbance)
            if strike.shape.links is None or (sender, receiver) in strike.shape.links:
                strike.messages += 1
                befell.append(strike.shape.kind)
        return befell

    @property
    def is_quiet(self) -> bool:
        return not self.cuts and not self.disturbances and not self.holds


@dataclass
class ToyClock:
    """Shows what it is told to."""

    rate: float = 1.0
    offset_s: float = 0.0
    wall_readings: int = 0
    is_frozen: bool = False

    def set_rate(self, rate: float) -> None:
        self.rate = rate

    def step(self, seconds: float) -> None:
        self.offset_s += seconds

    def freeze(self) -> None:
        self.is_frozen = True

    def thaw(self) -> None:
        self.is_frozen = False


@dataclass
class ToySpoiler:
    """Faults of a disk that damage data, and how often they have."""

    faults: list[DiskFault] = field(default_factory=list)
    struck: dict[str, int] = field(default_factory=dict)


@dataclass
class ToyDisk:
    """Holds nothing; only its faults can be seen."""

    sync_latency: object = "fast"
    capacity: int | None = None
    failing: dict[str, int] = field(default_factory=dict)
    on_operation: Callable[[str, str], object] | None = None
    waits: int = 0
    refusals: int = 0
    used: int = 0
    faulty: ToySpoiler = field(default_factory=ToySpoiler)

    def disturb(self, fault: DiskFault) -> DiskFault:
        self.faulty.faults.append(fault)
        return fault

    def decay(self, kind: str) -> int:
        return 1

    def settle(self, fault: DiskFault) -> None:
        self.faulty.faults.remove(fault)

    @property
    def is_well(self) -> bool:
        return self == ToyDisk()


@dataclass
class ToyMachine:
    """Does what it is told, and refuses what would make no sense."""

    is_running: bool = True
    is_paused: bool = False
    has_power: bool = True
    told: Counter[str] = field(default_factory=Counter)
    breaks_at: str | None = None
    clock: ToyClock = field(default_factory=ToyClock)
    disk: ToyDisk = field(default_factory=ToyDisk)
    progress: tuple[int, int] = (0, 0)
    crash: Callable[[], object] | None = None

    def crash_after(self, turns: int, crash: Callable[[], object]) -> None:
        self.crash = crash

    def spare(self, crash: Callable[[], object]) -> None:
        if self.crash is crash:
            self.crash = None

    def pause(self) -> None:
        self._hear("pause")
        self.is_paused = self.is_running

    def resume(self) -> None:
        self._hear("resume")
        assert self.is_running, "a process that is gone cannot go on"
        self.is_paused = False

    def stop(self) -> None:
        self._hear("stop")
        self.is_running = self.is_paused = False

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
        is_sound = self.clock == ToyClock() and self.disk.is_well and self.crash is None
        return self.is_running and not self.is_paused and self.has_power and is_sound


def toy_machines(*names: str) -> dict[str, ToyMachine]:
    return {name: ToyMachine() for name in names}
