"""OpenSSL loads certificates and keys that a program has written on its simulated machine."""

from __future__ import annotations

import pathlib
import ssl
from typing import Any

import pytest
import trustme

from ostrakon.harness.sim import World
from tests.sim.toy import run_one


def test_a_program_loads_the_certificates_that_it_has_written() -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("server")
    told: list[Any] = []

    async def program(_: World) -> None:
        pathlib.Path("/etc/chain.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
        pathlib.Path("/etc/key.pem").write_bytes(issued.private_key_pem.bytes())
        pathlib.Path("/etc/ca.pem").write_bytes(authority.cert_pem.bytes())
        server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.load_cert_chain("/etc/chain.pem", pathlib.Path("/etc/key.pem"))
        client = ssl.create_default_context(cafile="/etc/ca.pem")
        told.append(client.cert_store_stats()["x509_ca"])
        with pytest.raises(FileNotFoundError):
            server.load_cert_chain("/etc/passwd")

    run_one(program)

    assert told == [1]
    assert not pathlib.Path("/etc/chain.pem").exists()
