"""Environment variables are read by the same rules as the file, and those that are none of ours are left alone."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from scriba.errors import SettingsError

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Load


@pytest.mark.parametrize(
    ("variable", "suggestion"),
    [
        ("SCRIBA_PROT", "Did you mean SCRIBA_PORT?"),
        ("SCRIBA_PROVIDERS__OPENAI__BASE_ULR", "Did you mean SCRIBA_PROVIDERS__OPENAI__BASE_URL?"),
        ("SCRIBA_PROVIDERS__OPENAI", "SCRIBA_PROVIDERS__NAME__"),
        ("SCRIBA_PORT__NUMBER", "SCRIBA_PORT"),
    ],
)
def test_an_unknown_variable_is_refused(load: Load, variable: str, suggestion: str) -> None:
    """A mistyped variable is not a silent default."""
    with pytest.raises(SettingsError) as caught:
        load(**{variable: "1"})
    assert caught.value.message == f"{variable} is not a setting."
    assert suggestion in str(caught.value.hint)


def test_a_malformed_variable_names_itself(load: Load) -> None:
    """The message speaks of the variable, not of a file that nobody wrote."""
    with pytest.raises(SettingsError, match="SCRIBA_PORT is not valid: expected a whole number, got text"):
        load(SCRIBA_PORT="high")


@pytest.mark.parametrize("text", ["10.0.0.0/8, ::1", '["10.0.0.0/8", "::1"]'])
def test_a_list_is_written_with_commas_or_as_in_the_file(load: Load, text: str) -> None:
    """Both forms are in use for environment variables."""
    assert load(SCRIBA_TRUSTED_PROXIES=text).trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))


def test_booleans_and_tables_are_read_from_text(load: Load) -> None:
    """Every type of setting can come from a variable."""
    settings = load(SCRIBA_PROVIDERS__SANDBOX__ENABLED="true", SCRIBA_PROVIDERS__OPENAI__MODELS='{"my-gpt" = "gpt-4o"}')
    assert settings.providers["sandbox"].enabled is True
    assert settings.providers["openai"].models == {"my-gpt": "gpt-4o"}


def test_a_table_that_is_none_is_refused(load: Load) -> None:
    """Text that is not a table is not read as an empty one."""
    with pytest.raises(SettingsError, match="SCRIBA_PROVIDERS__OPENAI__MODELS is not valid: expected a table"):
        load(SCRIBA_PROVIDERS__OPENAI__MODELS="{gpt-4o")


def test_underscores_find_a_provider_with_hyphens(load: Load) -> None:
    """Names of variables cannot have hyphens; names of providers do."""
    settings = load(SCRIBA_PROVIDERS__GITHUB_MODELS__BASE_URL="http://127.0.0.1:9000")
    assert settings.providers["github-models"].openai_base_url == "http://127.0.0.1:9000"


def test_an_empty_variable_counts_as_not_set(load: Load) -> None:
    """Compose files pass on variables that nobody set, as empty ones."""
    assert load(SCRIBA_PORT="", SCRIBA_HOST="").port == 2728


def test_variables_that_kubernetes_sets_beside_a_service_are_left_alone(load: Load) -> None:
    """A service named `scriba` puts its address into every container, under names that look like ours."""
    settings = load(
        SCRIBA_SERVICE_HOST="10.0.0.7",
        SCRIBA_SERVICE_PORT="2728",
        SCRIBA_SERVICE_PORT_HTTP="2728",
        SCRIBA_PORT="tcp://10.0.0.7:2728",
        SCRIBA_PORT_2728_TCP="tcp://10.0.0.7:2728",
        SCRIBA_PORT_2728_TCP_ADDR="10.0.0.7",
    )
    assert (settings.host, settings.port) == ("127.0.0.1", 2728)


def test_providers_must_be_tables(load: Load) -> None:
    """A value where a table belongs is an error that shows the right form."""
    with pytest.raises(SettingsError, match=r"write \[providers.NAME\]"):
        load("providers = 3")
    with pytest.raises(SettingsError, match=r"`providers.openai` in scriba\.toml must be a table"):
        load('[providers]\nopenai = "on"')
