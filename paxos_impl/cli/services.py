"""The service commands of Basic Paxos: `paxos registry` and `paxos serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ostrakon.paxos_impl.cli.address import ADDRESS
from ostrakon.paxos_impl.cli.member import Kind, MemberProcess, as_member
from ostrakon.paxos_impl.cli.service_options import Service, resolved, serves

if TYPE_CHECKING:
    from ostrakon.paxos_impl.server.decree_node import DecreeServer
    from ostrakon.paxos_impl.server.driver import Tracer
    from ostrakon.paxos_impl.storage.disk import OsDisk
    from ostrakon.paxos_impl.wire.membership import Membership


@click.command()
@click.option("--listen", type=ADDRESS, default="127.0.0.1:7000", show_default=True, help="Where to listen.")
@serves
def registry(service: Service) -> None:
    """Run the registry, which gives servers their ids and tells them the addresses of the others.

    Servers need the registry until their cluster is complete; clients need it to find servers. It may be
    killed and started again at any time.
    """
    import secrets
    from functools import partial

    import trio

    from ostrakon.paxos_impl.registry.server import serve_registry
    from ostrakon.paxos_impl.storage.disk import OsDisk

    async def main(stop: trio.Event) -> None:
        disk = OsDisk(service.data)
        serve = partial(
            serve_registry,
            resolved(service.listen),
            disk=disk,
            new_cluster_id=lambda: secrets.token_hex(8),
            log=service.say,
            transport=service.transport,
        )
        async with trio.open_nursery() as nursery:
            service.say(f"listening on {await nursery.start(serve)}")
            await stop.wait()
            nursery.cancel_scope.cancel()

    service.run(main)


@click.command()
@as_member
def serve(member: MemberProcess) -> None:
    """Run an instance: proposer, acceptor and learner in one.

    It registers, waits until the cluster is complete, and serves until stopped. After any crash, started
    again with the same --listen and --data, it is the same instance and keeps its promises.
    """
    from random import SystemRandom

    from ostrakon.paxos_impl.server.decree_handler import answer_before_cluster
    from ostrakon.paxos_impl.server.decree_node import DecreeServer, NodeConfig
    from ostrakon.paxos_impl.wire.decree import read_incoming

    async def recover(
        service: Service, server_id: int, membership: Membership, disk: OsDisk, tracer: Tracer | None
    ) -> DecreeServer:
        config = NodeConfig(server_id, membership, transport=service.transport)
        return await DecreeServer.recover(config, disk, rng=SystemRandom(), tracer=tracer, log=service.say)

    member.run(Kind("log", read_incoming, answer_before_cluster, recover))
