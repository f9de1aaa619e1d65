"""`scriba serve`: the server."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from scriba import server
from scriba.cli.command import Command
from scriba.cli.data_folder import check_data_folder
from scriba.cli.options import config_option
from scriba.cli.progress import progress
from scriba.gateway.configured import read_settings

__all__ = ["serve"]


@click.command(cls=Command, epilog="scriba serve --demo")
@config_option
@click.option("--host", metavar="ADDRESS", help="Address to listen on, instead of the setting.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), metavar="PORT", help="Port to listen on, instead of the setting."
)
@click.option("--workers", type=click.IntRange(1, 1_024), metavar="N", help="Processes, instead of the setting.")
@click.option("--tls-cert", type=click.Path(path_type=Path), metavar="FILE", help="Certificate (PEM), for HTTPS.")
@click.option("--tls-key", type=click.Path(path_type=Path), metavar="FILE", help="Its private key (PEM).")
@click.option(
    "--demo",
    is_flag=True,
    help="Add an organisation `demo` to try: keys, policies, a sandbox, a month of sample decisions.",
)
def serve(
    config: Path | None,
    *,
    host: str | None,
    port: int | None,
    workers: int | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    demo: bool,
) -> None:
    """Start the server in the foreground; Ctrl-C or SIGTERM lets requests under way finish.

    The first start makes the database, an organisation `default` and its admin key.
    """
    given = {"host": host, "port": port, "workers": workers, "tls_cert_file": tls_cert, "tls_key_file": tls_key}
    settings = msgspec.structs.replace(
        read_settings(config), **{name: value for name, value in given.items() if value is not None}
    )
    check_data_folder(settings.data_dir)
    server.serve(settings, demo=demo, progress=progress)
