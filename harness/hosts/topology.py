"""The network of a trial as data: hosts, their addresses, and the commands that make and cut it.

A bridge in a hub namespace joins all hosts by pairs of virtual interfaces, so that every packet between two
hosts passes one packet filter. Clients are in a namespace of their own, the one that the trial's process
starts in. The machine's own network is never touched. Everything here is pure.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import PurePosixPath

HUB = "hub"
"""The namespace that has the bridge."""
CLIENTS = "clients"
"""The name of the host that clients run on."""
NETWORK = "10.77.0"
ROOT = PurePosixPath("/run/ostrakon")
"""Below it each node sees its files. `/run` is a new file system, seen in the trial's mount namespace only.
"""
_CLIENTS_NUMBER = 200
_TABLE = "bridge ostrakon"

LinkEnds = tuple[str, str]
"""Sender and receiver, by name."""


@dataclass(frozen=True, slots=True)
class Host:
    """One node's place: a namespace, a name, an address and a folder."""

    name: str
    """Its host name, as `n1`."""
    number: int
    """Its number, from 1."""

    @property
    def address(self) -> str:
        """Its IPv4 address."""
        return f"{NETWORK}.{self.number}"

    @property
    def folder(self) -> PurePosixPath:
        """Its files, as its processes see them."""
        return ROOT / self.name

    @property
    def data(self) -> PurePosixPath:
        """Where its programs keep what must survive a restart."""
        return self.folder / "data"

    @property
    def port(self) -> str:
        """The bridge's interface that leads to it."""
        return f"p{self.number}"


def hosts_of(names: Sequence[str]) -> tuple[Host, ...]:
    """The hosts of the nodes of these names, numbered from 1."""
    return tuple(Host(name, number) for number, name in enumerate(names, start=1))


def hosts_file(hosts: Sequence[Host]) -> str:
    """What `/etc/hosts` says in all of the trial's namespaces."""
    known = ((host.address, host.name) for host in everyone(hosts))
    return "".join(f"{address} {name}\n" for address, name in (("127.0.0.1", "localhost"), *known))


Command = tuple[Sequence[str], str]
"""A command, and what it reads from its standard input."""


def namespaces(hosts: Sequence[Host]) -> Iterator[Command]:
    """The commands that make a namespace for each host, and one for the bridge."""
    # Routers and neighbours of IPv6 send packets of their own accord. A cut that struck only these would seem
    # to have an effect.
    no_ipv6 = "echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null || true"
    yield ("ip", "-batch", "-"), "".join(f"netns add {name}\n" for name in (HUB, *_names(hosts)))
    for name in (HUB, *_names(hosts)):
        yield (*enter(name), "sh", "-c", no_ipv6), ""
    yield ("sh", "-c", no_ipv6), ""


def bridge(hosts: Sequence[Host]) -> Iterator[Command]:
    """The commands that join all hosts by a bridge, with its packet filter."""
    yield ("ip", "-n", HUB, "-batch", "-"), "link add br0 type bridge\nlink set br0 up\n"
    yield ("ip", "-batch", "-"), "".join(_pair(host) for host in everyone(hosts))
    ports = (f"link set {host.port} master br0 up\n" for host in everyone(hosts))
    yield ("ip", "-n", HUB, "-batch", "-"), "".join(ports)
    yield (*enter(HUB), "nft", "-f", "-"), filter_rules(hosts)


def addresses(hosts: Sequence[Host]) -> Iterator[Command]:
    """The commands that give every host's interface its addresses; it must be there by then."""
    for host in everyone(hosts):
        within = ("-n", host.name) if host.name != CLIENTS else ()
        mac = mac_of(host).hex(":")
        lines = f"link set eth0 address {mac}\naddr add {host.address}/24 dev eth0\nlink set eth0 up\n"
        yield ("ip", *within, "-batch", "-"), f"{lines}link set lo up\n"


def everyone(hosts: Sequence[Host]) -> tuple[Host, ...]:
    """The hosts of all nodes, and that of the clients."""
    return (*hosts, Host(CLIENTS, _CLIENTS_NUMBER))


def mac_of(host: Host) -> bytes:
    """The hardware address of a host's interface."""
    return bytes((2, 0, 0, 0, 0, host.number))


def enter(name: str) -> tuple[str, ...]:
    """The beginning of a command that runs in the network namespace of this name."""
    return ("nsenter", f"--net=/run/netns/{name}")


def on_host(host: Host, command: Sequence[str], procs: str = "/dev/null") -> tuple[str, ...]:
    """A command as it runs on a host: in its network, with its host name, as one process.

    `procs` is the file of a control group to which a process writes 0 to become one of the group.
    """
    start = 'hostname "$0" && echo 0 >"$1" && shift && exec "$@"'
    return (*enter(host.name), "unshare", "--uts", "sh", "-c", start, host.name, procs, *command)


def filter_rules(hosts: Sequence[Host]) -> str:
    """The packet filter: one set of links that are cut, and one that counts the packets of each link.

    Packets of IP alone are cut and counted, so that an address is still found by ARP; what ARP says is not
    sent by the system under test.
    """
    links = ", ".join(_element(hosts, link) for link in permutations(_names(hosts), 2))
    elements = f"elements = {{ {links} }}" if links else ""
    return f"""table {_TABLE} {{
  set cut {{ typeof iifname . oifname; counter; }}
  set sent {{ typeof iifname . oifname; counter; {elements} }}
  chain links {{
    type filter hook forward priority 0;
    meta protocol ip iifname . oifname @sent
    meta protocol ip iifname . oifname @cut drop
  }}
}}
"""


def change_of_cuts(hosts: Sequence[Host], before: Collection[LinkEnds], after: Collection[LinkEnds]) -> str:
    """The commands for nft that cut what is cut after and not before, and mend the rest: all at once."""
    lines = []
    for verb, links in (("delete", set(before) - set(after)), ("add", set(after) - set(before))):
        if links:
            elements = ", ".join(_element(hosts, link) for link in sorted(links))
            lines.append(f"{verb} element {_TABLE} cut {{ {elements} }}\n")
    return "".join(lines)


def list_counts(name: str) -> Sequence[str]:
    """The command that lists a set with its counters, as JSON."""
    return (*enter(HUB), "nft", "--json", "list", "set", *_TABLE.split(), name)


def counts(hosts: Sequence[Host], listed: str) -> Mapping[LinkEnds, int]:
    """The packets of each link in a set, from what `nft --json` lists."""
    by_port = {host.port: host.name for host in hosts}
    found: dict[LinkEnds, int] = {}
    for part in json.loads(listed)["nftables"]:
        for member in part.get("set", {}).get("elem", ()):
            sender, receiver = member["elem"]["val"]["concat"]
            found[by_port[sender], by_port[receiver]] = member["elem"]["counter"]["packets"]
    return found


def _names(hosts: Sequence[Host]) -> list[str]:
    return [host.name for host in hosts]


def _pair(host: Host) -> str:
    near = f" netns {host.name}" if host.name != CLIENTS else ""
    return f"link add name eth0{near} type veth peer name {host.port} netns {HUB}\n"


def _element(hosts: Sequence[Host], link: LinkEnds) -> str:
    ports = {host.name: host.port for host in hosts}
    return f'"{ports[link[0]]}" . "{ports[link[1]]}"'
