"""`scriba purge` and `scriba seal`: what the servers do by themselves every day and every hour, at once."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import click
import msgspec

from scriba.audit.retention import Retention
from scriba.cli.command import Command
from scriba.cli.failure import NO
from scriba.cli.opening import open_existing
from scriba.cli.options import config_option, json_option
from scriba.cli.progress import progress
from scriba.cli.show import counted, moment, print_json, size
from scriba.domain.timestamp import format_timestamp
from scriba.storage.marks import MARKED, write_marks
from scriba.storage.model import COMMAND_LINE, LogName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scriba.audit.retention import Purge
    from scriba.cli.opening import Opened

__all__ = ["purge", "seal"]


@click.command(cls=Command, epilog="scriba purge --org acme --dry-run")
@click.option("--org", metavar="ORG", help="Id or name of one organisation [default: all].")
@click.option("--log", "log_name", type=click.Choice([name.value for name in MARKED]), help="One log only.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@config_option
@json_option
def purge(org: str | None, log_name: str | None, config: Path | None, *, dry_run: bool, as_json: bool) -> int:
    """Delete entries that are older than their organisation keeps them.

    The servers do this every night by themselves. What a legal hold matches stays. Exit code 1 if a log could not be
    purged because it is not as it was written.
    """
    names = [LogName(log_name)] if log_name else list(MARKED)
    with open_existing(config) as opened:
        org_ids = [opened.control.find_organisation(org).id] if org else list(opened.control.state.organisations)
        results = list(_plans(opened, org_ids, names) if dry_run else _purged(opened, org_ids, names))
    if as_json:
        print_json({"dryRun": dry_run, "logs": [_document(result) for result in results]})
    else:
        for result in results:
            click.echo(f"{result.org} {result.log}: {_sentence(result, dry_run=dry_run)}")
    return NO if any(result.problem for result in results) else 0


@click.command(cls=Command, epilog="scriba seal")
@config_option
@json_option
def seal(config: Path | None, *, as_json: bool) -> None:
    """Sign a checkpoint of every log that grew since its last one. The servers do this every hour."""
    with open_existing(config) as opened:
        signed = opened.store.sign_checkpoints()
    if as_json:
        documents = [(one.origin, one.size, base64.b64encode(one.root).decode()) for one in signed]
        print_json([{"origin": origin, "size": count, "rootHash": root} for origin, count, root in documents])
        return
    for one in signed:
        click.echo(f"{one.origin}: signed at {counted(one.size, 'record')}")
    if not signed:
        click.echo("Every log was signed as it stands.")


def _retention(opened: Opened) -> Retention:
    settings = opened.settings
    return Retention(opened.store, settings.lake_dir if settings.archive_before_purge else None)


def _plans(opened: Opened, org_ids: list[str], names: list[LogName]) -> Iterator[Purge]:
    retention = _retention(opened)
    return (retention.plan(org_id, name) for org_id in org_ids for name in names)


def _purged(opened: Opened, org_ids: list[str], names: list[LogName]) -> Iterator[Purge]:
    for org_id in org_ids:
        write_marks(opened.store.database, opened.store.hot, org_id)
    with progress("Purging") as advance:
        yield from _retention(opened).purge_each(org_ids, names, actor=COMMAND_LINE, progress=advance)


def _sentence(result: Purge, *, dry_run: bool) -> str:
    """Say what went, or would go, or why nothing does."""
    kept = f"kept {counted(result.retention_days, 'day')}, so since {moment(result.cutoff)} UTC"
    if result.problem:
        return click.style("not purged", fg="red") + f". {result.problem}"
    if result.before is None:
        waits = f", and waits for {', '.join(result.waits_for)}" if result.waits_for else ""
        swept = f" {counted(result.swept, 'row')} of an earlier purge deleted." if result.swept else ""
        return f"nothing to purge ({kept}{waits}).{swept}"
    goes = f"{counted(result.records, 'record')} with {_entries(result.entries)}, about {size(result.size)}"
    until = f"up to record {result.before}, the mark of {moment(result.mark_time)} UTC"
    if result.holds:
        names = ", ".join(f"{hold.name} ({hold.id})" for hold in result.holds)
        return f"held by {names}. Without, {goes} would go, {until} ({kept})."
    if dry_run:
        return f"{goes} would go, {until} ({kept})."
    if not result.done:
        return f"not purged: retention or beginning changed meanwhile; try again ({kept})."
    archive = f" Archived in {result.archive.name}." if result.archive else ""
    lost = f" Not delivered any more to {', '.join(result.lost)}." if result.lost else ""
    return f"purged {goes}, {until} ({kept}).{archive}{lost}"


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _document(result: Purge) -> dict[str, object]:
    fields = msgspec.to_builtins(result)
    return {
        "orgId": fields["org_id"],
        "org": fields["org"],
        "log": fields["log"],
        "retentionDays": fields["retention_days"],
        "cutoff": format_timestamp(result.cutoff),
        "firstSeq": fields["first_seq"],
        "before": fields["before"],
        "markedAt": None if result.mark_time is None else format_timestamp(result.mark_time),
        "records": fields["records"],
        "entries": fields["entries"],
        "approximateBytes": fields["size"],
        "holds": [{"id": hold.id, "name": hold.name} for hold in result.holds],
        "waitsFor": fields["waits_for"],
        "notDelivered": fields["lost"],
        "archive": fields["archive"],
        "done": result.done,
        "deletedRows": result.swept,
        "problem": result.problem or None,
    }
