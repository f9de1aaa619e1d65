"""Where settings come from: the defaults file, the operator's file, the environment.

Each source becomes a layer: the path of a setting (`("providers", "openai", "base_url")`) to what was
given for it and where. Layers are merged with `|`, the later one wins.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from scriba.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["CONFIG_VARIABLE", "DEFAULTS", "PREFIX", "Given", "Layer", "SettingPath", "read_environment", "read_file"]

DEFAULTS: Final = Path(__file__).with_name("defaults.toml")
PREFIX: Final = "SCRIBA_"
CONFIG_VARIABLE: Final = "SCRIBA_CONFIG"

_NOT_SETTINGS: Final = frozenset({CONFIG_VARIABLE, "SCRIBA_CHROMIUM"})
"""Variables with our prefix that are no settings; the second one is for the test suite."""

_SERVICE_LINK: Final = re.compile(r"SCRIBA_(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP)\w*)")
"""What Kubernetes sets in every container beside a service named `scriba`."""

_SERVICE_ADDRESS: Final = re.compile(r"(tcp|udp)://")
"""The same for SCRIBA_PORT, which then holds an address and no port."""

SettingPath: TypeAlias = tuple[str, ...]


class Given(NamedTuple):
    """A value and its place: a file's name or a variable's. Values of variables are text, of any type."""

    value: object
    place: str
    is_text: bool = False


Layer: TypeAlias = dict[SettingPath, Given]


def read_file(path: Path) -> Layer:
    """Read a settings file in TOML 1.0.

    Raises `SettingsError` if it cannot be read or is not TOML.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"The settings file {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"The settings file {path} is not valid TOML: {error}.") from error
    providers = document.pop("providers", {})
    webhooks = document.pop("webhooks", {})
    if not isinstance(webhooks, dict):
        raise SettingsError(f"`webhooks` in {path} must be a table: write [webhooks].", param="webhooks")
    layer: Layer = {(name,): Given(value, str(path)) for name, value in document.items()}
    layer |= {("webhooks", name): Given(value, str(path)) for name, value in webhooks.items()}
    if not isinstance(providers, dict):
        raise SettingsError(f"`providers` in {path} must be tables: write [providers.NAME].", param="providers")
    for name, table in providers.items():
        layer |= _provider_layer(name, table, path)
    return layer


def _provider_layer(name: str, table: object, path: Path) -> Layer:
    if not isinstance(table, dict):
        raise SettingsError(f"`providers.{name}` in {path} must be a table.", param=f"providers.{name}")
    present: Layer = {("providers", name): Given(None, str(path))}
    return present | {("providers", name, key): Given(value, str(path)) for key, value in table.items()}


def read_environment(environ: Mapping[str, str], providers: Iterable[str]) -> Layer:
    """Read the `SCRIBA_…` variables; an empty one counts as not set.

    `providers` are the known names, so that SCRIBA_PROVIDERS__GITHUB_MODELS__BASE_URL finds `github-models`.
    """
    names = {name.replace("-", "_"): name for name in providers}
    layer: Layer = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or not text or _is_foreign(variable, text):
            continue
        path = tuple(variable.removeprefix(PREFIX).lower().split("__"))
        if len(path) == 3 and path[0] == "providers":
            name = names.get(path[1], path[1].replace("_", "-"))
            layer["providers", name] = Given(None, variable)
            path = ("providers", name, path[2])
        layer[path] = Given(text, variable, is_text=True)
    return layer


def _is_foreign(variable: str, text: str) -> bool:
    return (
        variable in _NOT_SETTINGS
        or _SERVICE_LINK.fullmatch(variable) is not None
        or (variable == "SCRIBA_PORT" and _SERVICE_ADDRESS.match(text) is not None)
    )
