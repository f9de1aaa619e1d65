"""`scriba webhook`: endpoints that events are sent to."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click
import msgspec

from scriba.cli.command import Group
from scriba.cli.failure import NO
from scriba.cli.opening import open_existing
from scriba.cli.options import config_option, json_option, org_option
from scriba.cli.show import moment, print_json, print_table
from scriba.delivery.draft import Draft, check_filters, read_trial
from scriba.delivery.webhooks import Webhooks
from scriba.domain.window import MAX_LIMIT, Window
from scriba.storage.model import COMMAND_LINE

if TYPE_CHECKING:
    from pathlib import Path

    from scriba.cli.opening import Opened

__all__ = ["webhook"]


@click.group(cls=Group, epilog="scriba webhook create https://siem.example.com/hook --org acme")
def webhook() -> None:
    """List, create and test endpoints that events are sent to."""


@webhook.command("list", epilog="scriba webhook list --org acme")
@org_option
@config_option
@json_option
def list_(org: str, config: Path | None, *, as_json: bool) -> None:
    """List the endpoints of an organisation, newest first."""
    with open_existing(config) as opened:
        organisation = opened.control.find_organisation(org)
        page = _webhooks(opened).endpoints.list(organisation.id, Window(MAX_LIMIT))
    if as_json:
        print_json([each.document() for each in page.endpoints])
        return
    if not page.endpoints:
        click.echo(f"{organisation.name} has no endpoints yet. Create one: scriba webhook create URL --org {org}")
        return
    print_table(
        ("Id", "URL", "Events", "State", "Failures", "Created (UTC)"),
        [
            (each.id, each.url, ", ".join(each.filters), each.status, str(each.failing.count), moment(each.created_at))
            for each in page.endpoints
        ],
    )


@webhook.command(epilog="scriba webhook create https://siem.example.com/hook --org acme --event 'governance.request.*'")
@click.argument("url", metavar="URL")
@org_option
@click.option(
    "--event", "events", multiple=True, default=("*",), metavar="E", show_default=True, help="May be repeated."
)
@click.option("--description", metavar="TEXT", help="What the endpoint is for.")
@config_option
@json_option
def create(
    url: str, org: str, events: tuple[str, ...], description: str | None, config: Path | None, *, as_json: bool
) -> None:
    """Make an endpoint and show its signing secret, once. It is sent what happens from now on."""
    draft = Draft(url=url, filters=check_filters(list(events), "event"), description=description)
    with open_existing(config) as opened:
        org_id = opened.control.find_organisation(org).id
        answer = json.loads(_webhooks(opened).endpoints.create(org_id, draft, actor=COMMAND_LINE))
    if as_json:
        print_json(answer)
        return
    click.echo(answer["signingSecret"])
    click.echo(f"This signs for {answer['endpoint']['id']}. Keep it now: it cannot be shown again.", err=True)


@webhook.command(epilog="scriba webhook test evsub_01jd8x4k2v7m9n3p5q6r8s0t1w --org acme")
@click.argument("endpoint_id", metavar="ENDPOINT")
@org_option
@click.option("--event", default="webhook.test", show_default=True, metavar="E", help="The type of the event.")
@config_option
@json_option
def test(endpoint_id: str, org: str, event: str, config: Path | None, *, as_json: bool) -> int:
    """Send an event to an endpoint now, once; exit code 1 if it was not taken."""
    trial = read_trial({"eventType": event})
    with open_existing(config) as opened:
        webhooks = _webhooks(opened)
        endpoint = webhooks.endpoints.find(opened.control.find_organisation(org).id, endpoint_id)
        result = asyncio.run(webhooks.try_out(endpoint, trial))
    if as_json:
        print_json(msgspec.to_builtins(result))
    elif result.delivered:
        click.echo(f"Delivered: {endpoint.url} answered {result.status_code} after {result.duration_ms} ms.")
    else:
        click.echo(f"Not delivered to {endpoint.url}: {result.error} after {result.duration_ms} ms.")
    return 0 if result.delivered else NO


@webhook.command(epilog="scriba webhook replay dlv_01jd8x4k2v7m9n3p5q6r8s0t1w --org acme")
@click.argument("delivery_id", metavar="DELIVERY")
@org_option
@config_option
@json_option
def replay(delivery_id: str, org: str, config: Path | None, *, as_json: bool) -> None:
    """Have an event sent again, by the servers that run."""
    with open_existing(config) as opened:
        org_id = opened.control.find_organisation(org).id
        deliveries = _webhooks(opened).deliveries
        answer = json.loads(deliveries.replay(org_id, delivery_id, msgspec.UNSET, actor=COMMAND_LINE))
    if as_json:
        print_json(answer["delivery"])
        return
    click.echo(f"{answer['delivery']['id']} waits to be sent.")


def _webhooks(opened: Opened) -> Webhooks:
    return Webhooks(opened.store, opened.settings.webhooks)
