"""`ostrakon serve`: browse the store, from this machine only."""

from __future__ import annotations

from pathlib import Path

import click

from ostrakon.harness.status import UserError


@click.command()
@click.option("--store", type=click.Path(path_type=Path), default=Path("store"), show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
def serve(store: Path, port: int) -> None:
    """Serve the pages of the store on 127.0.0.1, to this machine only, until ctrl-C."""
    from ostrakon.harness.catalogue import find_report
    from ostrakon.harness.store_server import store_server

    if not store.is_dir():
        raise UserError(f"{store} is not there: `ostrakon test` and `ostrakon soak` make one")
    find_report("index")(store)
    try:
        server = store_server(store, port)
    except OSError as error:
        raise UserError(f"port {port} cannot be used ({error.strerror}); try --port 0") from None
    with server:
        click.echo(f"http://127.0.0.1:{server.server_port}/index.html  (ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("")
