"""The [providers.NAME] tables, joined with the keys that the environment holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

import msgspec

from scriba.domain.nearest import is_slip, nearest
from scriba.domain.secret import Secret
from scriba.settings.model import Dialect, ProviderSettings
from scriba.settings.table import malformed, read_table

if TYPE_CHECKING:
    from scriba.errors import SettingsError
    from scriba.settings.sources import Layer, SettingPath

__all__ = ["KeyVariables", "ProviderTable", "read_providers", "refuse_aliases", "refuse_slips"]

KeyVariables: TypeAlias = Mapping[str, Sequence[str]]
"""The providers of the catalogue, and the customary variables of their keys, most common first."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_ADDRESSES: Final = ("base_url", "openai_base_url", "anthropic_base_url")
_TAIL: Final = frozenset("?# ")
_SHORTEST_SLIP: Final = 4
"""Letters of a name below which another one is too easily alike."""


class ProviderTable(msgspec.Struct):
    """The settings of one [providers.NAME], as they are written."""

    enabled: bool | None = None
    base_url: str = ""
    dialect: Dialect = "openai"
    openai_base_url: str = ""
    anthropic_base_url: str = ""
    api_key_env: str = ""
    api_key_file: str = ""
    models: dict[str, str] = {}
    shared_storage: bool = False


def refuse_aliases(layer: Layer, aliases: Mapping[str, str]) -> None:
    """Refuse a table under another name of a provider, unless its address makes it a provider of its own."""
    for path in [path for path in layer if path[0] == "providers" and len(path) == 2 and path[1] in aliases]:
        if not any((*path, address) in layer for address in _ADDRESSES):
            name = aliases[path[1]]
            error = _misnamed(layer, path, f"is another name of {name} and has no base_url")
            error.hint = f"Did you mean providers.{name}?"
            raise error


def refuse_slips(layer: Layer, known: Collection[str], aliases: Collection[str]) -> None:
    """Refuse a provider of one's own whose name is a slip away from a known one.

    Its address would count for a provider that nobody asks for, and requests would go past it to the known one.
    """
    for path in [path for path in layer if path[0] == "providers" and len(path) == 2]:
        name = path[1]
        alike = [one for one in known if len(one) >= _SHORTEST_SLIP and is_slip(name, one)]
        if alike and name not in known and name not in aliases:
            error = _misnamed(layer, path, f"is not in the catalogue, but {alike[0]} is")
            error.hint = f"Did you mean providers.{alike[0]}? Else give your own provider a name less like it."
            raise error


def read_providers(layer: Layer, environ: Mapping[str, str], usual: KeyVariables | None) -> dict[str, ProviderSettings]:
    """Return every upstream that has a table, or that is known and whose key is in the environment."""
    named = [path[1] for path in layer if path[0] == "providers" and len(path) == 2]
    providers = {name: _provider(layer, name, environ, usual) for name in named}
    for name, variables in (usual or {}).items():
        if name not in providers and any(environ.get(variable) for variable in variables):
            providers[name] = _provider(layer, name, environ, usual)
    return providers


def _provider(layer: Layer, name: str, environ: Mapping[str, str], usual: KeyVariables | None) -> ProviderSettings:
    path = ("providers", name)
    table = read_table(layer, path, ProviderTable)
    openai, anthropic = _addresses(layer, path, table)
    if usual is not None and name not in usual and not (openai or anthropic):
        raise _unknown_provider(layer, path, usual)
    if not _NAME.fullmatch(name):
        raise malformed(layer, path, "must be named in lower-case letters, digits and .-_")
    variable, key = _key(layer, path, table, environ, (usual or {}).get(name, ()))
    dialects: tuple[tuple[Dialect, str], ...] = (("openai", openai), ("anthropic", anthropic))
    return ProviderSettings(
        enabled=table.enabled,
        openai_base_url=openai,
        anthropic_base_url=anthropic,
        dialects=tuple(dialect for dialect, address in dialects if address),
        api_key_env=variable,
        api_key=key,
        models=table.models,
        shared_storage=table.shared_storage,
    )


def _unknown_provider(layer: Layer, path: SettingPath, usual: KeyVariables) -> SettingsError:
    error = _misnamed(layer, path, "is not in the catalogue and has no base_url")
    name = nearest(path[1], usual)
    error.hint = f"Did you mean providers.{name}?" if name else "Give its address as base_url."
    return error


def _misnamed(layer: Layer, path: SettingPath, why: str) -> SettingsError:
    """Return the error for the name of a table, which also a variable shows as the file would."""
    return malformed({path: layer[path]._replace(is_text=False)}, path, why)


def _addresses(layer: Layer, path: SettingPath, table: ProviderTable) -> tuple[str, str]:
    short = {table.dialect: _address(layer, (*path, "base_url"), table.base_url)}
    long = {
        "openai": _address(layer, (*path, "openai_base_url"), table.openai_base_url),
        "anthropic": _address(layer, (*path, "anthropic_base_url"), table.anthropic_base_url),
    }
    if table.base_url and long[table.dialect]:
        raise malformed(layer, (*path, "base_url"), f"says the same as {table.dialect}_base_url; keep one of them")
    return short.get("openai") or long["openai"], short.get("anthropic") or long["anthropic"]


def _address(layer: Layer, path: SettingPath, text: str) -> str:
    if not text:
        return ""
    if not _is_address(text):
        raise malformed(layer, path, "must be an http or https address without query, like https://api.openai.com/v1")
    if urlsplit(text).username is not None:
        raise malformed(layer, path, "holds a user or password; the key belongs into api_key_env or api_key_file")
    return text.rstrip("/")


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0 and not _TAIL & set(text)
    except ValueError:  # a port or an IPv6 address that is none
        return False


def _key(
    layer: Layer, path: SettingPath, table: ProviderTable, environ: Mapping[str, str], usual: Sequence[str]
) -> tuple[str, Secret[str] | None]:
    """Return the variable of the key and the key, if it is there."""
    if table.api_key_file:
        if table.api_key_env:
            raise malformed(layer, (*path, "api_key_file"), "and api_key_env are both set; keep one of them")
        return "", _key_of_file(layer, (*path, "api_key_file"), Path(table.api_key_file))
    variables = (table.api_key_env,) if table.api_key_env else usual
    found = next((variable for variable in variables if environ.get(variable)), None)
    if found is None:
        return next(iter(variables), ""), None
    return found, Secret(environ[found])


def _key_of_file(layer: Layer, path: SettingPath, file: Path) -> Secret[str]:
    try:
        key = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise malformed(layer, path, f"cannot be read: {error}") from error
    if not key:
        raise malformed(layer, path, f"names an empty file, {file}")
    return Secret(key)
