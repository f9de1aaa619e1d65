"""A provider is on when it can be called, and when it is not the caller is told what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scriba.domain.record import Operation
from scriba.domain.secret import Secret
from scriba.errors import SettingsError
from scriba.gateway.configured import SANDBOX, configure, key_variables, read_settings
from scriba.policy.catalogue import Catalogue, load_catalogue
from scriba.policy.models import load_models
from scriba.settings import ProviderSettings

if TYPE_CHECKING:
    from pathlib import Path

KEY = Secret("k")


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Load the catalogue of this version."""
    return load_catalogue(load_models().sha256)


def test_a_key_turns_a_known_provider_on(catalogue: Catalogue) -> None:
    """Address and dialects come from the catalogue."""
    configured = configure({"deepseek": ProviderSettings(api_key=KEY)}, catalogue)
    assert configured.names == ("deepseek",)
    assert configured.providers[0].dialects == ("openai", "anthropic")
    assert configured.targets["deepseek"].base_urls["openai"] == "https://api.deepseek.com/v1"
    assert configured.targets["deepseek"].key == KEY


@pytest.mark.parametrize(
    ("name", "given", "is_on"),
    [
        ("openai", ProviderSettings(), False),
        ("openai", ProviderSettings(enabled=False, api_key=KEY), False),
        ("openai", ProviderSettings(enabled=True), True),
        (
            "openai",
            ProviderSettings(openai_base_url="http://p/v1", dialects=("openai",), api_key_env="OPENAI_API_KEY"),
            False,
        ),
        ("azure", ProviderSettings(api_key=KEY), False),  # its address has a placeholder
        ("azure", ProviderSettings(api_key=KEY, openai_base_url="https://x/openai/v1", dialects=("openai",)), True),
        ("ollama", ProviderSettings(), False),
        (
            "vllm",
            ProviderSettings(openai_base_url="http://v/v1", dialects=("openai",), api_key_env="VLLM_API_KEY"),
            True,
        ),
        ("mine", ProviderSettings(openai_base_url="http://m/v1", dialects=("openai",)), True),
        ("mine", ProviderSettings(openai_base_url="http://m/v1", dialects=("openai",), api_key_env="MINE_KEY"), False),
    ],
)
def test_when_a_provider_is_on(catalogue: Catalogue, name: str, given: ProviderSettings, *, is_on: bool) -> None:
    """It needs a whole address, and a key unless the operator runs it."""
    assert (name in configure({name: given}, catalogue).names) is is_on


def test_a_table_with_one_address_serves_that_dialect_alone(catalogue: Catalogue) -> None:
    """Nothing goes around an operator's own proxy."""
    given = ProviderSettings(openai_base_url="http://proxy/v1/", dialects=("openai",), api_key=KEY)
    configured = configure({"deepseek": given}, catalogue)
    assert configured.targets["deepseek"].base_urls == {"openai": "http://proxy/v1"}
    assert configured.providers[0].dialects == ("openai",)


def test_an_address_in_china_is_noticed(catalogue: Catalogue) -> None:
    """A provider from elsewhere that is reached in China counts as there."""
    given = ProviderSettings(openai_base_url="https://x.openai.azure.cn/openai/v1", dialects=("openai",), api_key=KEY)
    assert configure({"azure": given}, catalogue).providers[0].china_endpoint


def test_the_operators_names_become_routes(catalogue: Catalogue) -> None:
    """A name of the operator's leads to the model behind it."""
    configured = configure({"openai": ProviderSettings(api_key=KEY, models={"my-gpt": "gpt-4o"})}, catalogue)
    route = configured.providers[0].models[0]
    assert (route.name, route.upstream, route.canonical) == ("my-gpt", "gpt-4o", "gpt-4o")


def test_the_sandbox_is_on_only_by_setting(catalogue: Catalogue) -> None:
    """It answers nobody who did not ask for it, and calls nobody."""
    assert configure({SANDBOX: ProviderSettings(enabled=False)}, catalogue).names == ()
    configured = configure({SANDBOX: ProviderSettings(enabled=True)}, catalogue)
    assert configured.names == (SANDBOX,)
    assert configured.targets == {}
    assert configured.providers[0].speaks(Operation.CHAT)


def test_the_remedy_names_variable_and_what_is_there(catalogue: Catalogue) -> None:
    """Whoever asks for a provider that is not on learns what to set, what is on, and about the sandbox."""
    off = configure({"groq": ProviderSettings(api_key=KEY)}, catalogue).remedy("openai")
    assert "OPENAI_API_KEY" in off
    assert "Configured here: groq" in off
    assert "--demo" in off
    on = configure({SANDBOX: ProviderSettings(enabled=True)}, catalogue).remedy("openai")
    assert "sandbox/echo works" in on
    named = {"openai": ProviderSettings(api_key_env="MY_KEY")}
    assert "Set MY_KEY" in configure(named, catalogue).remedy("openai")
    assert "[providers.openai-compatible]" in configure({}, catalogue).remedy("openai-compatible")


def test_only_keys_are_taken_for_keys(catalogue: Catalogue) -> None:
    """A variable that names an account, a place or half of a signature never goes out as a key."""
    variables = key_variables(catalogue)
    assert variables["openai"] == ("OPENAI_API_KEY",)
    assert variables["bedrock"] == ("AWS_BEARER_TOKEN_BEDROCK",)
    assert variables["azure"] == ("AZURE_OPENAI_API_KEY", "AZURE_API_KEY")
    assert "vertex" not in variables
    for names in variables.values():
        assert all(name.endswith(("KEY", "TOKEN", "_PAT", "_JWT", "_BEDROCK")) for name in names)


def test_settings_go_by_the_ids_of_the_catalogue(tmp_path: Path) -> None:
    """An alias, which policies and requests may use, is not taken for an unknown provider in settings."""
    file = tmp_path / "scriba.toml"
    file.write_text("[providers.gemini]\nenabled = true", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"Did you mean providers\.google\?"):
        read_settings(file, {})
