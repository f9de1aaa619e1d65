"""`scriba log`: the entries of the log."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import click
import msgspec
from rich.text import Text

from scriba.audit.export import page_json
from scriba.audit.query import AuditLog
from scriba.audit.verdict import Verdict, verdict_of
from scriba.cli.command import Group
from scriba.cli.filter_options import as_options, filter_options, given_filters
from scriba.cli.opening import open_existing
from scriba.cli.options import config_option, json_option, org_option
from scriba.cli.show import print_json, print_table
from scriba.domain.filter import parse_filters
from scriba.domain.window import DEFAULT_LIMIT, MAX_LIMIT
from scriba.errors import InvalidInput, NotFound
from scriba.policy.reasons import short_reasons

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scriba.audit.query import Detail, Entry, Page
    from scriba.cli.opening import Opened
    from scriba.domain.filter import Filters
    from scriba.domain.window import Order

__all__ = ["log"]

_COLOURS: Final = {
    Verdict.ALLOWED: "green",
    Verdict.WARNED: "yellow",
    Verdict.REROUTED: "yellow",
    Verdict.DEFIED: "red",
    Verdict.BLOCKED: "red",
}
_CAPITAL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_LOOK_SECONDS: Final = 0.5


@click.group(cls=Group, epilog="scriba log query --org acme --allowed false --start-date 2025-01-01")
def log() -> None:
    """Read the log of decisions."""


@log.command(epilog="scriba log query --org acme --provider openai --model 'gpt-4o*' --end-date 2025-01-31")
@org_option
@filter_options
@click.option(
    "--limit",
    type=click.IntRange(1, MAX_LIMIT),
    default=DEFAULT_LIMIT,
    show_default=True,
    metavar="N",
    help=f"Entries to show, at most {MAX_LIMIT}.",
)
@click.option("--offset", type=click.IntRange(min=0), default=0, metavar="N", help="Entries to pass over.")
@click.option("--order", type=click.Choice(["desc", "asc"]), default="desc", help="Newest first, or oldest first.")
@config_option
@json_option
def query(  # one for each option
    *, org: str, config: Path | None, as_json: bool, limit: int, offset: int, order: Order, **filters: tuple[str, ...]
) -> None:
    """List entries, newest first. Different filters must all hold; one that is repeated means any of its values."""
    asked = _asked(filters)
    with open_existing(config) as opened:
        organisation = opened.control.find_organisation(org)
        page = AuditLog(opened.store.database).list(organisation.id, asked, limit, offset, order=order)
    if as_json:
        print_json(msgspec.json.decode(page_json(page)))
        return
    if not page.entries:
        click.echo(_nothing(page, organisation.name, is_filtered=any(filters.values())))
        return
    print_table(("Time (UTC)", "Decision", "Model", "Provider", "Policy", "Reasons", "Entry"), map(_row, page.entries))
    last = page.offset + len(page.entries)
    more = f" Next: --offset {last}" if page.has_more else ""
    click.echo(f"{page.offset + 1} to {last} of {page.total} entries.{more}", err=True)


@log.command(epilog="scriba log show audit_01jd8x4k2v7m9n3p5q6r8s0t1w")
@click.argument("entry_id", metavar="ID")
@click.option("--org", metavar="ORG", help="Id or name of the organisation [default: look in all].")
@config_option
@json_option
def show(*, entry_id: str, org: str | None, config: Path | None, as_json: bool) -> None:
    """Show one entry with everything that is known about it. ID is the entry's id."""
    with open_existing(config) as opened:
        detail = _find(opened, entry_id, org)
    fields = detail.fields()
    if as_json:
        print_json(fields)
        return
    print_table(("", ""), [(name, text) for name, text in _lines(fields)])


@log.command(epilog="scriba log tail --org acme --allowed false")
@org_option
@filter_options
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0, MAX_LIMIT),
    default=10,
    show_default=True,
    metavar="N",
    help="To begin with.",
)
@config_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def tail(*, org: str, lines: int, config: Path | None, as_json: bool, **filters: tuple[str, ...]) -> None:
    """Show the newest entries, and then each as it is logged, whichever process logs it, until Ctrl-C."""
    asked = _asked(filters)
    with open_existing(config) as opened:
        org_id = opened.control.find_organisation(org).id
        for entry in _follow(AuditLog(opened.store.database), org_id, asked, lines):
            click.echo(msgspec.json.encode(entry) if as_json else _told(entry))


def _follow(audit_log: AuditLog, org_id: str, filters: Filters, lines: int) -> Iterator[Entry]:
    places = audit_log.ends(org_id)
    shown = audit_log.newest(org_id, limit=lines, filters=filters)[::-1] if lines else ()
    yield from shown
    known = {entry.id for entry in shown}  # one that was logged between the two looks is in both
    while True:
        heard = audit_log.after(org_id, places, filters)
        yield from (entry for entry, _ in heard.told if entry.id not in known)
        places = heard.places
        if not heard.has_more:
            known.clear()
            time.sleep(_LOOK_SECONDS)


def _told(entry: Entry) -> str:
    verdict = verdict_of(entry)
    decision = click.style(f"{verdict:<8}", fg=_COLOURS[verdict])
    provider = entry.provider or entry.requested_provider or "none"
    reasons = "; ".join(short_reasons(entry.violation_reasons))
    return "  ".join((_time(entry), decision, entry.id, entry.model, provider, entry.policy_name, reasons))


def _asked(given: dict[str, tuple[str, ...]]) -> Filters:
    with as_options():
        return parse_filters(given_filters(given))


def _find(opened: Opened, entry_id: str, org: str | None) -> Detail:
    audit_log = AuditLog(opened.store.database)
    if org is not None:
        return audit_log.get(opened.control.find_organisation(org).id, entry_id)
    found: dict[str, Detail] = {}
    for organisation in opened.control.state.organisations.values():
        with suppress(NotFound):
            found[organisation.name] = audit_log.get(organisation.id, entry_id)
    if not found:
        raise NotFound(f"There is no entry {entry_id!r}.", param="id", hint="`scriba log query` lists entries.")
    if len(found) > 1:  # an import keeps the ids of its source, which may be another organisation here
        names = " and ".join(sorted(found))
        raise InvalidInput(
            f"There is an entry {entry_id!r} in each of {names}.", param="org", hint="Choose with --org."
        )
    return found.popitem()[1]


def _nothing(page: Page, name: str, *, is_filtered: bool) -> str:
    if page.total:
        return f"There are {page.total} entries; --offset {page.offset} is past the last one."
    if is_filtered:
        return f"No entry of {name} matches. Leave a filter out to see more."
    return f"{name} has no entries yet. They begin with the first request of one of its keys."


def _row(entry: Entry) -> tuple[str | Text, ...]:
    reasons = "; ".join(short_reasons(entry.violation_reasons))
    return _time(entry), _decision(entry), entry.model, entry.provider or "", entry.policy_name, reasons, entry.id


def _time(entry: Entry) -> str:
    return entry.timestamp[:19].replace("T", " ")


def _decision(entry: Entry) -> Text:
    verdict = verdict_of(entry)
    return Text("allowed against the policy" if verdict is Verdict.DEFIED else verdict, style=_COLOURS[verdict])


def _lines(fields: dict[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Take an object apart into names in words and values as text."""
    for name, value in fields.items():
        words = prefix + _CAPITAL.sub(" ", name).lower()
        if isinstance(value, dict):
            yield from _lines(value, f"{words} ")
        elif isinstance(value, list | tuple):
            yield words, "\n".join(map(str, value))
        else:
            yield words, _text(value)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)
