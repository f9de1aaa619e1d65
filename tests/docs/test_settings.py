"""Every setting is explained where operators look: in the defaults file and in docs/configuration.md."""

from __future__ import annotations

import json
import re
import tomllib
from typing import TYPE_CHECKING

import pytest
from tests.docs.reading import ROOT, code_blocks

from scriba.settings import DEFAULTS, load_settings
from scriba.settings.loading import _General, _Webhooks
from scriba.settings.providers import ProviderTable

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = ROOT / "docs" / "configuration.md"
LINES = DEFAULTS.read_text(encoding="utf-8").splitlines()
GENERAL = _General.__struct_fields__
OF_PROVIDERS = ProviderTable.__struct_fields__
OF_WEBHOOKS = _Webhooks.__struct_fields__


def is_explained(number: int, marker: str) -> bool:
    """Whether there is a comment right above a line, or above those settings that share one."""
    for line in reversed(LINES[:number]):
        if line.startswith(f"{marker} "):
            return True
        if not re.match(r"#?[a-z_]+ = ", line):
            return False
    return False


@pytest.mark.parametrize("name", GENERAL)
def test_every_setting_has_its_default_and_a_comment_in_the_defaults_file(name: str) -> None:
    """A setting that is not explained there does not exist."""
    (number,) = (number for number, line in enumerate(LINES) if line.startswith(f"{name} = "))
    assert is_explained(number, "#")


@pytest.mark.parametrize("name", OF_PROVIDERS)
def test_every_setting_of_a_provider_is_shown_with_a_comment(name: str) -> None:
    """In the example that stands commented out."""
    (number,) = (number for number, line in enumerate(LINES) if line.startswith(f"#{name} = "))
    assert is_explained(number, "##")


def test_the_example_of_a_provider_can_be_uncommented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the first `#` of each line gone it is a table that Scriba takes, but for what excludes each other."""
    monkeypatch.chdir(tmp_path)
    start = LINES.index("#[providers.openai]")
    end = next(number for number in range(start, len(LINES)) if not LINES[number].startswith("#"))
    lines = [line.removeprefix("#") for line in LINES[start:end]]
    excluded = ("openai_base_url", "api_key_file")
    (tmp_path / "scriba.toml").write_text("\n".join(line for line in lines if not line.startswith(excluded)), "utf-8")
    provider = load_settings(environ={}).providers["openai"]
    assert provider.enabled is True
    assert provider.models == {"my-gpt": "gpt-4o-2024-08-06"}


def test_the_defaults_file_holds_nothing_else() -> None:
    """Every line of it is loaded."""
    loaded = tomllib.loads("\n".join(LINES))
    assert set(loaded) == {*GENERAL, "providers", "webhooks"}
    assert set(loaded["webhooks"]) == set(OF_WEBHOOKS)
    assert loaded["providers"] == {"sandbox": {"enabled": False}}


@pytest.mark.parametrize("name", GENERAL)
def test_every_setting_is_in_the_table_of_the_documentation(name: str) -> None:
    """With its variable and its default."""
    default = tomllib.loads("\n".join(LINES))[name]
    row = next(line for line in CONFIGURATION.read_text("utf-8").splitlines() if line.startswith(f"| `{name}` |"))
    assert f"`SCRIBA_{name.upper()}`" in row
    if default != "":
        shown = default if isinstance(default, str) else json.dumps(default)
        assert f"| `{shown}` |" in row


@pytest.mark.parametrize("name", OF_PROVIDERS)
def test_every_setting_of_a_provider_is_in_the_documentation(name: str) -> None:
    """In the table of those settings."""
    table = CONFIGURATION.read_text("utf-8").partition("## Providers")[2]
    assert any(line.startswith("| ") and f"`{name}`" in line for line in table.splitlines())


@pytest.mark.parametrize("name", OF_WEBHOOKS)
def test_every_setting_of_webhooks_is_explained(name: str) -> None:
    """In the defaults file, and in the documentation with its variable."""
    (number,) = (number for number, line in enumerate(LINES) if line.startswith(f"{name} = "))
    assert is_explained(number, "#")
    table = CONFIGURATION.read_text("utf-8").partition("## Webhooks")[2]
    assert f"| `{name}` | `SCRIBA_WEBHOOKS__{name.upper()}` |" in table


def test_the_examples_are_settings_that_scriba_takes(tmp_path: Path) -> None:
    """Each block of TOML as it stands."""
    blocks = code_blocks(CONFIGURATION, "toml")
    assert blocks
    for number, block in enumerate(blocks):
        file = tmp_path / f"{number}.toml"
        file.write_text(block, encoding="utf-8")
        assert load_settings(file, {}).providers
