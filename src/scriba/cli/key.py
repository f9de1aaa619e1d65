"""`scriba key`: API keys."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click
from rich.text import Text

from scriba.cli.command import Group
from scriba.cli.opening import open_existing
from scriba.cli.options import Duration, config_option, json_option, org_option
from scriba.cli.show import moment, print_json, print_table
from scriba.domain.api_key import KEY_PREFIX
from scriba.domain.timestamp import format_timestamp
from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from pathlib import Path

    from scriba.cli.opening import Opened
    from scriba.storage.model import ApiKey

__all__ = ["key"]


@click.group(cls=Group, epilog="scriba key create --org acme --role app --name checkout")
def key() -> None:
    """Create, list and revoke API keys."""


@key.command(epilog="scriba key create --org acme --role app --policy-slot 1 --expires 90d")
@org_option
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="app calls LLMs, ingest reports decisions, auditor reads, admin does all in its organisation.",
)
@click.option("--name", default="", help="What the key is for.")
@click.option("--policy-slot", type=click.IntRange(1, 12), metavar="1-12", help="The policy that its requests get.")
@click.option(
    "--allow-slot", type=click.IntRange(1, 12), multiple=True, metavar="N", help="A slot that a request may ask for."
)
@click.option("--tag", multiple=True, metavar="T", help="A tag for each entry of this key; may be repeated.")
@click.option("--expires", type=Duration(), metavar="90d|12h|30m|10s", help="How long it is valid [default: for ever].")
@config_option
@json_option
def create(
    *,
    org: str,
    role: str,
    name: str,
    policy_slot: int | None,
    allow_slot: tuple[int, ...],
    tag: tuple[str, ...],
    expires: int | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Create a key and show it, once: only its hash is stored."""
    with open_existing(config) as opened:
        created, secret = opened.control.create_key(
            opened.control.find_organisation(org).id,
            role=Role(role),
            name=name,
            policy_slot=policy_slot,
            allowed_slots=allow_slot,
            tags=tag,
            expires_at=None if expires is None else time.time_ns() // 1000 + expires,
            actor=COMMAND_LINE,
        )
    if as_json:
        print_json(_document(created) | {"key": secret})
        return
    click.echo(secret)
    click.echo(f"This is the {created.role} key {created.id}. Keep it now: it cannot be shown again.", err=True)


@key.command("list", epilog="scriba key list --org acme")
@org_option
@config_option
@json_option
def list_(org: str, config: Path | None, *, as_json: bool) -> None:
    """List the keys of an organisation, with the last four characters of each."""
    with open_existing(config) as opened:
        organisation = opened.control.find_organisation(org)
        keys = opened.control.keys_of(organisation.id)
    if as_json:
        print_json([_document(each) for each in keys])
        return
    if not keys:
        click.echo(f"{organisation.name} has no keys yet. Create one: scriba key create --org {org} --role app")
        return
    now = time.time_ns() // 1000
    print_table(
        ("Id", "Name", "Role", "Key", "Slots", "State", "Created (UTC)"),
        [(k.id, k.name, k.role, f"…{k.last4}", _slots(k), _state(k, now), moment(k.created_at)) for k in keys],
    )


@key.command(epilog="scriba key revoke key_01jd8x4k2v7m9n3p5q6r8s0t1w")
@click.argument("key_id", metavar="KEY")
@click.option("--org", metavar="ORG", help="Id or name of its organisation [default: look in all].")
@config_option
@json_option
def revoke(key_id: str, org: str | None, config: Path | None, *, as_json: bool) -> None:
    """Revoke a key for ever, from the next request on. KEY is its id."""
    with open_existing(config) as opened:
        org_id = _owner(opened, key_id) if org is None else opened.control.find_organisation(org).id
        revoked = opened.control.revoke_key(org_id, key_id, actor=COMMAND_LINE)
    if as_json:
        print_json(_document(revoked))
        return
    click.echo(f"The key {revoked.id} is revoked.")


def _owner(opened: Opened, key_id: str) -> str:
    return next((key.org_id for key in opened.control.state.keys.values() if key.id == key_id), "")


def _document(api_key: ApiKey) -> dict[str, object]:
    times = {"createdAt": api_key.created_at, "expiresAt": api_key.expires_at, "revokedAt": api_key.revoked_at}
    fields = {
        "id": api_key.id,
        "orgId": api_key.org_id,
        "name": api_key.name,
        "role": api_key.role.value,
        "prefix": KEY_PREFIX,
        "last4": api_key.last4,
        "policySlot": api_key.policy_slot,
        "allowedSlots": list(api_key.allowed_slots),
        "tags": list(api_key.tags),
    } | {name: format_timestamp(micros) for name, micros in times.items() if micros is not None}
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def _slots(api_key: ApiKey) -> str:
    own = [str(api_key.policy_slot)] if api_key.policy_slot else []
    return ", ".join(own + [f"({slot})" for slot in api_key.allowed_slots])


def _state(api_key: ApiKey, now: int) -> Text:
    if api_key.revoked_at is not None:
        return Text("revoked", style="red")
    if api_key.expires_at is None:
        return Text("valid", style="green")
    if api_key.expires_at <= now:
        return Text("expired", style="red")
    return Text(f"until {moment(api_key.expires_at)}", style="green")
