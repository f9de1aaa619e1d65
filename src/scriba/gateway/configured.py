"""Which providers requests can be sent to here: settings and catalogue joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from scriba.domain.secret import Secret
from scriba.gateway.route import Dialect
from scriba.policy.catalogue import load_catalogue
from scriba.policy.configured import ConfiguredProvider, ModelRoute, is_china_endpoint
from scriba.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from scriba.policy.catalogue import Catalogue, ProviderFacts
    from scriba.settings import ProviderSettings, Settings

__all__ = ["SANDBOX", "SANDBOX_MODEL", "Configured", "Target", "configure", "key_variables", "read_settings"]

SANDBOX: Final = "sandbox"
SANDBOX_MODEL: Final = "sandbox/echo"

_NOT_KEYS: Final = frozenset(
    {"AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AZURE_RESOURCE_NAME", "CLOUDFLARE_ACCOUNT_ID"}
    | {"DATABRICKS_HOST", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_VERTEX_LOCATION", "GOOGLE_VERTEX_PROJECT"}
    | {"SNOWFLAKE_ACCOUNT", "WATSONX_PROJECT_ID", "WATSONX_URL"}
)
"""Customary variables that name an account or a place, or sign requests in a way that is not spoken here."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where the requests for one provider go.

    :param base_urls: by dialect, without a slash at the end
    :param key: what is sent as its API key, if it wants one
    :param shared_storage: whether each organisation may name what it keeps for any of them
    """

    base_urls: dict[Dialect, str]
    key: Secret[str] | None = None
    shared_storage: bool = False


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """All providers that are on.

    :param providers: as far as a decision depends on them, in the operator's order
    :param targets: the rest, by provider id; the sandbox has none
    :param variables: the variable that holds the key of a provider that could be on, by provider id
    """

    providers: tuple[ConfiguredProvider, ...]
    targets: dict[str, Target]
    variables: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Ids of the providers that are on."""
        return tuple(provider.id for provider in self.providers)

    def remedy(self, provider: str) -> str:
        """Say what to do about a provider that is not on."""
        variable = self.variables.get(provider)
        setting = f"the table [providers.{provider}] of scriba.toml"
        first = f"Set {variable}, or its key in {setting}, and restart." if variable else f"It needs {setting}."
        others = ", ".join(name for name in self.names if name != SANDBOX)
        here = f"Configured here: {others}." if others else "No other provider is configured here."
        if SANDBOX in self.names:
            return f"{first} {here} The model {SANDBOX_MODEL} works without an account."
        return f"{first} {here} To try Scriba without an account, start it with --demo and ask for {SANDBOX_MODEL}."


def configure(settings: Mapping[str, ProviderSettings], catalogue: Catalogue) -> Configured:
    """Find out which providers are on.

    One is on if it was enabled, or has its key, or is run by the operator at a given address; in each case only if
    its address is complete. One that was disabled never is.
    """
    providers = []
    targets = {}
    for name, given in settings.items():
        if name == SANDBOX:
            providers += [_SANDBOX_PROVIDER] if given.enabled else []
            continue
        facts = catalogue.facts(name)
        base_urls = _base_urls(given, facts)
        if base_urls and _is_on(given, facts):
            targets[name] = Target(base_urls=base_urls, key=given.api_key, shared_storage=given.shared_storage)
            providers.append(_provider(name, given, base_urls))
    usual = {name: variables[0] for name, variables in key_variables(catalogue).items()}
    named = {name: given.api_key_env for name, given in settings.items() if given.api_key_env}
    return Configured(providers=tuple(providers), targets=targets, variables=usual | named)


def read_settings(config: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Load the settings, with the providers that the catalogue knows.

    :param environ: instead of the environment of the process
    :raises SettingsError: naming the setting
    """
    catalogue = load_catalogue("")
    variables = key_variables(catalogue)
    known = {name: variables.get(name, ()) for name in catalogue.providers}
    aliases = {alias: name for alias, name in catalogue.ids.items() if alias != name}
    return load_settings(config, environ, key_variables=known, aliases=aliases)


def key_variables(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """Return the customary variables of each provider's key, most common first, for those that have any."""
    known = {
        name: tuple(variable for variable in facts.env if variable not in _NOT_KEYS)
        for name, facts in catalogue.providers.items()
    }
    return {name: variables for name, variables in known.items() if variables}


_SANDBOX_PROVIDER: Final = ConfiguredProvider(
    id=SANDBOX,
    dialects=("openai", "anthropic"),
    models=(ModelRoute(name=SANDBOX_MODEL, upstream="echo"),),
)


def _is_on(given: ProviderSettings, facts: ProviderFacts) -> bool:
    if given.enabled is not None:
        return given.enabled
    is_own = bool(given.dialects) and (facts.kind == "self_hosted" or not given.api_key_env)
    return given.api_key is not None or is_own


def _base_urls(given: ProviderSettings, facts: ProviderFacts) -> dict[Dialect, str]:
    """Return the addresses that are complete: those given, else the catalogue's."""
    source = given if given.dialects else facts
    addresses: dict[Dialect, str] = {"openai": source.openai_base_url, "anthropic": source.anthropic_base_url}
    return {dialect: url.rstrip("/") for dialect, url in addresses.items() if url and "{" not in url}


def _provider(name: str, given: ProviderSettings, base_urls: dict[Dialect, str]) -> ConfiguredProvider:
    return ConfiguredProvider(
        id=name,
        dialects=tuple(base_urls),
        models=tuple(
            ModelRoute(name=asked, upstream=upstream, canonical=upstream) for asked, upstream in given.models.items()
        ),
        china_endpoint=any(is_china_endpoint(url) for url in base_urls.values()),
    )
