"""`scriba init`: a settings file to begin with."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from scriba.cli.command import Command
from scriba.cli.options import json_option
from scriba.cli.show import print_json
from scriba.gateway.configured import read_settings
from scriba.settings import DEFAULTS
from scriba.storage.private_files import make_secret, read_secret

if TYPE_CHECKING:
    from scriba.settings import Settings

__all__ = ["init"]

_SETTING: Final = re.compile(r"^(?=[a-z\[])", re.MULTILINE)


@click.command(cls=Command, epilog="SCRIBA_DATABASE_URL=postgresql://scriba@db.example.com/scriba scriba init")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    default=Path("scriba.toml"),
    show_default=True,
    help="Where to write it.",
)
@json_option
def init(config: Path, *, as_json: bool) -> None:
    """Write a settings file with every setting, explained and commented out. A file that exists is kept.

    On PostgreSQL it also makes the deployment secret, which all machines of the deployment must share.
    """
    is_new = not config.exists()
    if is_new:
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(_SETTING.sub("#", DEFAULTS.read_text(encoding="utf-8")), encoding="utf-8")
    settings = read_settings(config)
    secret = _new_secret(settings)
    if as_json:
        print_json({"config": str(config), "created": is_new, "secretCreated": secret is not None})
        return
    click.echo(f"Wrote {config}; every line in it is a default." if is_new else f"{config} is there already; kept.")
    if secret is not None:
        click.echo(f"Made the deployment secret {secret}. Copy it to every machine that runs Scriba, and to a safe.")
    click.echo("Next: scriba serve")


def _new_secret(settings: Settings) -> Path | None:
    """SQLite makes its secret at the first start, for there is one machine only."""
    if settings.database_url.startswith("sqlite") or read_secret(settings.secret_path) is not None:
        return None
    make_secret(settings.secret_path)
    return settings.secret_path
