"""What a name is at a provider: which model, made by whom, and how it is sent.

Names are compared without regard to case. Where customers choose the names, a name says nothing about the model.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.policy import forms
from scriba.policy.families import MAKERS, family, likely_creator

if TYPE_CHECKING:
    from scriba.policy.catalogue import Catalogue
    from scriba.policy.configured import ConfiguredProvider, ModelRoute
    from scriba.policy.models import Model, Models

__all__ = ["Names", "Resolution"]

_FREE_NAMES: Final = frozenset({"azure"})
"""Where every name is one that the customer gave to a deployment."""


class Resolution(msgspec.Struct, frozen=True, kw_only=True, dict=True):
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
    :param router_chooses: whether a router chooses the model, so that it may be any
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
    router_chooses: bool = False

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name of the model that a policy may mean, in lower case: as asked, canonical, as sent."""
        return frozenset(name.lower() for name in (self.model, self.canonical_model, self.upstream_model) if name)


class Names:
    """The names of one catalogue (with its configured providers) and one file of models."""

    def __init__(self, catalogue: Catalogue, models: Models) -> None:
        self._catalogue = catalogue
        self._models = models
        self.ids = {one.id.lower(): one.id for one in catalogue.configured} | catalogue.ids
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

    def provider_id(self, name: str) -> str:
        """Return the id of the provider that `name` stands for, configured or not, or ""."""
        return self.ids.get(name.lower(), "")

    def may_be_author(self, segment: str) -> bool:
        """Whether what stands before a slash may name the maker of a model instead of the provider."""
        provider = self.ids.get(segment)
        return provider is None or provider in MAKERS or segment in self._models.authors

    def at(self, provider: str, model: str, text: str, known: Model | None = None) -> Resolution:
        """Return what `text` is at `provider`; the rule may know the model already."""
        name = text.lower()
        route = self._routes_at.get((provider, name))
        if route:
            return self._by_route(model, provider, route)
        known = known or self._known_at(provider, name)
        router_chooses = self._router_chooses(provider, name, known)
        creator, established = ("", False) if router_chooses else self._creator(provider, name, known)
        return Resolution(
            model=model,
            provider=provider,
            upstream_model=self._name_there(provider, text, known),
            canonical_model=known.id if known else "",
            creator=creator,
            creator_established=established,
            upstream_provider=self._handed_to(provider, name),
            china_endpoint=forms.is_china_arn(name),
            is_alias="latest" in name or (known is not None and known.weights == "alias"),
            router_chooses=router_chooses,
        )

    def routed(self, model: str, name: str) -> Resolution | None:
        """Return what the operator's routes say about a name."""
        found = self._routes.get(name)
        return self._by_route(model, *found) if found else None

    def known(self, name: str) -> Model | None:
        """Return the model that somebody calls `name`, with or without a suffix."""
        by_name = self._models.by_name
        return by_name.get(name) or by_name.get(forms.without_suffix(name))

    def lists(self, provider: str, name: str) -> bool:
        """Whether `name` is the very name of a model at `provider`."""
        known = self.known(name)
        if known is None or provider in _FREE_NAMES:
            return False
        return known.served_by.get(provider, "").lower() in {name, forms.without_suffix(name)}

    def name_at(self, provider: str, canonical: str, model: Model | None) -> str:
        """Return the name of a model at a configured provider, by the operator's route or by the file, or ""."""
        routed = self._routed_names.get((provider, canonical.lower()), "")
        if routed or model is None or provider in _FREE_NAMES:
            return routed
        return model.served_by.get(provider, "")

    def moved(self, resolution: Resolution, provider: str, upstream_model: str) -> Resolution:
        """Return `resolution` as it is if `provider` serves it, under the name `upstream_model`."""
        return msgspec.structs.replace(
            resolution,
            provider=provider,
            upstream_model=upstream_model,
            upstream_provider=self._handed_to(provider, upstream_model.lower()),
            china_endpoint=forms.is_china_arn(upstream_model.lower()),
            router_chooses=self._router_chooses(provider, upstream_model.lower(), self.known(upstream_model.lower())),
        )

    def _by_route(self, model: str, provider: str, route: ModelRoute) -> Resolution:
        known = self.known(route.canonical.lower())
        return Resolution(
            model=model,
            provider=provider,
            upstream_model=route.upstream,
            canonical_model=known.id if known else route.canonical,
            creator=known.developer if known else self._likely_creator(route.upstream.lower()),
            creator_established=known is not None,
            upstream_provider=self._handed_to(provider, route.upstream.lower()),
            china_endpoint=forms.is_china_arn(route.upstream.lower()),
            is_alias=known is not None and known.weights == "alias",
            router_chooses=self._router_chooses(provider, route.upstream.lower(), known),
        )

    def _known_at(self, provider: str, name: str) -> Model | None:
        """Return the model that `provider` serves as `name`, where the name proves it."""
        if provider == "bedrock":
            return self._bedrock.get(forms.bedrock_key(name)) or self.known(name)
        if provider == "huggingface":
            return self.known(name) or self.known(name.rpartition(":")[0])
        if name.startswith(("publishers/", "models/")):
            return self.known(name.rpartition("/")[2])
        known = self.known(name)
        return None if known and self._names_are_free(provider, known) else known

    def _names_are_free(self, provider: str, model: Model) -> bool:
        """Whether the customer chooses the names at `provider`, so that they say nothing about the model."""
        if provider in _FREE_NAMES or provider not in self._catalogue.providers:
            return True
        return provider not in model.served_by and self._catalogue.facts(provider).kind == "self_hosted"

    def _name_there(self, provider: str, text: str, known: Model | None) -> str:
        there = known.served_by.get(provider, "") if known else ""
        name = text.lower()
        if not there or name not in self._models.by_name:  # unknown there, or with a suffix or geography: as asked
            return text
        # a longer form of the provider's own name is one dated version of it: as asked
        return text if name.startswith(there.lower()) and len(name) > len(there) else there

    def _creator(self, provider: str, name: str, known: Model | None) -> tuple[str, bool]:
        if known:
            return known.developer, True
        if provider in MAKERS and (name.startswith("ft:") or family(name) == provider):
            return provider, True
        return self._likely_creator(name), False

    def _likely_creator(self, name: str) -> str:
        vendor = forms.bedrock_vendor(name)
        if vendor:
            return self.ids.get(vendor, vendor)
        return likely_creator(name) or self._models.authors.get(name.partition("/")[0], "")

    def _router_chooses(self, provider: str, name: str, known: Model | None) -> bool:
        return known is None and self._catalogue.facts(provider).router and not forms.names_one_model(name)

    def _handed_to(self, provider: str, name: str) -> str:
        """Return whom Hugging Face's router is told to hand the request to, or ""."""
        _, colon, suffix = name.rpartition(":")
        return self.provider_id(suffix) if colon and provider == "huggingface" else ""

    def _add_routes(self, one: ConfiguredProvider) -> None:
        for route in one.models:
            self._routes.setdefault(route.name.lower(), (one.id, route))
            self._routes_at.setdefault((one.id, route.name.lower()), route)
            if route.canonical:
                known = self.known(route.canonical.lower())
                canonical = known.id if known else route.canonical
                self._routed_names.setdefault((one.id, canonical.lower()), route.upstream)
