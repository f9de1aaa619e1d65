"""From the values given for one table to a typed struct, or to an error that says what to mend."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar, get_args, get_origin

import msgspec

from scriba.domain.nearest import did_you_mean, nearest
from scriba.errors import SettingsError
from scriba.settings.sources import PREFIX, Given, Layer, SettingPath

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_names", "malformed", "read_table"]

_Struct = TypeVar("_Struct", bound=msgspec.Struct)

_SECRETS: Final = re.compile(r"(api_?)?key|token|password|secret")
_KIND: Final = re.compile(r"`(\w+)(?: \| null)?`")
_KINDS: Final = {
    "int": "a whole number",
    "float": "a fraction",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
"""What msgspec calls a type, and what a reader calls it."""


def check_names(
    layer: Layer,
    general: type[msgspec.Struct],
    tables: Mapping[str, type[msgspec.Struct]],
    provider: type[msgspec.Struct],
) -> None:
    """Refuse the first setting that does not exist, with the nearest one that does.

    :param tables: what stands in each table but those of providers
    """
    top = general.__struct_fields__
    for path, given in layer.items():
        if path[0] in tables:
            names = tables[path[0]].__struct_fields__
            if len(path) != 2 or path[1] not in names:
                raise _unknown(path, given, [(path[0], name) for name in names])
        elif path[0] != "providers":
            if path[0] not in top or len(path) > 1:
                raise _unknown(path, given, [*((name,) for name in (*top, *tables)), _providers_instead(path, given)])
        elif len(path) == 3 and path[2] not in provider.__struct_fields__:
            raise _unknown(path, given, [(*path[:2], name) for name in provider.__struct_fields__])
        elif len(path) not in {2, 3} or (len(path) == 2 and given.value is not None):
            raise _unknown(path, given, [("providers", "name", name) for name in provider.__struct_fields__])


def read_table(layer: Layer, prefix: SettingPath, table: type[_Struct]) -> _Struct:
    """Build `table` from the settings below `prefix`.

    Raises `SettingsError` for the first value of a wrong type or out of range.
    """
    paths = ((field, (*prefix, field.name)) for field in msgspec.structs.fields(table))
    return table(**{field.name: _convert(path, layer[path], field.type) for field, path in paths if path in layer})


def malformed(layer: Layer, path: SettingPath, why: str) -> SettingsError:
    """Return the error for a value that was given and does not do; `why` completes the sentence "It …"."""
    return SettingsError(f"{_shown(path, layer[path])} {why}.", param=".".join(path))


def _convert(path: SettingPath, given: Given, kind: object) -> object:
    value = _value_of_text(str(given.value), kind) if given.is_text else given.value
    try:
        return msgspec.convert(value, kind, strict=not given.is_text)
    except msgspec.ValidationError as error:
        raise malformed({path: given}, path, _complaint(kind, error)) from None


def _value_of_text(text: str, kind: object) -> object:
    """Read a variable's text: lists and tables as TOML, a list also with commas alone."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    if get_origin(bare) not in {tuple, dict}:
        return text
    if text.startswith(("[", "{")):
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return [part.strip() for part in text.split(",")]


def _complaint(kind: object, error: msgspec.ValidationError) -> str:
    if get_origin(kind) is Literal:
        return f"must be {' or '.join(map(repr, get_args(kind)))}"
    text = str(error).partition(" - at ")[0].replace("Expected", "expected")
    return f"is not valid: {_KIND.sub(lambda match: _KINDS.get(match[1], match[0]), text)}"


def _unknown(path: SettingPath, given: Given, known: list[SettingPath]) -> SettingsError:
    return SettingsError(
        f"{_shown(path, given)} is not a setting.", param=".".join(path), hint=_advice(path, given, known)
    )


def _providers_instead(path: SettingPath, given: Given) -> SettingPath:
    """Return what a table or variable of a provider would be called, for whoever wrote `provider`."""
    if not given.is_text:
        return ("providers",)
    return ("providers", *(path[1:] or ("name", "base_url")))


def _advice(path: SettingPath, given: Given, known: list[SettingPath]) -> str:
    if path[0] == "providers" and _SECRETS.fullmatch(path[-1]):
        return "A key stands in an environment variable (api_key_env names it) or in a file (api_key_file)."
    if given.is_text:
        return _variable_meant(path, known)
    return did_you_mean(path[-1], (name[-1] for name in known))


def _variable_meant(path: SettingPath, known: list[SettingPath]) -> str:
    """Compare without what all names have in common, which would make any two of them alike."""
    shared = 2 if all(name[:2] == path[:2] for name in known) else 0
    by_rest = {"__".join(name[shared:]): _variable(name) for name in known}
    found = nearest("__".join(path[shared:]), by_rest)
    return f"Did you mean {by_rest[found]}?" if found else f"Known are: {', '.join(sorted(by_rest.values()))}."


def _shown(path: SettingPath, given: Given) -> str:
    return given.place if given.is_text else f"`{'.'.join(path)}` in {given.place}"


def _variable(path: SettingPath) -> str:
    return PREFIX + "__".join(part.replace("-", "_") for part in path).upper()
