"""`scriba report`: what became of the requests of a period, as a file."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import click

from scriba.audit.last_verification import Verifications
from scriba.audit.report.document import report_fields
from scriba.audit.report.findings import assess
from scriba.audit.report.forms import FORMS
from scriba.audit.report.question import GroupBy, parse_question
from scriba.audit.report.reports import Reports
from scriba.audit.verification import verify_logs
from scriba.cli.command import Command
from scriba.cli.filter_options import as_options, filter_options, given_filters
from scriba.cli.opening import open_existing
from scriba.cli.options import config_option, json_option, org_option
from scriba.cli.output_file import STANDARD_OUTPUT, open_output, output_option
from scriba.cli.progress import progress
from scriba.cli.show import print_json
from scriba.domain.buckets import Granularity
from scriba.storage.model import LogName

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from scriba.audit.report.question import Question
    from scriba.audit.report.report import Report
    from scriba.cli.opening import Opened
    from scriba.cli.progress import Advance

__all__ = ["report"]

_PERIOD: Final = "2025, 2025-Q1, 2025-01, 2025-W03 or 2025-01-10, in UTC [default: this month until now]."


@click.command(cls=Command, epilog="scriba report --org acme --period 2025-01 --format html -o january.html")
@org_option
@click.option("--period", multiple=True, metavar="PERIOD", help=_PERIOD)
@click.option("--group-by", multiple=True, type=click.Choice([by.value for by in GroupBy]), help="Count by this, too.")
@click.option(
    "--granularity", multiple=True, type=click.Choice([each.value for each in Granularity]), help="Add a series."
)
@filter_options
@click.option(
    "--format", "form", type=click.Choice(list(FORMS)), default="json", show_default=True, help="Of the file."
)
@output_option
@config_option
@json_option
def report(*, org: str, form: str, output: Path, config: Path | None, as_json: bool, **given: tuple[str, ...]) -> None:
    """Report what became of the requests of a period. The logs are verified first, record by record."""
    question = _question(given)
    with open_existing(config) as opened:
        org_id = opened.control.find_organisation(org).id
        made = _make(opened, org_id, question)
    with open_output(output) as file:
        file.write(FORMS[form].write(made))
    if output == STANDARD_OUTPUT:
        return
    if as_json:
        print_json({"report": made.id, "file": str(output), "complianceStatus": assess(made).status})
    else:
        _tell(made, output)


def _question(given: dict[str, tuple[str, ...]]) -> Question:
    with as_options():
        return parse_question(given_filters(given), time.time_ns() // 1000)


def _make(opened: Opened, org_id: str, question: Question) -> Report:
    store = opened.store
    verifications = Verifications(store.database, store.keyring)
    verifications.keep(org_id, verify_logs(store.database, store.keyring, org_id, list(LogName), _watch))
    with progress("Counting"):
        return Reports(store, verifications, verifies=False).ask(org_id, question)


def _watch(name: LogName) -> AbstractContextManager[Advance]:
    return progress(f"Verifying {name}")


def _tell(made: Report, output: Path) -> None:
    fields = report_fields(made)
    status, findings = assess(made)
    colour = {"COMPLIANT": "green", "NON_COMPLIANT": "red"}.get(status, "yellow")
    total = made.figures.total
    click.echo(f"{click.style(status, fg=colour, bold=True)}: {total.requests:,} requests, {total.blocked:,} blocked")
    for finding in findings:
        click.echo(f"  {finding}")
    click.echo(f"Report {fields['id']} was written to {output}.")
