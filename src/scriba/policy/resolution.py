"""From the model string of a request to a provider and the name to use there.

The order of the rules decides; what no rule resolves stays unresolved. There is no default provider, since a guess
would put a wrong one into the record. Total: every string has an answer.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from scriba.policy import forms
from scriba.policy.families import MAKERS, family
from scriba.policy.names import Names, Resolution

if TYPE_CHECKING:
    from scriba.policy.catalogue import Catalogue
    from scriba.policy.configured import ConfiguredProvider
    from scriba.policy.models import Model, Models

__all__ = ["MAX_MODEL_BYTES", "Offer", "Resolver"]

CACHE_SIZE: Final = 4096

MAX_MODEL_BYTES: Final = 256
"""The longest model string that is looked at. A longer one is nobody's model, and no entry could hold it."""

RESELLERS: Final = frozenset({"azure", "bedrock", "databricks", "snowflake", "vertex"})
"""Who serves closed weights of others itself. Everybody else who lists them passes the request on."""


class Offer(NamedTuple):
    """A configured provider, and what the request is if it goes there."""

    provider: ConfiguredProvider
    resolution: Resolution


class Resolver:
    """Resolves model strings for one catalogue (with its configured providers) and one file of models."""

    def __init__(self, catalogue: Catalogue, models: Models) -> None:
        self._models = models
        self._names = Names(catalogue, models)
        self._configured = catalogue.configured
        self._resolve_once = lru_cache(CACHE_SIZE)(self._resolve)
        self.offers = lru_cache(CACHE_SIZE)(self._offers)

    def resolve(self, model: str, pinned: str = "") -> Resolution:
        """Return what a model string means here.

        :param pinned: a provider (id or alias) named outside the string, or ""
        """
        if _is_too_long(model) or _is_too_long(pinned):  # else the cache could be filled with them
            return Resolution(model=model)
        return self._resolve_once(model, pinned)

    def names_provider(self, model: str) -> bool:
        """Whether a model string says who shall serve it, and not only which model is meant."""
        name = model.lower()
        is_prefixed = "/" in name or ":" in name
        return is_prefixed or bool(forms.named_provider(name)) or self._names.routed(model, name) is not None

    def _offers(self, resolution: Resolution) -> tuple[Offer, ...]:
        """Return who else is configured to serve the same model, in the operator's order.

        The same means the same weights: no alias that its vendor repoints, no quantised or trimmed build, and closed
        weights only where they are served and not passed on.
        """
        canonical = resolution.canonical_model
        if not canonical or not resolution.provider or resolution.is_alias:
            return ()
        model = self._models.models.get(canonical)
        offers = []
        for one in self._configured:
            listed = model if model and _serves_the_same(one.id, model) else None
            name = self._names.name_at(one.id, canonical, listed) if one.id != resolution.provider else ""
            if name:
                offers.append(Offer(one, self._names.moved(resolution, one.id, name)))
        return tuple(offers)

    # The rules, in their order. Each answers None where it does not apply. `name` is `model` in lower case.

    def _resolve(self, model: str, pinned: str = "") -> Resolution:
        name = model.lower()
        if pinned:
            return self._pinned(model, name, pinned)
        return (
            self._names.routed(model, name)
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
        provider = self._names.provider_id(pinned)
        if not provider or not model:
            return self._unresolved(model, name)
        segment, rest = _split(model)
        prefixed = bool(rest) and self._names.provider_id(segment) == provider and not self._names.lists(provider, name)
        return self._names.at(provider, model, rest if prefixed else model)

    def _router_form(self, model: str, name: str) -> Resolution | None:
        """`author/model:variant` of OpenRouter, `author/model:provider` of Hugging Face."""
        path, _, suffix = name.rpartition(":")
        author, slash, rest = path.partition("/")
        if not slash or "/" in rest or not self._names.may_be_author(author):
            return None
        if suffix in forms.VARIANTS:
            return self._names.at("openrouter", model, model)
        if suffix in forms.ROUTER_CHOICES or self._names.provider_id(suffix):
            return self._names.at("huggingface", model, model)
        return None

    def _host_prefix(self, model: str, name: str) -> Resolution | None:
        """`provider/name` or `provider:name` of a provider that makes no models: what follows is a name there."""
        segment, rest = _split(model)
        provider = self._names.provider_id(segment)
        if not provider or not rest or provider in MAKERS:
            return None
        return self._names.at(provider, model, model if self._names.lists(provider, name) else rest)

    def _named_form(self, model: str, name: str) -> Resolution | None:
        """Take a form that only one provider uses."""
        provider = forms.named_provider(name)
        return self._names.at(provider, model, model) if provider else None

    def _maker_prefix(self, model: str, name: str) -> Resolution | None:
        """`provider/name` of a provider that makes models, only if it serves that name: it may be just the author."""
        segment, rest = _split(model)
        provider = self._names.provider_id(segment)
        if not provider or not rest:
            return None
        if segment.lower() != provider:  # an alias such as `qwen` is first of all an author
            listed = self._listed_as_asked(model, name)
            if listed:
                return listed
        if self._names.lists(provider, name):
            return self._names.at(provider, model, model)
        known = self._names.known(rest.lower())
        if (known and provider in known.served_by) or family(rest.lower()) == provider:
            return self._names.at(provider, model, rest)
        return None

    def _listed_as_asked(self, model: str, name: str) -> Resolution | None:
        """`author/model`: the first configured provider that lists exactly this."""
        if "/" not in name:
            return None
        found = next((one.id for one in self._configured if self._names.lists(one.id, name)), "")
        return self._names.at(found, model, model) if found else None

    def _first_party(self, model: str, name: str) -> Resolution | None:
        """Take a bare name: whose it is by the file, or else by its family."""
        if "/" in name:
            return None
        known = self._names.known(name)
        if known:
            is_its_own = known.weights != "open" or family(name) == known.first_party
            return self._names.at(known.first_party, model, model, known) if known.first_party and is_its_own else None
        tagged = ":" in forms.without_suffix(name)  # as Ollama writes it
        provider = self._local_ollama() if tagged else family(name)
        return self._names.at(provider, model, model) if provider else None

    def _open_weights(self, model: str, name: str) -> Resolution | None:
        """Open weights: who lists the very name, else who serves the model, else the maker if it serves it at all."""
        known = self._names.known(name)
        if known is None or known.weights != "open":
            return None
        ids = [one.id for one in self._configured]
        for provider in sorted(ids, key=lambda provider: not self._names.lists(provider, name)):
            there = self._names.name_at(provider, known.id, known)
            if there:
                return self._names.at(provider, model, there, known)
        return self._names.at(known.first_party, model, model, known) if known.first_party and "/" not in name else None

    def _local_ollama(self) -> str:
        return next((one.id for one in self._configured if one.id == "ollama"), "")

    def _unresolved(self, model: str, name: str) -> Resolution:
        known = self._names.known(name)
        return Resolution(model=model, canonical_model=known.id if known else "")


def _split(model: str) -> tuple[str, str]:
    """Return what stands before the first slash, or else before the first colon, and the rest."""
    segment, slash, rest = model.partition("/")
    if slash:
        return segment, rest
    segment, colon, rest = model.partition(":")
    return (segment, rest) if colon else (model, "")


def _is_too_long(text: str) -> bool:
    return len(text) > MAX_MODEL_BYTES or len(text.encode(errors="surrogatepass")) > MAX_MODEL_BYTES


def _serves_the_same(provider: str, model: Model) -> bool:
    if model.is_trimmed_at(provider):
        return False
    return model.weights == "open" or provider in RESELLERS or provider == model.first_party
