"""The data file of models: who made them, who serves them, and under which names.

Names are compared without regard to case. The file is read once and turned into dictionaries, since every request asks.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from functools import cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import Final, Literal

import msgspec

__all__ = ["Model", "Models", "build_models", "load_models", "models_file"]

_TRIMMED: Final = re.compile(r"(?:^|[-:.])(awq|exacto|fast|fp4|fp8|gptq|int4|int8|lite|nvfp4|tput|turbo)(?=$|[-:.])")
"""Marks of a build that is quantised or trimmed, and so is not the same model."""


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model, whoever serves it.

    :param id: provider-independent id
    :param developer: who made the weights
    :param made_in: country of the developer, ISO 3166-1 alpha-2; nothing about where a request is sent
    :param weights: `open`, `closed`, or `alias` for a name that its vendor repoints
    :param first_party: provider that the bare name stands for, or ""
    :param aliases: other spellings and dated names
    :param served_by: name at each provider that lists it
    """

    id: str = ""
    developer: str
    made_in: str = ""
    weights: Literal["open", "closed", "alias"]
    first_party: str = ""
    aliases: tuple[str, ...] = ()
    served_by: dict[str, str] = {}

    def is_trimmed_at(self, provider: str) -> bool:
        """Whether `provider` lists only a quantised or trimmed build of it."""
        marks = set(_TRIMMED.findall(self.served_by.get(provider, "").lower()))
        return not marks <= set(_TRIMMED.findall(self.id))


class Models(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All models by id.

    :param models: in the order of the file
    :param sha256: hash of the file's bytes, in hex
    """

    models: dict[str, Model]
    sha256: str

    @cached_property
    def developers(self) -> frozenset[str]:
        """Everybody who made a model."""
        return frozenset(model.developer for model in self.models.values())

    @cached_property
    def by_name(self) -> MappingProxyType[str, Model]:
        """Every id, alias and provider's name, in lower case, to its model. No name belongs to two models."""
        found: dict[str, Model] = {}
        for model in self.models.values():
            for name in (model.id, *model.aliases, *model.served_by.values()):
                if found.setdefault(name.lower(), model) is not model:
                    raise ValueError(f"'{name}' names both {found[name.lower()].id} and {model.id}")
        return MappingProxyType(found)

    @cached_property
    def authors(self) -> MappingProxyType[str, str]:
        """First part of the `author/model` names, in lower case, to the developer, where all agree on one."""
        seen: dict[str, set[str]] = {}
        for name, model in self.by_name.items():
            author, slash, rest = name.partition("/")
            if slash and "/" not in rest:
                seen.setdefault(author, set()).add(model.developer)
        return MappingProxyType({author: makers.pop() for author, makers in seen.items() if len(makers) == 1})


def models_file() -> bytes:
    """Return the file of models that comes with this version; entries name it, through the catalogue, by its hash."""
    return files(__package__).joinpath("models.toml").read_bytes()


def load_models() -> Models:
    """Return the models that come with this version."""
    return build_models(models_file())


def build_models(source: bytes) -> Models:
    """Return the models of a file.

    :raises ValueError: it is not of that form, or gives one name to two models
    """
    file = msgspec.convert(tomllib.loads(source.decode()), _File)
    unnamed = {model.developer for model in file.models.values()} - file.developers.keys()
    if unnamed:
        raise ValueError(f"developers without a country: {', '.join(sorted(unnamed))}")
    models = {
        name: msgspec.structs.replace(model, id=name, made_in=file.developers[model.developer])
        for name, model in file.models.items()
    }
    built = Models(models=models, sha256=hashlib.sha256(source).hexdigest())
    _ = built.by_name  # refuses a name that belongs to two models
    return built


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    developers: dict[str, str]
    models: dict[str, Model]
