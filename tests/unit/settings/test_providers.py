"""A provider needs no more than its key; a table changes or adds one; no key stands in a settings file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scriba.domain.secret import Secret
from scriba.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.settings.conftest import Load


def test_a_usual_variable_is_enough(load: Load) -> None:
    """A known provider whose key is in the environment is there without a table."""
    provider = load(OPENAI_API_KEY="sk-1").providers["openai"]
    assert provider.enabled is None
    assert provider.api_key == Secret("sk-1")
    assert provider.api_key_env == "OPENAI_API_KEY"
    assert provider.dialects == ()


def test_the_first_usual_variable_that_is_set_counts(load: Load) -> None:
    """The most common one comes first; an empty one is not set."""
    both = load(GEMINI_API_KEY="a", GOOGLE_API_KEY="b").providers["google"]
    assert (both.api_key, both.api_key_env) == (Secret("a"), "GEMINI_API_KEY")
    second = load(GEMINI_API_KEY="", GOOGLE_API_KEY="b").providers["google"]
    assert (second.api_key, second.api_key_env) == (Secret("b"), "GOOGLE_API_KEY")


def test_without_a_key_the_variable_to_set_is_known(load: Load) -> None:
    """A refusal can then say which one."""
    provider = load("[providers.google]\nenabled = true").providers["google"]
    assert provider.api_key is None
    assert provider.api_key_env == "GEMINI_API_KEY"


def test_a_table_may_name_another_variable(load: Load) -> None:
    """Its own name, even one that looks like a setting of ours; the usual one no longer counts."""
    toml = '[providers.openai]\napi_key_env = "SCRIBA_OPENAI"'
    provider = load(toml, SCRIBA_OPENAI="mine", OPENAI_API_KEY="usual").providers["openai"]
    assert (provider.api_key, provider.api_key_env) == (Secret("mine"), "SCRIBA_OPENAI")
    assert load(toml, OPENAI_API_KEY="usual").providers["openai"].api_key is None


def test_a_key_may_stand_in_a_file(load: Load, tmp_path: Path) -> None:
    """Without the newline that editors add; a file that is missing or empty stops the start."""
    toml = '[providers.openai]\napi_key_file = "openai.key"'
    with pytest.raises(SettingsError, match=r"`providers.openai.api_key_file` in scriba\.toml cannot be read"):
        load(toml)
    (tmp_path / "openai.key").write_text("\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="names an empty file"):
        load(toml)
    (tmp_path / "openai.key").write_text("sk-2\n", encoding="utf-8")
    assert load(toml, OPENAI_API_KEY="usual").providers["openai"].api_key == Secret("sk-2")


@pytest.mark.parametrize("name", ["api_key", "key", "token"])
def test_a_key_in_the_settings_file_is_refused(load: Load, name: str) -> None:
    """The message says where it belongs, and does not repeat it."""
    with pytest.raises(SettingsError, match="api_key_env names it") as caught:
        load(f'[providers.openai]\n{name} = "sk-secret"')
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("toml", "addresses", "dialects"),
    [
        ('base_url = "http://127.0.0.1:9/v1/"', ("http://127.0.0.1:9/v1", ""), ("openai",)),
        ('base_url = "http://127.0.0.1:9"\ndialect = "anthropic"', ("", "http://127.0.0.1:9"), ("anthropic",)),
        (
            'openai_base_url = "http://127.0.0.1:9/v1"\nanthropic_base_url = "http://127.0.0.1:9"',
            ("http://127.0.0.1:9/v1", "http://127.0.0.1:9"),
            ("openai", "anthropic"),
        ),
    ],
)
def test_an_address_is_given_by_dialect(
    load: Load, toml: str, addresses: tuple[str, str], dialects: tuple[str, ...]
) -> None:
    """`base_url` is short for one of the two; only dialects with an address are spoken."""
    provider = load(f"[providers.mine]\n{toml}").providers["mine"]
    assert (provider.openai_base_url, provider.anthropic_base_url) == addresses
    assert provider.dialects == dialects


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ('base_url = "ftp://x"', "http or https address"),
        ('base_url = "api.openai.com/v1"', "http or https address"),
        ('base_url = "https://x/v1?key=1"', "without query"),
        ('base_url = "https://x:port/v1"', "http or https address"),
        ('base_url = "https://me:hunter2@x/v1"', "holds a user or password"),
        ('base_url = "https://x"\nopenai_base_url = "https://y"', "says the same as openai_base_url"),
        ('dialect = "gemini"', "'openai' or 'anthropic'"),
        ('api_key_env = "A"\napi_key_file = "b"', "both set"),
        ("models = {a = 1}", "expected text, got a whole number"),
        ("enabled = 1", "expected true or false"),
        ("enable = true", "Did you mean enabled?"),
    ],
)
def test_a_wrong_table_is_refused(load: Load, toml: str, says: str) -> None:
    """Each with the setting and what is right, and never with a password."""
    with pytest.raises(SettingsError) as caught:
        load(f"[providers.openai]\n{toml}")
    assert "`providers.openai." in caught.value.message
    assert says in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_unknown_provider_needs_an_address(load: Load) -> None:
    """A mistyped name is not a new provider."""
    with pytest.raises(SettingsError, match=r"`providers.opnai`.*Did you mean providers\.openai\?"):
        load("[providers.opnai]\nenabled = true")
    with pytest.raises(SettingsError, match="Give its address as base_url"):
        load("[providers.zzz]\nenabled = true")
    with pytest.raises(SettingsError, match="lower-case letters"):
        load('[providers."My Models"]\nbase_url = "http://127.0.0.1:9"')


def test_another_name_of_a_provider_is_no_provider_of_its_own(load: Load) -> None:
    """Who writes the vendor's product for the provider learns its id, and no key is left unused without a word."""
    for settings in ({"text": "[providers.gemini]\nenabled = true"}, {"SCRIBA_PROVIDERS__GEMINI__ENABLED": "true"}):
        text = settings.pop("text", None)
        with pytest.raises(SettingsError, match=r"`providers\.gemini` in .*Did you mean providers\.google\?") as caught:
            load(text, **settings)
        assert caught.value.param == "providers.gemini"
    own = load('[providers.lmstudio]\nbase_url = "http://127.0.0.1:1234/v1"').providers["lmstudio"]
    assert own.openai_base_url == "http://127.0.0.1:1234/v1"


def test_a_mistyped_provider_is_not_made_one_of_its_own_by_its_address(load: Load) -> None:
    """The proxy of the operator would be gone around; in the file and among the variables."""
    for settings in (
        {"text": '[providers.openia]\nbase_url = "https://proxy.example.com/v1"'},
        {"SCRIBA_PROVIDERS__OPENIA__BASE_URL": "https://proxy.example.com/v1"},
    ):
        text = settings.pop("text", None)
        with pytest.raises(SettingsError, match=r"`providers\.openia` in .*Did you mean providers\.openai\?") as caught:
            load(text, **settings)
        assert caught.value.hint is not None
        assert "a name less like it" in caught.value.hint
    assert "openai-eu" in load('[providers.openai-eu]\nbase_url = "https://eu.example.com/v1"').providers


def test_a_table_of_one_provider_is_among_the_providers(load: Load) -> None:
    """The letter that is forgotten most often."""
    with pytest.raises(SettingsError, match=r"Did you mean providers\?"):
        load('[provider.openai]\nbase_url = "https://proxy.example.com/v1"')
    with pytest.raises(SettingsError, match=r"Did you mean SCRIBA_PROVIDERS__OPENAI__BASE_URL\?"):
        load("", SCRIBA_PROVIDER__OPENAI__BASE_URL="https://proxy.example.com/v1")
    with pytest.raises(SettingsError, match=r"Known are: .*SCRIBA_HOST"):
        load("", SCRIBA_FOO="1")
