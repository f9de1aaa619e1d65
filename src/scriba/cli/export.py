"""`scriba export`: entries as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scriba.audit.disclosure import record_export
from scriba.audit.export import FORMATS, export_chunks
from scriba.audit.query import AuditLog
from scriba.audit.table import DEFAULT_COLUMNS, OUTCOME_COLUMNS, parse_columns
from scriba.cli.command import Command
from scriba.cli.filter_options import as_options, filter_options, given_filters
from scriba.cli.opening import open_existing
from scriba.cli.options import config_option, json_option, org_option
from scriba.cli.output_file import STANDARD_OUTPUT, open_output, output_option
from scriba.cli.progress import progress
from scriba.cli.show import print_json
from scriba.domain.filter import parse_filters
from scriba.errors import InvalidInput
from scriba.storage.model import COMMAND_LINE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from scriba.audit.query import Entry, Export
    from scriba.domain.window import Order

__all__ = ["export"]


@click.command(cls=Command, epilog="scriba export --org acme --format csv --start-date 2025-01-01 -o january.csv")
@org_option
@filter_options
@click.option(
    "--format", "kind", type=click.Choice(list(FORMATS)), default="csv", show_default=True, help="Of the file."
)
@click.option("--columns", multiple=True, metavar="NAMES", help="Of CSV, joined by commas, instead of the usual ones.")
@click.option("--include", type=click.Choice(["outcome"]), help="How the call of each entry ended, too.")
@click.option("--order", type=click.Choice(["desc", "asc"]), default="desc", help="Newest first, or oldest first.")
@output_option
@config_option
@json_option
def export(  # one for each option
    *,
    org: str,
    kind: str,
    columns: tuple[str, ...],
    include: str | None,
    order: Order,
    output: Path,
    config: Path | None,
    as_json: bool,
    **given: tuple[str, ...],
) -> None:
    """Write every entry that matches into a file. The file appears when it is whole."""
    told = given_filters(given)
    with as_options():
        filters = parse_filters(told)
    wanted = _columns(columns, kind, include)
    with_outcomes = include is not None or not set(OUTCOME_COLUMNS).isdisjoint(wanted)
    form = FORMATS[kind]
    with open_existing(config) as opened:
        org_id = opened.control.find_organisation(org).id
        found = AuditLog(opened.store.database).export(org_id, filters, order=order, with_outcomes=with_outcomes)
        record_export(opened.store, org_id, actor=COMMAND_LINE, filters=told, kind=form.name, count=found.total)
        with open_output(output) as file, progress("Exporting") as advance:
            for chunk in export_chunks(_counted(found, advance), form, wanted):
                file.write(chunk)
    if output == STANDARD_OUTPUT:
        return
    if as_json:
        print_json({"file": str(output), "format": form.name, "entries": found.total})
    else:
        click.echo(f"{found.total:,} entries were written to {output}.")


def _columns(given: Sequence[str], kind: str, include: str | None) -> tuple[str, ...]:
    if not given:
        return (*DEFAULT_COLUMNS, *(OUTCOME_COLUMNS if include else ()))
    if kind != "csv":
        raise InvalidInput("--columns goes with --format csv alone.", param="--columns")
    return parse_columns(given)


def _counted(found: Export, advance: Callable[[int, int], None]) -> Export:
    """Return the same export, which says how far it has come."""

    def chunks() -> Iterator[Sequence[Entry]]:
        done = 0
        for chunk in found.chunks:
            yield chunk
            done += len(chunk)
            advance(done, found.total)

    return found._replace(chunks=chunks())
