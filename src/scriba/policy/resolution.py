"""From the model string of a request to a provider and the name to use there.

The order of the rules decides; what no rule resolves stays unresolved. There is no default provider, since a guess
would put a wrong one into the record. Total: every string has an answer.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from scriba.policy import forms
from scriba.policy.families import MAKERS, family, likely_creator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.policy.catalogue import Catalogue
    from scriba.policy.configured import ConfiguredProvider, ModelRoute
    from scriba.policy.models import Model, Models

__all__ = ["Offer", "Resolution", "Resolver"]

CACHE_SIZE: Final = 4096

RESELLERS: Final = frozenset({"azure", "bedrock", "databricks", "snowflake", "vertex"})
"""Who serves closed weights of others itself. Everybody else who lists them passes the request on."""


_FREE_NAMES: Final = frozenset({"azure"})
"""Where every name is one that the customer gave to a deployment."""


class Resolution(msgspec.Struct, frozen=True, kw_only=True):
    """What a model string means here.

    :param model: the string as it was asked for
    :param provider: the provider it stands for; "" if it could not be resolved
    :param upstream_model: the name to send there
    :param canonical_model: id in the model file (or of the operator's route); "" if not known
    :param creator: who made the weights; "" if not known
    :param creator_established: whether that is known, or only likely by the name
    :param upstream_provider: who really serves it, where the string makes a router hand it to a certain one
    :param china_endpoint: whether the string itself names an endpoint in China
    :param is_alias: whether the vendor repoints the name, so that nobody else serves the same
    """

    model: str
    provider: str = ""
    upstream_model: str = ""
    canonical_model: str = ""
    creator: str = ""
    creator_established: bool = False
    upstream_provider: str = ""
    china_endpoint: bool = False
    is_alias: bool = False


class Offer(NamedTuple):
    """A configured provider of a model, and the model's name there."""

    provider: ConfiguredProvider
    upstream_model: str


class Resolver:
    """Resolves model strings for one catalogue (with its configured providers) and one file of models."""

    def __init__(self, catalogue: Catalogue, models: Models) -> None:
        self._catalogue = catalogue
        self._models = models
        self._configured = catalogue.configured
        self._ids = {one.id.lower(): one.id for one in catalogue.configured} | catalogue.ids
        self._routes: dict[str, tuple[str, ModelRoute]] = {}
        self._routes_at: dict[tuple[str, str], ModelRoute] = {}
        self._routed_names: dict[tuple[str, str], str] = {}
        for one in catalogue.configured:
            self._add_routes(one)
        self._bedrock = {
            forms.bedrock_key(model.served_by["bedrock"].lower()): model
            for model in models.models.values()
            if "bedrock" in model.served_by
        }
        self.resolve = lru_cache(CACHE_SIZE)(self._resolve)

    def provider_id(self, name: str) -> str:
        """Return the id of the provider that `name` stands for, configured or not, or ""."""
        return self._ids.get(name.lower(), "")

    def offers(self, resolution: Resolution) -> Iterator[Offer]:
        """Yield who else is configured to serve the same model, in the operator's order.

        The same means the same weights: no alias that its vendor repoints, no quantised or trimmed build, and closed
        weights only where they are served and not passed on.
        """
        canonical = resolution.canonical_model
        if not canonical or resolution.is_alias:
            return
        model = self._models.models.get(canonical)
        for one in self._configured:
            listed = model if model and _serves_the_same(one.id, model) else None
            name = self._name_at(one.id, canonical, listed) if one.id != resolution.provider else ""
            if name:
                yield Offer(one, name)

    # The rules, in their order. Each answers None where it does not apply. `name` is `model` in lower case.

    def _resolve(self, model: str, pinned: str = "") -> Resolution:
        name = model.lower()
        if pinned:
            return self._pinned(model, name, pinned)
        return (
            self._operator_route(model, name)
            or self._router_form(model, name)
            or self._host_prefix(model, name)
            or self._named_form(model, name)
            or self._maker_prefix(model, name)
            or self._listed_as_asked(model, name)
            or self._first_party(model, name)
            or self._open_weights(model, name)
            or self._unresolved(model, name)
        )

    def _pinned(self, model: str, name: str, pinned: str) -> Resolution:
        provider = self.provider_id(pinned)
        if not provider:
            return self._unresolved(model, name)
        segment, rest = _split(model)
        prefixed = bool(rest) and self.provider_id(segment) == provider and not self._lists(provider, name)
        return self._at(provider, model, rest if prefixed else model)

    def _operator_route(self, model: str, name: str) -> Resolution | None:
        found = self._routes.get(name)
        return self._by_route(model, *found) if found else None

    def _router_form(self, model: str, name: str) -> Resolution | None:
        """`author/model:variant` of OpenRouter, `author/model:provider` of Hugging Face."""
        path, _, suffix = name.rpartition(":")
        author, slash, rest = path.partition("/")
        if not slash or "/" in rest or not self._may_be_author(author):
            return None
        if suffix in forms.VARIANTS:
            return self._at("openrouter", model, model)
        if suffix in forms.ROUTER_CHOICES or suffix in self._ids:
            return self._at("huggingface", model, model)
        return None

    def _host_prefix(self, model: str, name: str) -> Resolution | None:
        """`provider/name` or `provider:name` of a provider that makes no models: what follows is a name there."""
        segment, rest = _split(model)
        provider = self.provider_id(segment)
        if not provider or not rest or provider in MAKERS:
            return None
        return self._at(provider, model, model if self._lists(provider, name) else rest)

    def _named_form(self, model: str, name: str) -> Resolution | None:
        """Take a form that only one provider uses."""
        provider = forms.named_provider(name)
        return self._at(provider, model, model) if provider else None

    def _maker_prefix(self, model: str, name: str) -> Resolution | None:
        """`provider/name` of a provider that makes models, only if it serves that name: it may be just the author."""
        segment, rest = _split(model)
        provider = self.provider_id(segment)
        if not provider or not rest:
            return None
        if segment.lower() != provider:  # an alias such as `qwen` is first of all an author
            listed = self._listed_as_asked(model, name)
            if listed:
                return listed
        if self._lists(provider, name):
            return self._at(provider, model, model)
        known = self._known(rest.lower())
        if (known and provider in known.served_by) or family(rest.lower()) == provider:
            return self._at(provider, model, rest)
        return None

    def _listed_as_asked(self, model: str, name: str) -> Resolution | None:
        """`author/model`: the first configured provider that lists exactly this."""
        if "/" not in name:
            return None
        found = next((one.id for one in self._configured if self._lists(one.id, name)), "")
        return self._at(found, model, model) if found else None

    def _first_party(self, model: str, name: str) -> Resolution | None:
        """Take a bare name: whose it is by the file, or else by its family."""
        if "/" in name:
            return None
        known = self._known(name)
        if known:
            is_its_own = known.weights != "open" or family(name) == known.first_party
            return self._at(known.first_party, model, model, known) if known.first_party and is_its_own else None
        tagged = ":" in forms.without_suffix(name)  # as Ollama writes it
        provider = ("ollama" if self._is_configured("ollama") else "") if tagged else family(name)
        return self._at(provider, model, model) if provider else None

    def _open_weights(self, model: str, name: str) -> Resolution | None:
        """Open weights: who lists the very name, else who serves the model, else the maker if it serves it at all."""
        known = self._known(name)
        if known is None or known.weights != "open":
            return None
        ids = [one.id for one in self._configured]
        for provider in sorted(ids, key=lambda provider: not self._lists(provider, name)):
            there = self._name_at(provider, known.id, known)
            if there:
                return self._at(provider, model, there, known)
        return self._at(known.first_party, model, model, known) if known.first_party and "/" not in name else None

    def _unresolved(self, model: str, name: str) -> Resolution:
        known = self._known(name)
        return Resolution(model=model, canonical_model=known.id if known else "")

    # What the rules are made of.

    def _at(self, provider: str, model: str, text: str, known: Model | None = None) -> Resolution:
        """Return what `text` is at `provider`; the rule may know the model already."""
        name = text.lower()
        route = self._routes_at.get((provider, name))
        if route:
            return self._by_route(model, provider, route)
        upstream_provider = self.provider_id(name.rpartition(":")[2]) if provider == "huggingface" else ""
        known = known or self._known_at(provider, name)
        creator, established = self._creator(provider, name, known)
        return Resolution(
            model=model,
            provider=provider,
            upstream_model=self._name_there(provider, text, known),
            canonical_model=known.id if known else "",
            creator=creator,
            creator_established=established,
            upstream_provider=upstream_provider,
            china_endpoint=forms.is_china_arn(name),
            is_alias="latest" in name or (known is not None and known.weights == "alias"),
        )

    def _by_route(self, model: str, provider: str, route: ModelRoute) -> Resolution:
        known = self._known(route.canonical.lower())
        return Resolution(
            model=model,
            provider=provider,
            upstream_model=route.upstream,
            canonical_model=known.id if known else route.canonical,
            creator=known.developer if known else self._likely_creator(route.upstream.lower()),
            creator_established=known is not None,
            china_endpoint=forms.is_china_arn(route.upstream.lower()),
            is_alias=known is not None and known.weights == "alias",
        )

    def _known(self, name: str) -> Model | None:
        by_name = self._models.by_name
        return by_name.get(name) or by_name.get(forms.without_suffix(name))

    def _known_at(self, provider: str, name: str) -> Model | None:
        """Return the model that `provider` serves as `name`, where the name proves it."""
        if provider == "bedrock":
            return self._bedrock.get(forms.bedrock_key(name)) or self._known(name)
        if provider == "huggingface":
            return self._known(name) or self._known(name.rpartition(":")[0])
        if name.startswith(("publishers/", "models/")):
            return self._known(name.rpartition("/")[2])
        known = self._known(name)
        return None if known and self._names_are_free(provider, known) else known

    def _names_are_free(self, provider: str, model: Model) -> bool:
        """Whether the customer chooses the names at `provider`, so that they say nothing about the model."""
        if provider in _FREE_NAMES:
            return True
        return provider not in model.served_by and self._catalogue.facts(provider).kind == "self_hosted"

    def _name_there(self, provider: str, text: str, known: Model | None) -> str:
        there = known.served_by.get(provider, "") if known else ""
        name = text.lower()
        if not there or name not in self._models.by_name:  # unknown there, or with a suffix or geography: as asked
            return text
        # a longer form of the provider's own name is one dated version of it: as asked
        return text if name.startswith(there.lower()) and len(name) > len(there) else there

    def _name_at(self, provider: str, canonical: str, model: Model | None) -> str:
        """Return the name of a model at a configured provider, by the operator's route or by the file, or ""."""
        routed = self._routed_names.get((provider, canonical.lower()), "")
        if routed or model is None or provider in _FREE_NAMES:
            return routed
        return model.served_by.get(provider, "")

    def _creator(self, provider: str, name: str, known: Model | None) -> tuple[str, bool]:
        if known:
            return known.developer, True
        if provider in MAKERS and (name.startswith("ft:") or family(name) == provider):
            return provider, True
        return self._likely_creator(name), False

    def _likely_creator(self, name: str) -> str:
        vendor = forms.bedrock_vendor(name)
        if vendor:
            return self._ids.get(vendor, vendor)
        return likely_creator(name) or self._models.authors.get(name.partition("/")[0], "")

    def _lists(self, provider: str, name: str) -> bool:
        known = self._known(name)
        if known is None or provider in _FREE_NAMES:
            return False
        return known.served_by.get(provider, "").lower() in {name, forms.without_suffix(name)}

    def _may_be_author(self, segment: str) -> bool:
        provider = self._ids.get(segment)
        return provider is None or provider in MAKERS or segment in self._models.authors

    def _is_configured(self, provider: str) -> bool:
        return any(one.id == provider for one in self._configured)

    def _add_routes(self, one: ConfiguredProvider) -> None:
        for route in one.models:
            self._routes.setdefault(route.name.lower(), (one.id, route))
            self._routes_at.setdefault((one.id, route.name.lower()), route)
            if route.canonical:
                known = self._known(route.canonical.lower())
                canonical = known.id if known else route.canonical
                self._routed_names.setdefault((one.id, canonical.lower()), route.upstream)


def _split(model: str) -> tuple[str, str]:
    """Return what stands before the first slash, or else before the first colon, and the rest."""
    segment, slash, rest = model.partition("/")
    if slash:
        return segment, rest
    segment, colon, rest = model.partition(":")
    return (segment, rest) if colon else (model, "")


def _serves_the_same(provider: str, model: Model) -> bool:
    if model.is_trimmed_at(provider):
        return False
    return model.weights == "open" or provider in RESELLERS or provider == model.first_party
