"""`scriba db`: the database."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import click

from scriba.cli.command import Group
from scriba.cli.failure import NO, WRONG_USE
from scriba.cli.opening import database_of
from scriba.cli.options import config_option, json_option
from scriba.cli.show import print_json
from scriba.gateway.configured import read_settings
from scriba.storage.reset import clear
from scriba.storage.schema import migrate, schema_of

if TYPE_CHECKING:
    from pathlib import Path


__all__ = ["db"]


@click.group(cls=Group, epilog="scriba db check")
def db() -> None:
    """Look after the database."""


@db.command("migrate", epilog="scriba db migrate --config /etc/scriba.toml")
@config_option
@json_option
def migrate_(config: Path | None, *, as_json: bool) -> None:
    """Bring the database to the schema of this version. `scriba serve` does so by itself."""
    settings = read_settings(config)
    with database_of(settings) as database:
        changed = migrate(database)
        revision, _ = schema_of(database)
    if as_json:
        print_json({"changed": changed, "schema": revision})
        return
    done = "now has" if changed else "already has"
    click.echo(f"{settings.database_shown} {done} schema {revision}.")


@db.command(epilog="scriba db check && echo ready")
@config_option
@json_option
def check(config: Path | None, *, as_json: bool) -> int:
    """Say whether the database answers and has the schema of this version; exit code 1 if it has not."""
    settings = read_settings(config)
    with database_of(settings) as database:
        current, expected = schema_of(database)
    if as_json:
        print_json({"schema": current, "expected": expected, "current": current == expected})
    elif current == expected:
        click.echo(f"{settings.database_shown} answers and has schema {current}, which is current.")
    else:
        has = f"schema {current}" if current else "no schema yet"
        click.echo(f"{settings.database_shown} has {has}; this version needs {expected}.")
        click.echo("Run `scriba db migrate`, or start the server.")
    return 0 if current == expected else NO


@db.command(epilog="scriba db reset --yes")
@click.option("--yes", is_flag=True, help="Really delete everything.")
@config_option
@json_option
def reset(config: Path | None, *, yes: bool, as_json: bool) -> int:
    """Delete the database's contents, the deployment secret, the guard and the key files, for ever.

    For trying Scriba out. Stop the server first.
    """
    settings = read_settings(config)
    usual = [settings.secret_path, settings.guard_dir, settings.admin_key_path, settings.demo_keys_path]
    files = [path for path in usual if path.exists()]
    if not yes:
        more = "".join([", and with them", *(f"\n  {path}" for path in files)]) if files else "."
        click.echo(f"This would delete all logs, keys and policies in {settings.database_shown}{more}", err=True)
        click.echo("There is no way back. Run it again with --yes if you mean it.", err=True)
        return WRONG_USE
    with database_of(settings) as database:
        clear(database)
    for path in files:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    if as_json:
        print_json({"reset": True})
    else:
        click.echo("Everything is deleted. `scriba serve` begins anew.")
    return 0
