"""The query strings of webhooks' lists."""

from typing import Annotated, TypeAlias

from fastapi import Query
from pydantic import Field

from scriba.api.query import WindowFields
from scriba.delivery.deliveries import DELIVERY_STATUSES
from scriba.delivery.endpoint import STATUSES
from scriba.errors import InvalidInput

__all__ = ["DeliveryQuery", "EndpointQuery"]


class _ListQuery(WindowFields):
    """Which part of a list is wanted, and in which state."""

    status: list[str] = Field([], description="Only those in this state.")


class _EndpointQuery(_ListQuery):
    """Which endpoints are wanted."""

    def statuses(self) -> tuple[str, ...]:
        """Read `status`.

        :raises InvalidInput: if it is none of endpoints
        """
        return _choices(self.status, STATUSES)


class _DeliveryQuery(_ListQuery):
    """Which deliveries are wanted."""

    endpoint_id: list[str] = Field([], description="Only those to this endpoint, which may have been deleted.")

    def statuses(self) -> tuple[str, ...]:
        """Read `status`.

        :raises InvalidInput: if it is none of deliveries
        """
        return _choices(self.status, DELIVERY_STATUSES)

    def endpoint_ids(self) -> tuple[str, ...]:
        """Read `endpoint_id`.

        :raises InvalidInput: if a part of it is empty
        """
        return _parts(self.endpoint_id, "endpoint_id")


def _choices(given: list[str], known: tuple[str, ...]) -> tuple[str, ...]:
    parts = _parts(given, "status")
    if any(part not in known for part in parts):
        raise InvalidInput(f"status must be one of {', '.join(known)}.", param="status")
    return parts


def _parts(given: list[str], name: str) -> tuple[str, ...]:
    parts = tuple(part for text in given for part in text.split(","))
    if "" in parts:
        raise InvalidInput(f"{name} has an empty part.", param=name)
    return parts


EndpointQuery: TypeAlias = Annotated[_EndpointQuery, Query()]
DeliveryQuery: TypeAlias = Annotated[_DeliveryQuery, Query()]
