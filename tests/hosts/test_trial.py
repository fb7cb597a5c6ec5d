"""Whole trials in namespaces of this machine. They take real time, and prove no timing."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ostrakon.harness.catalogue import find_workload
from ostrakon.harness.faults import grudge
from ostrakon.harness.hosts.memory import ROOTS, NoControlGroups, hierarchy
from ostrakon.harness.hosts.substrate import TOOLS, unshare
from ostrakon.harness.hosts.switch import DEVICE
from ostrakon.harness.hosts.system import missing
from ostrakon.harness.plan import BadPlan, Fault, Latency, Plan
from ostrakon.harness.planning import plan_for
from ostrakon.harness.store import Store
from ostrakon.harness.trial import Trial, run
from ostrakon.harness.volume.mounted import NoFuse, require_fuse
from tests.hosts.toy import CARELESS_EARLY, DURABLE, DURABLE_EARLY, HUNGRY, NEVER_UP, NOT_INSTALLED, TOY

THREE = ("n1", "n2", "n3")
PLACE = "tests.hosts.toy"
MARK = "OSTRAKON_TEST_OF_HOSTS"
PATIENCE_S = 30.0


def _why_not() -> str:
    """Why there can be no hosts here; empty if there can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if absent := list(missing(TOOLS)):
        return "; ".join(absent)
    tried = subprocess.run([*unshare(), "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else ""


def _why_no_volumes() -> str:
    try:
        require_fuse()
    except NoFuse as missing:
        return str(missing)
    return ""


def _why_no_groups() -> str:
    try:
        hierarchy()
    except NoControlGroups as missing:
        return str(missing)
    return ""


def control_groups() -> list[str]:
    """The control groups that trials have left behind, which are those whose harness has ended or is this."""
    found = (group for root in ROOTS for group in root.glob("ostrakon-*-*"))
    return [str(group) for group in found if not _is_others(int(group.name.split("-")[1]))]


def _is_others(pid: int) -> bool:
    return pid != os.getpid() and Path(f"/proc/{pid}").exists()


needs_groups = pytest.mark.skipif(bool(none := _why_no_groups()), reason=none or "they can be made")
needs_volumes = pytest.mark.skipif(bool(no := _why_no_volumes()), reason=no or "they can be mounted")
needs_clocks = pytest.mark.skipif(platform.machine() != "x86_64", reason="clocks are set on x86-64 only")
needs_hosts = pytest.mark.skipif(bool(why := _why_not()), reason=why or "they can be made")


def a_plan(*faults: Fault, workload: Any = TOY, name: str = "TOY", **fields: Any) -> Plan:
    given = {"seed": 1, "faults": faults, "source": f"{PLACE}:{name}", **fields}
    return plan_for(workload, **given)


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> str:
    """A mark that all processes have in their environment which a test starts, whoever starts them."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    return mark


def processes_of(mark: str) -> dict[int, str]:
    """The processes that a test has started, each with its network namespace."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = os.readlink(folder / "ns/net")
    return {pid: network for pid, network in found.items() if pid != os.getpid()}


def networks_in_use() -> set[str]:
    """The network namespaces that a process is in, and those that something is bound to."""
    bound = {line.split()[3] for line in Path("/proc/self/mountinfo").read_text().splitlines()}
    return bound.union(_networks())


def _networks() -> Iterator[str]:
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            yield os.readlink(folder / "ns/net")


def machine_of_its_own() -> tuple[str, ...]:
    """What a trial must not touch: mounts, interfaces and packet filter of the machine itself."""
    told = [["ip", "-o", "link"], ["nft", "list", "ruleset"], ["ip", "netns"]]
    shown = (subprocess.run(each, capture_output=True, text=True, check=False).stdout for each in told)
    # Other mounts may come and go: this machine is not the test's alone.
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    own = ("nsfs", "/run/netns", "/run/ostrakon", "/etc/hosts")
    return (*(line for line in mounts if any(map(line.__contains__, own))), *shown)


@needs_hosts
def test_faults_have_their_effects_and_everything_is_kept(tmp_path: Path, marked: str) -> None:
    machine = machine_of_its_own()
    faults = [
        Fault("partition", 100, 300, grudge=grudge.isolate(THREE, ["n2"])),
        Fault("clog", 500, 200, links=(("n3", "n1"),)),
        Fault("pause", 800, 200, nodes=("n3",)),
        Fault("kill", 900, 200, target="primary"),
        Fault("stop", 4000, 1000, nodes=("n2",)),  # Late: the nemesis waits until n1 is up again.
    ]

    trial = run(a_plan(*faults, time_limit_s=6.0), store=Store(tmp_path), report=True)

    assert trial.valid == "valid", trial.why
    assert [effect["inert"] for effect in trial.effects] == [False] * len(faults)
    assert trial.effects[3]["stopped"] == ["n1"]
    assert [event.node for event in trial.trace if event.event == "is_primary"] == ["n1"]
    assert [event.node for event in trial.trace if event.event == "restart" and event.incarnation] == [
        "n1",
        "n2",
    ]
    assert trial.folder is not None
    assert sorted(log.name for log in (trial.folder / "log").iterdir()) == [
        f"{n}.register.log" for n in THREE
    ]
    assert "Python" in trial.results()["versions"][Path(sys.executable).name]
    assert (trial.folder / "report.html").exists()
    assert not (trial.folder / "nodes").exists()
    assert processes_of(marked) == {}
    assert machine_of_its_own() == machine


@needs_hosts
def test_a_cut_stops_packets_one_way_and_counts_them(tmp_path: Path) -> None:
    one_way = Fault("partition", 100, 600, grudge={"n1": ("n2",)})
    nobody = Fault("partition", 1000, 300, grudge={"n3": ("n2",)})

    trial = run(a_plan(one_way, nobody), store=Store(tmp_path))

    stopped, idle = trial.effects
    assert stopped["messages"] > 0
    assert idle["inert"], "nothing is ever sent from n2 to n3"
    assert "no message was sent" in idle["why_inert"]
    assert trial.recording.network["messages"] > stopped["messages"]


@needs_hosts
@pytest.mark.skipif(not os.access(DEVICE, os.R_OK | os.W_OK), reason=f"{DEVICE} cannot be opened")
def test_single_packets_are_struck(tmp_path: Path, marked: str) -> None:
    machine = machine_of_its_own()
    kinds = ("delay", "reorder", "drop", "duplicate", "corrupt", "throttle")
    faults = [
        Fault(kind, 50 + 300 * number, 250, probability=0.5, ms=5.0) for number, kind in enumerate(kinds)
    ]
    cut = Fault("partition", 1900, 300, grudge={"n1": ("n2",)})

    trial = run(a_plan(*faults, cut, time_limit_s=2.5), store=Store(tmp_path))

    assert trial.valid == "valid", trial.why
    assert all(effect["messages"] > 0 for effect in trial.effects)
    assert processes_of(marked) == {}
    assert machine_of_its_own() == machine


@needs_hosts
def test_a_reset_breaks_connections(tmp_path: Path) -> None:
    resets = [Fault("reset", at_ms, 1, links=(("n1", "n2"),)) for at_ms in range(100, 1500, 20)]

    trial = run(a_plan(*resets), store=Store(tmp_path))

    assert sum(effect.get("connections", 0) for effect in trial.effects) > 0


@needs_hosts
@needs_volumes
def test_a_power_failure_loses_what_a_program_has_not_synced_and_nothing_else(
    tmp_path: Path, marked: str
) -> None:
    machine = machine_of_its_own()
    failures = [Fault("power_loss", 1100, 100, nodes=THREE)]

    def trial(seed: int, workload: Any, name: str) -> Trial:
        plan = a_plan(*failures, seed=seed, time_limit_s=3.0, workload=workload, name=name)
        return run(plan, store=Store(tmp_path))

    # What was not synced is kept now and then.
    careless = (trial(seed, CARELESS_EARLY, "CARELESS_EARLY") for seed in range(1, 5))
    careful = trial(1, DURABLE_EARLY, "DURABLE_EARLY")

    lost = next(tried for tried in careless if tried.valid == "invalid")
    assert {told["name"] for told in lost.anomalies} == {"not linearizable"}
    assert careful.valid == "valid", careful.headline
    assert [effect["inert"] for effect in careful.effects] == [False]
    assert processes_of(marked) == {}
    assert machine_of_its_own() == machine
    assert "fuse.volume" not in Path("/proc/self/mounts").read_text()


@needs_hosts
@needs_volumes
def test_a_program_that_its_disk_has_ended_is_started_anew_and_is_not_to_blame(tmp_path: Path) -> None:
    full = Fault("full_disk", 300, 700, nodes=("n1",))
    failing = Fault("failing_sync", 2500, 700, nodes=("n1",))
    slow = Fault("slow_disk", 5000, 700, nodes=("n1",), ms=20.0)

    trial = run(
        a_plan(full, failing, slow, time_limit_s=7.0, workload=DURABLE, name="DURABLE"), store=Store(tmp_path)
    )

    assert trial.valid == "valid", trial.headline
    assert all(effect["operations"] > 0 for effect in trial.effects)
    crashes = trial.results()["crashes"]
    assert {crash["node"] for crash in crashes} == {"n1"}
    assert all(crash["inflicted"] for crash in crashes)
    assert any("Input/output error" in crash["traceback"] for crash in crashes)


ROOTLESS = ("unshare", "--user", "--map-root-user", "--")


def _why_not_rootless() -> str:
    tried = subprocess.run([*ROOTLESS, *unshare(), "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else ""


@needs_hosts
def test_a_trial_needs_no_root_where_user_namespaces_are_allowed(tmp_path: Path, marked: str) -> None:
    if why_not := _why_not_rootless():
        pytest.skip(why_not)
    machine = machine_of_its_own()

    harness = started(tmp_path, "--time-limit", "6", "--seed", "1", nemesis="kill,pause", within=ROOTLESS)
    told, errors = harness.communicate(timeout=2 * PATIENCE_S)

    assert harness.returncode == 0, told + errors
    assert "took effect" in told
    assert processes_of(marked) == {}
    assert machine_of_its_own() == machine


@needs_hosts
@needs_clocks
def test_a_clock_that_is_set_is_seen_by_what_the_system_says_and_set_right_again(tmp_path: Path) -> None:
    jumps = [Fault("clock_jump", at_ms, 400, nodes=("n1",), ms=ms) for at_ms, ms in ((100, 9e4), (300, -5e3))]
    down = Fault("kill", 1500, 300, nodes=("n2",))
    meanwhile = Fault("clock_jump", 1600, 1500, nodes=("n2",), ms=-1e4)  # n2 starts while its clock is off.
    inert = Fault("clock_jump", 3300, 100, nodes=("n3",), ms=0.0)

    trial = run(a_plan(*jumps, down, meanwhile, inert, time_limit_s=4.0), store=Store(tmp_path))

    told = [effect for effect in trial.effects if effect["kind"] == "clock_jump"]
    assert [effect.get("clocks") for effect in told] == [["n1"], ["n1"], ["n2"], None]
    assert told[3]["inert"]


@needs_hosts
@needs_groups
def test_a_node_that_needs_more_memory_than_it_gets_is_killed_and_started_anew(tmp_path: Path) -> None:
    limits = [Fault("oom", at_ms, 1500, nodes=("n1",)) for at_ms in (300, 600)]  # They overlap.

    trial = run(
        a_plan(*limits, time_limit_s=5.0, workload=HUNGRY, name="HUNGRY"), store=Store(tmp_path), report=True
    )

    assert trial.valid == "valid", trial.headline
    assert trial.effects[0]["other"]["oom_kills"] > 0
    assert all(crash["inflicted"] for crash in trial.results()["crashes"])
    assert control_groups() == []


@needs_hosts
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize(
    "nemesis",
    ["none", pytest.param("power_loss", marks=needs_volumes), pytest.param("oom", marks=needs_groups)],
)
def test_nothing_outlives_a_harness_that_is_stopped(
    tmp_path: Path, marked: str, number: signal.Signals, nemesis: str
) -> None:
    machine = machine_of_its_own()
    harness = started(tmp_path, "--time-limit", "60", nemesis=nemesis)
    running = _wait_for_hosts(marked)
    networks = set(running.values()) - {os.readlink("/proc/self/ns/net")}

    harness.send_signal(number)
    harness.communicate(timeout=PATIENCE_S)

    deadline = time.monotonic() + PATIENCE_S
    while ((left := processes_of(marked)) or control_groups()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left == {}
    assert control_groups() == []
    assert len(networks) == 4, "three nodes, and the clients"
    assert networks.isdisjoint(networks_in_use())
    assert machine_of_its_own() == machine
    assert "fuse.volume" not in Path("/proc/self/mounts").read_text()
    assert next(tmp_path.glob("store/toy/*/history.jsonl")).exists()


@needs_hosts
def test_nothing_outlives_a_trial_whose_process_is_killed(tmp_path: Path, marked: str) -> None:
    harness = started(tmp_path, "--time-limit", "60")
    running = _wait_for_hosts(marked)
    trial = next(pid for pid in running if b"hosts.trial" in Path(f"/proc/{pid}/cmdline").read_bytes())

    os.kill(trial, signal.SIGKILL)
    told = harness.communicate(timeout=PATIENCE_S)[1]

    assert harness.returncode == 255
    assert "the process of the trial ended" in told
    assert processes_of(marked) == {}


def started(
    folder: Path, *options: str, nemesis: str = "none", within: Sequence[str] = ()
) -> subprocess.Popen[str]:
    """The command, as a process of its own that ctrl-C can stop; `within` is what it is an argument of."""
    command = [*within, sys.executable, "-m", "ostrakon.harness.cli", "test", f"{PLACE}:TOY", *options]
    return subprocess.Popen(
        [*command, "--nemesis", nemesis, "--store", str(folder / "store")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts something in the background has it ignore ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def _wait_for_hosts(mark: str) -> dict[int, str]:
    """The processes of a trial, when those of all nodes are there."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = processes_of(mark)
        if len(set(found.values())) == 5:  # Three nodes, the clients, and the machine itself.
            return found
        time.sleep(0.02)
    raise AssertionError(f"the nodes did not start: {found}")


@needs_hosts
def test_a_system_that_does_not_come_up_is_told_with_the_end_of_its_log(tmp_path: Path, marked: str) -> None:
    with pytest.raises(BadPlan, match=r"never-up did not come up .* the moon is in the wrong phase"):
        run(a_plan(workload=NEVER_UP, name="NEVER_UP"), store=Store(tmp_path))

    assert processes_of(marked) == {}


def test_what_is_not_installed_is_named_with_the_line_that_installs_it() -> None:
    with pytest.raises(BadPlan) as told:
        run(a_plan(workload=NOT_INSTALLED, name="NOT_INSTALLED"))

    assert "no-such-program is not installed: apt-get install no-such-package" in str(told.value)
    assert "no_such_library is not installed: pip install 'ostrakon[systems]'" in str(told.value)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"faults": (Fault("short_reads", 1, 1, nodes=("n1",), probability=0.5),)},
            "short_reads, which cannot be done on hosts",
        ),
        ({"faults": (Fault("suspend", 1, 1, nodes=("n1",)),)}, "a monotonic clock cannot stop"),
        ({"faults": (Fault("clock_skew", 1, 1, nodes=("n1",), rate=2.0),)}, "the kernel's time-outs"),
        ({"faults": (Fault("drop", 1, 1, probability=0.5, message="x"),)}, "messages"),
        ({"buggify": 0.5}, "buggify is for simulation"),
        ({"latency": Latency()}, "packets take as long as the kernel needs"),
        ({"substrate": "sim"}, "only the substrate 'hosts' can run it"),
    ],
)
def test_what_hosts_cannot_do_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(BadPlan, match=why):
        run(a_plan(*fields.pop("faults", ()), **fields))


def test_where_nothing_can_be_mounted_faults_of_disks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostrakon.harness.volume.mounted.shutil.which", lambda *_: None)

    with pytest.raises(BadPlan, match="is a power_loss: faults of real disks need fusermount3"):
        run(a_plan(Fault("power_loss", 1, 1, nodes=("n1",))))


def test_where_no_control_group_can_be_made_oom_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ostrakon.harness.hosts.memory.ROOTS", (tmp_path,))
    monkeypatch.setattr("ostrakon.harness.hosts.substrate._require_namespaces", lambda: None)

    with pytest.raises(BadPlan, match="the fault oom limits memory by control groups: no hierarchy"):
        run(a_plan(Fault("oom", 1, 1, nodes=("n1",))))


def test_a_clock_fault_on_a_system_that_tells_no_time_is_refused() -> None:
    zookeeper = find_workload("zookeeper")

    with pytest.raises(BadPlan, match="zookeeper tells nobody what time it is"):
        run(plan_for(zookeeper, seed=1, nemesis="clock_jump"))


def test_where_no_clock_can_be_set_clock_faults_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ostrakon.harness.hosts.clock.platform.machine", lambda: "aarch64")

    with pytest.raises(BadPlan, match="on x86-64 only, and this is aarch64"):
        run(a_plan(Fault("clock_jump", 1, 1, nodes=("n1",), ms=1.0)))


def test_a_workload_of_python_programs_is_not_for_hosts() -> None:
    from ostrakon.workloads.decree import DECREE

    with pytest.raises(BadPlan, match="has no programs to start on hosts"):
        run(plan_for(DECREE, seed=1, substrate="hosts"))


def test_a_machine_that_allows_no_namespaces_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> Any:
        return subprocess.CompletedProcess([], 1, "", "unshare failed: Operation not permitted")

    monkeypatch.setattr("ostrakon.harness.hosts.substrate.missing", lambda *_: ())
    monkeypatch.setattr("ostrakon.harness.hosts.substrate.subprocess.run", refused)
    with pytest.raises(BadPlan, match=r"this user may not make them .*Operation not permitted"):
        run(a_plan())
