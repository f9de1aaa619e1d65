"""Webhooks from the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.receiver import receiving, status

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.conftest import Scriba

TOML = '[webhooks]\nallowed_networks = ["127.0.0.0/8"]\nallow_http = true\nallowed_ports = []\n'


@pytest.fixture
def local(acme: str, tmp_path: Path) -> str:
    """Allow webhooks to the loopback."""
    (tmp_path / "scriba.toml").write_text(TOML)
    return acme


def test_an_endpoint_is_made_listed_and_tried_out(scriba: Scriba, local: str) -> None:
    """Promise: the secret is shown once; a trial that is not taken ends with 1."""
    assert local
    with receiving() as receiver:
        made = scriba("webhook", "create", receiver.url, "--org", "acme", "--event", "governance.*", "--json").json
        receiver.secrets = [made["signingSecret"]]
        endpoint_id = made["endpoint"]["id"]
        listed = scriba("webhook", "list", "--org", "acme", "--json")
        assert [each["eventTypeFilters"] for each in listed.json] == [["governance.*"]]
        assert made["signingSecret"] not in listed.out
        assert endpoint_id[:12] in scriba("webhook", "list", "--org", "acme").out
        taken = scriba("webhook", "test", endpoint_id, "--org", "acme")
        assert (taken.code, taken.out.startswith("Delivered")) == (0, True)
        receiver.modes["/hook"] = status(500)
        refused = scriba("webhook", "test", endpoint_id, "--org", "acme", "--json")
        assert (refused.code, refused.json["error"]) == (1, "status_500")


def test_the_secret_stands_alone_on_standard_output(scriba: Scriba, local: str) -> None:
    """Promise: a shell can keep it."""
    made = scriba("webhook", "create", "http://127.0.0.1:9/", "--org", local)
    assert made.out.startswith("whsec_")
    assert "cannot be shown again" in made.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("create", "http://10.0.0.1/"), "url leads to 10.0.0.1"),
        (("create", "http://127.0.0.1:9/", "--event", "x"), "matches no event"),
        (("test", "evsub_x"), "no endpoint"),
        (("replay", "dlv_x"), "no delivery"),
    ],
)
def test_wrong_use_is_told(scriba: Scriba, local: str, arguments: tuple[str, ...], says: str) -> None:
    """Promise: what is wrong is told, with exit code 2."""
    result = scriba("webhook", *arguments, "--org", local)
    assert result.code == 2
    assert says in result.err
