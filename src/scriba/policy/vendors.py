"""The names that a policy's provider lists may hold: providers, and makers of models that are no providers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from scriba.domain.nearest import nearest

if TYPE_CHECKING:
    from scriba.policy.catalogue import Catalogue
    from scriba.policy.models import Models

__all__ = ["Vendors"]


CACHE_SIZE: Final = 1024


class Vendors:
    """The vendors of one catalogue, the providers configured in it included, and of one file of models."""

    def __init__(self, catalogue: Catalogue, models: Models) -> None:
        makers = {maker: maker for maker in models.developers}
        configured = {one.id.lower(): one.id for one in catalogue.configured}
        self._ids = makers | configured | catalogue.ids
        self.ids_of = lru_cache(CACHE_SIZE)(self._ids_of)

    def id_of(self, name: str) -> str:
        """Return the id that `name` (an id or alias in any case) stands for, or ""."""
        return self._ids.get(name.lower(), "")

    def _ids_of(self, listed: tuple[str, ...]) -> frozenset[str]:
        """Return the ids of a policy's list; a name that is not known stays as it is, in lower case."""
        return frozenset(self.id_of(name) or name.lower() for name in listed)

    def nearest(self, name: str) -> str:
        """Return the known name that looks most like `name`, or ""."""
        return nearest(name, self._ids) or ""
