"""Any package can offer a kind of fault, and it works wherever those of this project do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ostrakon.harness.faults import FAULTS, GROUPS, FaultKind, find_kind, kind_names, victims
from ostrakon.harness.faults.kind import COLOURS
from ostrakon.harness.faults.process import KILL

ROOT = Path(__file__).parents[2]

LOSE_DNS = '''
"""Names cannot be resolved on some nodes, and connections that were open are reset."""

import socket
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from ostrakon.harness.faults import Effect, FaultKind, settled, victims


@contextmanager
def lost_names(fault, cluster):
    lookups = 0

    async def getaddrinfo(host, port, *rest):
        nonlocal lookups
        lookups += 1
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    with ExitStack() as undo:
        for name in fault.nodes:
            resolver = cluster.machine(name).resolver
            undo.enter_context(cluster.replaced(resolver, "getaddrinfo", getaddrinfo))
        for pair in cluster.links(fault):
            cluster.network.reset_connections(*pair)
        yield settled(undo, lambda: Effect(other={"lookups": lookups}), lambda: "no name was looked up")


LOSE_DNS = FaultKind(
    "lose_dns", "names cannot be resolved", lost_names, victims,
    ms_min=300, ms_max=1500, colour="clock", substrates=("sim",),
)
ALL = (LOSE_DNS, replace(LOSE_DNS, name="lose-dns-for-long", variant_of="lose_dns", ms_min=1500))
'''
SCRIPT = """
import json
from hypothesis import given, settings
from ostrakon.harness.faults import Cluster, apply_fault
from ostrakon.harness.plan import Fault
from ostrakon.harness.sim import World
from ostrakon.harness.strategies import TRIALS, plans
from ostrakon.harness.trial import run

drawn = []

@given(plans("register", kinds=("lose_dns",)))
@settings(TRIALS, max_examples=8)
def collect(plan):
    drawn.extend(fault.kind for fault in plan.faults)
    assert run(plan).valid != "invalid"

collect()
with World(1) as world:
    machine = world.machine("n1")
    with apply_fault(Fault("lose_dns", 0, 1, nodes=("n1",)), Cluster.of(world.network, world.machines)):
        during = "getaddrinfo" in vars(machine.resolver)
    print(json.dumps({"drawn": sorted(set(drawn)), "during": during, "after": list(vars(machine.resolver))}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as pip leaves it, with a package that offers a fault."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "lossy_names-1.0.dist-info"
    info.mkdir()
    (folder / "lossy_names.py").write_text(LOSE_DNS)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lossy-names\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ostrakon.faults]\nlose_dns = lossy_names:ALL\n")
    return folder


def run(installed: Path, *arguments: object, code: str = "") -> subprocess.CompletedProcess[str]:
    told = ["-c", code] if code else ["-m", "ostrakon", *map(str, arguments)]
    return subprocess.run(
        [sys.executable, *told],
        cwd=installed,
        env={"PYTHONPATH": f"{installed}:{ROOT}", "PATH": "/usr/bin:/bin", "HOME": str(installed)},
        capture_output=True,
        text=True,
        timeout=280,
    )


def test_a_fault_of_another_package_is_drawn_applied_told_and_replayed(installed: Path) -> None:
    asked = ("test", "register", "--nemesis", "lose_dns,lose-dns-for-long", "--seed", 1, "--nodes", 3)
    first = run(installed, *asked, "--store", "store")
    folder = installed / "store" / "register" / "seed-1"
    results = json.loads((folder / "results.json").read_text())
    page = (folder / "report.html").read_text()
    again = run(installed, "replay", folder)

    assert first.returncode == 0, first.stdout + first.stderr
    assert {fault["kind"] for fault in results["faults"]} == {"lose_dns"}
    assert any(fault.get("other", {}).get("lookups", 0) > 0 for fault in results["faults"])
    assert "fault-clock" in page
    assert "lose dns" in page
    assert again.returncode == 0, again.stdout + again.stderr


def test_it_is_searched_and_shrunk_like_any_other(installed: Path) -> None:
    searched = ("--trials", 12, "--store", "soaked", "--json")
    soak = run(installed, "soak", "register", "--nemesis", "lose_dns", *searched)
    asked = ("test", "register", "--bug", "ack-before-quorum", "--nemesis", "lose_dns")
    broken = run(installed, *asked, "--seed", 1, "--store", "broken")
    shrunk = run(installed, "shrink", installed / "broken" / "register" / "seed-1", "--seconds", 3)

    assert soak.returncode in (0, 2), soak.stdout + soak.stderr
    assert "lose_dns" in soak.stdout
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert shrunk.returncode == 1, shrunk.stdout + shrunk.stderr


def test_strategies_draw_it_and_it_is_undone(installed: Path) -> None:
    done = run(installed, code=SCRIPT)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "drawn": ["lose_dns"],
        "during": True,
        "after": ["_network"],
    }


@pytest.mark.parametrize(
    ("offer", "complaint"),
    [
        ("lossy_names:lost_names", "is a function, expected a FaultKind"),
        ("lossy_names:NOTHING", "cannot be loaded: AttributeError"),
        (
            "ostrakon.harness.faults.process:KILL",
            "offers a fault 'kill', and there is one of that name already",
        ),
    ],
)
def test_what_is_no_fault_is_refused_in_a_sentence(
    installed: Path, tmp_path: Path, offer: str, complaint: str
) -> None:
    for source in installed.rglob("*.py"):
        (tmp_path / source.name).write_text(source.read_text())
    info = tmp_path / "bad-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[ostrakon.faults]\nbad = {offer}\n")

    refused = run(tmp_path, "test", "register", "--nemesis", "quake", "--seed", 1)

    assert refused.returncode == 254, refused.stdout + refused.stderr
    assert complaint in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_fault_says_what_is_wrong_with_its_name_or_colour() -> None:
    with pytest.raises(ValueError, match="cannot be called 'Lose DNS': expected small letters"):
        FaultKind("Lose DNS", "", KILL.apply, victims)
    with pytest.raises(ValueError, match="the colour 'mauve'; there are partition, pause"):
        FaultKind("lose_dns", "", KILL.apply, victims, colour="mauve")


def test_every_name_leads_to_a_kind_that_a_plan_can_have() -> None:
    assert {kind.kind for kind in FAULTS.values()} == set(kind_names())
    assert all(find_kind(kind.kind) is not None for kind in FAULTS.values())
    assert find_kind("halves") is None, "a variant is no kind"
    assert not set(FAULTS) & set(GROUPS)


def test_reports_have_every_colour() -> None:
    style = (ROOT / "reports" / "pages" / "style.css").read_text()

    assert not [colour for colour in COLOURS if f".fault-{colour} " not in style]
