"""`scriba hold`: legal holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from scriba.audit.kept import hold_document
from scriba.cli.command import Group
from scriba.cli.opening import open_existing
from scriba.cli.options import config_option, json_option, org_option
from scriba.cli.show import moment, print_json, print_table
from scriba.domain.period import parse_end, parse_start
from scriba.storage.holds import Holds
from scriba.storage.marks import MARKED
from scriba.storage.model import COMMAND_LINE, LogName

if TYPE_CHECKING:
    from pathlib import Path

    from scriba.cli.opening import Opened
    from scriba.storage.holds import Hold

__all__ = ["hold"]


@click.group(cls=Group, epilog="scriba hold list --org acme")
def hold() -> None:
    """Keep entries from being purged for as long as a legal hold matches them."""


@hold.command(
    epilog='scriba hold create --org acme --name "Case 7" --reason "Litigation" --start-date 2025-01-01 '
    "--end-date 2025-03-31"
)
@org_option
@click.option("--name", required=True, help="What people call it.")
@click.option("--reason", required=True, help="Why entries must be kept.")
@click.option("--start-date", metavar="DATE", help="From this UTC day, or this moment, on [default: all].")
@click.option("--end-date", metavar="DATE", help="To the end of this UTC day, or before this moment [default: all].")
@click.option(
    "--log", "logs", type=click.Choice([name.value for name in MARKED]), multiple=True, help="One log only; repeatable."
)
@config_option
@json_option
def create(
    *,
    org: str,
    name: str,
    reason: str,
    start_date: str | None,
    end_date: str | None,
    logs: tuple[str, ...],
    config: Path | None,
    as_json: bool,
) -> None:
    """Make a legal hold. While it matches anything that would go, that log is not purged."""
    with open_existing(config) as opened:
        made = _holds(opened).create(
            opened.control.find_organisation(org).id,
            name=name,
            reason=reason,
            logs=[LogName(log) for log in logs],
            start=None if start_date is None else parse_start(start_date, "--start-date"),
            end=None if end_date is None else parse_end(end_date, "--end-date"),
            actor=COMMAND_LINE,
        )
    _tell(made, f"{made.id}: nothing that it matches is purged until it is released.", as_json=as_json)


@hold.command("list", epilog="scriba hold list --org acme --json")
@org_option
@config_option
@json_option
def list_(org: str, config: Path | None, *, as_json: bool) -> None:
    """List legal holds, also those that were released."""
    with open_existing(config) as opened:
        found = _holds(opened).list(opened.control.find_organisation(org).id)
    if as_json:
        print_json([msgspec.to_builtins(hold_document(one)) for one in found])
    elif not found:
        click.echo("There are no legal holds.")
    else:
        print_table(("Name", "Id", "Logs", "From", "Until", "State", "Reason"), [_row(one) for one in found])


@hold.command(epilog="scriba hold release hold_01jd8x4k2v7m9n3p5q6r8s0t1w --org acme")
@click.argument("hold_id", metavar="ID")
@org_option
@config_option
@json_option
def release(hold_id: str, org: str, config: Path | None, *, as_json: bool) -> None:
    """End a legal hold. It stays in the list."""
    with open_existing(config) as opened:
        ended = _holds(opened).release(opened.control.find_organisation(org).id, hold_id, actor=COMMAND_LINE)
    _tell(ended, f"Released {ended.name} ({ended.id}). What it kept goes with the next purge.", as_json=as_json)


def _holds(opened: Opened) -> Holds:
    return Holds(opened.store.database, opened.store.hot)


def _tell(told: Hold, sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(hold_document(told)))
    else:
        click.echo(sentence)


def _row(one: Hold) -> tuple[str, ...]:
    state = "active" if one.is_active else f"released {moment(one.released_at)}"
    start, end = (moment(time) or "open" for time in (one.start, one.end))
    return one.name, one.id, ", ".join(one.logs), start, end, state, one.reason
