"""The adapters of this project: they are short, and complete."""

from __future__ import annotations

import inspect

import pytest

from ostrakon.harness.catalogue import find_workload, workload_names
from ostrakon.harness.hosts.topology import hosts_of

SYSTEMS = [name for name in workload_names() if find_workload(name).system is not None]
HOSTS = hosts_of(("n1", "n2", "n3"))


def test_there_are_some() -> None:
    assert {"etcd", "etcd-lock", "redis-sentinel", "zookeeper", "paxos-kv"} <= set(SYSTEMS)


@pytest.mark.parametrize("name", SYSTEMS)
def test_an_adapter_is_a_class_of_at_most_60_lines(name: str) -> None:
    lines, _ = inspect.getsourcelines(type(find_workload(name).system))

    assert len(lines) <= 60


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_host_has_services_whose_programs_it_requires(name: str) -> None:
    system = find_workload(name).system
    assert system is not None
    required = {package.program for package in system.packages}

    for host in HOSTS:
        services = system.services(host, HOSTS, {})
        assert services
        assert {service.command[0] for service in services} <= required
        assert len({service.name for service in services}) == len(services)
