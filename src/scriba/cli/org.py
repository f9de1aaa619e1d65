"""`scriba org`: organisations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from scriba.audit.kept import shortness
from scriba.cli.command import Group
from scriba.cli.opening import open_existing, open_or_found
from scriba.cli.options import config_option, json_option
from scriba.cli.show import moment, print_json, print_table
from scriba.domain.timestamp import format_timestamp
from scriba.storage.control import KEEP_DAYS
from scriba.storage.model import COMMAND_LINE, TIERS

if TYPE_CHECKING:
    from pathlib import Path

    from scriba.storage.control import KeepDays
    from scriba.storage.model import Organisation

__all__ = ["org"]


class _Days(click.ParamType["int | None"]):
    """A number of days, or the word `tier`, whose value is None."""

    name = "days"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:  # noqa: ANN401 - click's own
        """Read the text."""
        if value == "tier":
            return None
        return int(click.INT.convert(value, param, ctx))


@click.group(cls=Group, epilog="scriba org create acme --tier enterprise")
def org() -> None:
    """Create, list and change organisations. Each has its own keys, policies and logs."""


@org.command(epilog="scriba org create acme --tier enterprise --retention-days 200")
@click.argument("name")
@click.option(
    "--tier",
    type=click.Choice(list(TIERS)),
    default="free",
    show_default=True,
    help="How long entries are kept at least.",
)
@click.option(
    "--retention-days",
    type=click.IntRange(min=1),
    metavar="N",
    help="Days that entries are kept at least, if not the tier's.",
)
@config_option
@json_option
def create(name: str, tier: str, retention_days: int | None, config: Path | None, *, as_json: bool) -> None:
    """Create an organisation. NAME has lower-case letters, digits and hyphens."""
    with open_or_found(config) as opened:
        created = opened.control.create_organisation(name, tier=tier, retention_days=retention_days, actor=COMMAND_LINE)
    if as_json:
        print_json(_document(created))
        return
    click.echo(f"Created the organisation {created.name} ({created.id}). {_kept(created)}")
    click.echo(f"Next, a key for an application: scriba key create --org {created.name} --role app")


@org.command("list", epilog="scriba org list --json")
@config_option
@json_option
def list_(config: Path | None, *, as_json: bool) -> None:
    """List the organisations."""
    with open_existing(config) as opened:
        state = opened.control.state
    organisations = sorted(state.organisations.values(), key=lambda organisation: organisation.name)
    if as_json:
        print_json([_document(organisation) for organisation in organisations])
        return
    if not organisations:
        click.echo("There are no organisations yet. Create one: scriba org create NAME")
        return
    print_table(
        ("Name", "Id", "Tier", "Kept at least", "Created (UTC)"),
        [(o.name, o.id, o.tier, f"{o.retention} days", moment(o.created_at)) for o in organisations],
    )


@org.command(epilog="scriba org update acme --retention-days 200")
@click.argument("name", metavar="ORG")
@click.option("--tier", type=click.Choice(list(TIERS)), help="How long entries are kept, if not for --retention-days.")
@click.option(
    "--retention-days", type=_Days(), metavar="N", help="Days that entries are kept, or `tier` for the tier's."
)
@config_option
@json_option
def update(
    name: str, tier: str | None, retention_days: int | KeepDays | None, config: Path | None, *, as_json: bool
) -> None:
    """Change how long entries of an organisation are kept, from its next purge on. ORG is an id or a name."""
    given = click.get_current_context().get_parameter_source("retention_days") is ParameterSource.COMMANDLINE
    if tier is None and not given:
        raise click.UsageError("Say what to change: --tier, --retention-days or both.")
    days = retention_days if given else KEEP_DAYS
    with open_existing(config) as opened:
        org_id = opened.control.find_organisation(name).id
        updated = opened.control.update_organisation(org_id, tier=tier, retention_days=days, actor=COMMAND_LINE)
    if as_json:
        print_json(_document(updated))
        return
    click.echo(f"From now on: {_kept(updated)}")


def _kept(organisation: Organisation) -> str:
    """Say how long entries are kept, and what it means if that is short."""
    said = shortness(organisation.retention) or f"Entries are kept for {organisation.retention} days."
    return f"{said} To change it: scriba org update {organisation.name} --retention-days N"


def _document(organisation: Organisation) -> dict[str, object]:
    return {
        "id": organisation.id,
        "name": organisation.name,
        "tier": organisation.tier,
        "retentionDays": organisation.retention,
        "createdAt": format_timestamp(organisation.created_at),
    }
