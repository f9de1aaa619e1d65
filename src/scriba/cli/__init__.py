"""The command line, `scriba`.

Commands are loaded when they are called: help costs no imports, and `scriba verify` never loads the server.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from scriba import __version__
from scriba.cli.command import LazyGroup
from scriba.cli.failure import report as report_failure  # the command `report` is a module of this package

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "root"]

_COMMANDS = {
    "serve": ("scriba.cli.serve:serve", "Start the server."),
    "init": ("scriba.cli.init:init", "Write a commented scriba.toml."),
    "org": ("scriba.cli.org:org", "Create, list and change organisations."),
    "key": ("scriba.cli.key:key", "Create, list and revoke API keys."),
    "import": ("scriba.cli.import_:import_", "Bring in history from a file."),
    "log": ("scriba.cli.log:log", "Read the log."),
    "export": ("scriba.cli.export:export", "Write entries into a file."),
    "report": ("scriba.cli.report:report", "Report what became of the requests of a period."),
    "verify": ("scriba.cli.verify:verify", "Verify that the logs are what was written."),
    "seal": ("scriba.cli.purge:seal", "Sign a checkpoint of every log that grew."),
    "purge": ("scriba.cli.purge:purge", "Delete entries that are older than they are kept."),
    "hold": ("scriba.cli.hold:hold", "Create, list and release legal holds."),
    "webhook": ("scriba.cli.webhook:webhook", "List, create and test endpoints of webhooks."),
    "doctor": ("scriba.cli.doctor:doctor", "Check settings, database, secret, upstreams, clock, disk and port."),
    "db": ("scriba.cli.db:db", "Look after the database."),
}


@click.group(cls=LazyGroup, members=_COMMANDS, epilog="scriba serve --demo")
@click.version_option(__version__, "-V", "--version", prog_name="scriba", message="%(prog)s %(version)s")
def root() -> None:
    """Scriba decides by policy which LLM requests may go where, and keeps a log of it that can be proved."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 is done, 1 is "no" (a verification found something), 2 is wrong use or settings, 3 is a system that does not
    answer, 130 is Ctrl-C, 141 is a reader of the output that went away.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        result = root.main(arguments, prog_name="scriba", standalone_mode=False)
    except (Exception, KeyboardInterrupt, SystemExit) as error:  # noqa: BLE001  # it raises again what it does not know
        return report_failure(error, as_json="--json" in arguments)
    return result if isinstance(result, int) else 0
