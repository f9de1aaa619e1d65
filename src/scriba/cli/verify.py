"""`scriba verify`: whether the logs are what was written."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import click

from scriba.audit.last_verification import Verifications
from scriba.audit.verification import verify_logs
from scriba.cli.command import Command
from scriba.cli.failure import NO
from scriba.cli.opening import open_existing
from scriba.cli.options import config_option, json_option, org_option
from scriba.cli.progress import progress
from scriba.cli.show import counted, print_json
from scriba.storage.model import LogName

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from scriba.ledger.verifier import Verification

__all__ = ["verify"]

_PROMISE = (
    "Each record is there once, in its place, and unchanged since it was written; nothing was put in or taken out, "
    "and nothing signed earlier is missing."
)


@click.command(cls=Command, epilog="scriba verify --org acme")
@org_option
@click.option(
    "--log", "log_name", type=click.Choice([name.value for name in LogName]), help="One log only [default: all three]."
)
@config_option
@json_option
def verify(org: str, log_name: str | None, config: Path | None, *, as_json: bool) -> int:
    """Verify the logs of an organisation, record by record. Exit code 1 if anything is wrong."""
    names = [LogName(log_name)] if log_name else list(LogName)
    with open_existing(config) as opened:
        organisation = opened.control.find_organisation(org)
        results = verify_logs(opened.store.database, opened.store.keyring, organisation.id, names, _watch)
        Verifications(opened.store.database, opened.store.keyring).keep(organisation.id, results)
    is_intact = all(result.ok for result in results.values())
    if as_json:
        logs = {name: _document(result) for name, result in results.items()}
        print_json({"org": organisation.name, "orgId": organisation.id, "ok": is_intact, "logs": logs})
    else:
        _tell(organisation.name, results)
    return 0 if is_intact else NO


def _watch(log: LogName) -> AbstractContextManager[Callable[[int, int], None]]:
    return progress(f"Verifying {log}")


def _tell(name: str, results: Mapping[str, Verification]) -> None:
    for log, result in results.items():
        verdict = click.style("intact", fg="green") if result.ok else click.style("NOT INTACT", fg="red", bold=True)
        purged = f"; the first {result.purged} were purged" if result.purged else ""
        allowed = ", as the retention allowed" if result.purged and result.ok else ""
        click.echo(f"{log}: {counted(result.records, 'record')}, {verdict}{purged}{allowed}")
        for finding in result.findings:
            click.echo(f"  {finding.message}")
        if result.further:
            click.echo(f"  and {counted(result.further, 'further finding')}")
    total = sum(result.records - result.purged for result in results.values())
    if all(result.ok for result in results.values()):
        click.echo(f"Verified {counted(total, 'record')} of {name}. {_PROMISE}")
    else:
        click.echo(
            f"The log of {name} is not what was written. Keep this database as it is, and compare it with a backup."
        )


def _document(result: Verification) -> dict[str, object]:
    findings = [{"seq": finding.seq, "field": finding.field, "message": finding.message} for finding in result.findings]
    return {
        "ok": result.ok,
        "records": result.records,
        "purged": result.purged,
        "rootHash": base64.b64encode(result.root).decode(),
        "firstBad": result.first_bad,
        "findings": findings,
        "furtherFindings": result.further,
    }
