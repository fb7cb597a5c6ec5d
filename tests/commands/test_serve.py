"""The store is served to this machine's browser, and nothing but the store."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ostrakon.harness.store_server import store_server


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Where a store is served that has a page, a link to it, and links that lead out."""
    store = tmp_path / "store"
    (store / "decree/seed-1").mkdir(parents=True)
    (store / "decree/seed-1/report.html").write_text("a page")
    (store / "latest").symlink_to("decree/seed-1")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/file.txt").write_text("not for anybody")
    (store / "out").symlink_to(tmp_path / "secret")
    (store / "out.txt").symlink_to(tmp_path / "secret/file.txt")
    (store / "indexed").mkdir()
    (store / "indexed/index.html").symlink_to(tmp_path / "secret/file.txt")
    with store_server(store) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def get(port: int, path: str, *hosts: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("GET", path, skip_host=True)
    for host in hosts:
        connection.putheader("Host", host)
    connection.endheaders()
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.mark.parametrize("path", ["/decree/seed-1/report.html", "/latest/report.html"])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LOCALHOST"])
def test_pages_are_served_to_who_names_this_server(port: int, path: str, name: str) -> None:
    assert get(port, path, f"{name}:{port}") == (200, b"a page")


@pytest.mark.parametrize(
    "hosts",
    [("evil.example",), ("evil.example:{port}",), ("127.0.0.1",), (), ("127.0.0.1:{port}", "evil.example")],
)
def test_a_request_for_another_host_is_refused(port: int, hosts: tuple[str, ...]) -> None:
    status, body = get(port, "/decree/seed-1/report.html", *(host.format(port=port) for host in hosts))

    assert status == 421
    assert b"a page" not in body


@pytest.mark.parametrize(
    "path",
    [
        "/out/file.txt",
        "/out.txt",
        "/out/",
        "/indexed/",
        "/../secret/file.txt",
        "/%2e%2e/secret/file.txt",
        "/latest/../../../secret/file.txt",
        "/..%2fsecret%2ffile.txt",
        "/%252e%252e/secret/file.txt",
        "//secret/file.txt",
    ],
)
def test_links_and_dots_do_not_lead_out_of_the_store(port: int, path: str) -> None:
    status, body = get(port, path, f"localhost:{port}")

    assert status == 404
    assert b"not for anybody" not in body
