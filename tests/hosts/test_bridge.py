"""Cuts of real links, measured by packets."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

from ostrakon.harness.hosts.substrate import unshare
from tests.hosts.test_trial import needs_hosts

PROGRAM = """
    import json, subprocess, sys, time
    from ostrakon.harness.hosts.bridge import Bridge
    from ostrakon.harness.hosts.topology import addresses, bridge, enter, hosts_of, namespaces

    SENDER = '''
    import socket, time
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    while True:
        try:
            out.sendto(str(time.monotonic_ns()).encode(), ("10.77.0.2", 4000))
        except OSError:
            pass
        time.sleep(0.001)
    '''
    RECEIVER = '''
    import socket, sys
    into = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    into.bind(("10.77.0.2", 4000))
    while True:
        print(into.recv(100).decode(), flush=True)
    '''
    hosts = hosts_of(("n1", "n2"))
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    for command, text in (*namespaces(hosts), *bridge(hosts), *addresses(hosts)):
        subprocess.run(command, input=text, text=True, check=True)
    python = [sys.executable, "-c"]
    receiver = subprocess.Popen([*enter("n2"), *python, RECEIVER], stdout=subprocess.PIPE, text=True)
    sender = subprocess.Popen([*enter("n1"), *python, SENDER])
    receiver.stdout.readline()
    links, moments = Bridge(hosts), []
    for _ in range(3):
        moments.append(time.monotonic_ns())
        cut = links.cut({"n2": ("n1",)})
        time.sleep(0.3)
        moments.append(time.monotonic_ns())
        links.mend(cut)
        assert cut.messages > 0
        time.sleep(0.3)
    sender.kill()
    receiver.kill()
    arrived = [int(line) for line in receiver.stdout.read().split()]
    print(json.dumps([moments, arrived]))
"""


@needs_hosts
def test_no_packet_passes_long_after_a_cut_and_packets_pass_soon_after_it_is_mended() -> None:
    told = subprocess.run(
        [*unshare(), sys.executable, "-c", textwrap.dedent(PROGRAM)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    moments, arrived = json.loads(told.stdout)

    late_ms = [latency(moments, arrived, number) for number in range(3)]
    # 50 ms is what it takes on a machine with nothing else to do; this one may have much.
    assert min(cut for cut, _ in late_ms) < 50, late_ms
    assert min(mended for _, mended in late_ms) < 50, late_ms


def latency(moments: list[int], arrived: list[int], number: int) -> tuple[float, float]:
    """How many milliseconds after a cut was asked for the last packet was sent that passed; and, after the
    end was asked for, the first."""
    cut, mended = moments[2 * number], moments[2 * number + 1]
    middle = (cut + mended) // 2
    last = max((sent for sent in arrived if sent < middle), default=cut)
    first = min(sent for sent in arrived if sent >= middle)
    return (last - cut) / 1e6, (first - mended) / 1e6
