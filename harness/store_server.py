"""Serves the pages of a store over HTTP, to this machine only.

A page of any site can ask a browser for `http://localhost:8080`, and a name can be made to point to 127.0.0.1
after the browser has decided whose page it is (DNS rebinding). So a request is answered only if its Host
header names this server. A link in the store is followed only if it leads to a file in the store.
"""

from __future__ import annotations

import io
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

_OWN_NAMES = ("127.0.0.1", "localhost")
_HTTP_PORT = 80


def store_server(store: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of the files of a store on 127.0.0.1; port 0 is any free one. Raises: OSError."""
    root = store.resolve()

    class Handler(_StoreHandler):
        folder = root

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


class _StoreHandler(SimpleHTTPRequestHandler):
    """Serves the files below a folder to requests that name this server."""

    folder: Path

    def __init__(self, *args: object) -> None:
        super().__init__(*args, directory=str(self.folder))  # type: ignore[arg-type]

    def parse_request(self) -> bool:
        """Refuse a request for another host's pages."""
        if not super().parse_request():
            return False
        assert isinstance(self.server, ThreadingHTTPServer)
        port = self.server.server_port
        hosts = self.headers.get_all("Host") or []
        # A browser leaves out the port where it is the usual one.
        own = {f"{name}:{port}" for name in _OWN_NAMES} | set(_OWN_NAMES if port == _HTTP_PORT else ())
        if len(hosts) == 1 and hosts[0].lower() in own:
            return True
        self.send_error(
            HTTPStatus.MISDIRECTED_REQUEST, "This server answers for 127.0.0.1 and localhost only"
        )
        return False

    def send_head(self) -> io.BytesIO | BinaryIO | None:
        """Refuse a folder whose index is a link that leads out: the base class opens it by itself."""
        folder = Path(self.translate_path(self.path))
        for name in ("index.html", "index.htm") if folder.is_dir() else ():
            if not (folder / name).resolve().is_relative_to(self.folder):
                self.send_error(HTTPStatus.NOT_FOUND, "File not found")
                return None
        return super().send_head()

    def translate_path(self, path: str) -> str:
        """The file of a request, or one that is not there if a link leads out of the folder."""
        found = super().translate_path(path)
        if Path(found).resolve().is_relative_to(self.folder):
            return found
        return str(self.folder / ".outside of the store")

    def end_headers(self) -> None:
        """Nothing that a system under test wrote may be taken for a page."""
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        super().end_headers()
