"""`scriba doctor`: what is right here, what is not, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scriba.cli.checks import Finding, examine
from scriba.cli.command import Command
from scriba.cli.failure import NO, UNREACHABLE, WRONG_USE
from scriba.cli.options import config_option, json_option
from scriba.cli.show import print_json
from scriba.errors import SettingsError
from scriba.gateway.configured import read_settings

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["doctor"]


@click.command(cls=Command, epilog="scriba doctor --config /etc/scriba.toml")
@config_option
@json_option
def doctor(config: Path | None, *, as_json: bool) -> int:
    """Check settings, database, secret, guard, upstreams, clock, disk and port: one line each.

    Changes nothing and asks no upstream. Exit code 1 if something is wrong, 3 if the database does not answer.
    """
    try:
        findings = examine(read_settings(config))
    except SettingsError as error:
        findings = [Finding("settings", error.message, is_good=False, remedy=error.hint or "", exit_code=WRONG_USE)]
    if as_json:
        print_json([_document(finding) for finding in findings])
    else:
        for finding in findings:
            _print(finding)
    codes = {finding.exit_code for finding in findings if not finding.is_good}
    return next((code for code in (WRONG_USE, UNREACHABLE, NO) if code in codes), 0)


def _document(finding: Finding) -> dict[str, object]:
    fields = {"check": finding.name, "ok": finding.is_good, "found": finding.text, "remedy": finding.remedy}
    return {name: value for name, value in fields.items() if value != ""}


def _print(finding: Finding) -> None:
    mark = click.style("ok ", fg="green") if finding.is_good else click.style("BAD", fg="red", bold=True)
    remedy = f" {finding.remedy}" if finding.remedy else ""
    click.echo(f"{mark}  {finding.name:<10} {finding.text}{remedy}")
