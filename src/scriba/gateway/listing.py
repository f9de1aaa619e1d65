"""Which models callers can ask for here: the file of models and the operator's own names, where a provider is on."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from scriba.domain.record import Operation
from scriba.gateway.configured import SANDBOX, SANDBOX_MODEL
from scriba.policy.engine import RequestFacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.policy.configured import ConfiguredProvider
    from scriba.policy.engine import DecisionPoint
    from scriba.policy.rules import Policy

__all__ = ["ListedModel", "find_model", "list_models"]

_CONVERSATIONS: Final = (Operation.CHAT, Operation.RESPONSES, Operation.MESSAGES)


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model under a name that callers may use.

    :param id: that name
    :param provider: who serves it here
    :param creator: who made it, as far as is known
    :param kind: by its name; the file does not say
    :param operations: what it can be asked for
    """

    id: str
    provider: str
    creator: str
    kind: Literal["language", "embedding"]
    operations: tuple[Operation, ...]


def list_models(point: DecisionPoint, policy: Policy) -> tuple[ListedModel, ...]:
    """Return the models that a request under this policy would reach."""
    return tuple(model for model in _all_models(point) if _is_allowed(point, policy, model))


def find_model(point: DecisionPoint, policy: Policy, name: str) -> ListedModel | None:
    """Return the model that a name stands for, whether or not it is listed under that name; None if none does."""
    provider = point.resolver.resolve(name).provider
    configured = next((one for one in point.catalogue.configured if one.id == provider), None)
    model = _listed(point, configured, name) if configured else None
    return model if model and _is_allowed(point, policy, model) else None


def _is_allowed(point: DecisionPoint, policy: Policy, model: ListedModel) -> bool:
    facts = RequestFacts(model=model.id, operation=model.operations[0])
    return point.decide(policy, facts).allowed


@lru_cache(maxsize=4)
def _all_models(point: DecisionPoint) -> tuple[ListedModel, ...]:
    found: dict[str, ListedModel] = {}
    for provider in point.catalogue.configured:
        for name in _names(point, provider):
            if model := _listed(point, provider, name):
                found.setdefault(name, model)
    return tuple(found[name] for name in sorted(found, key=str.lower))


def _names(point: DecisionPoint, provider: ConfiguredProvider) -> Iterator[str]:
    """Yield the shortest name of each model that leads to this provider."""
    if provider.id == SANDBOX:
        yield SANDBOX_MODEL
        return
    yield from (route.name for route in provider.models)
    for model in point.models.models.values():
        name = model.served_by.get(provider.id, "")
        ways = (name, f"{provider.id}/{name}") if name else ()
        yield from [way for way in ways if point.resolver.resolve(way).provider == provider.id][:1]


def _listed(point: DecisionPoint, provider: ConfiguredProvider, name: str) -> ListedModel | None:
    """Return the model if the name leads to this provider, and there is something to ask it for."""
    resolution = point.resolver.resolve(name)
    kind: Literal["language", "embedding"] = "embedding" if "embed" in name.lower() else "language"
    asked = (
        (Operation.EMBEDDINGS,) if kind == "embedding" else (Operation.CHAT, Operation.RESPONSES, Operation.MESSAGES)
    )
    operations = tuple(operation for operation in asked if provider.speaks(operation))
    if resolution.provider != provider.id or not operations:
        return None
    creator = resolution.creator or provider.id
    return ListedModel(id=name, provider=provider.id, creator=creator, kind=kind, operations=operations)
