"""The query strings of webhooks' lists."""

from typing import Annotated, TypeAlias

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from scriba.delivery.deliveries import DELIVERY_STATUSES
from scriba.delivery.endpoint import STATUSES
from scriba.domain.window import DEFAULT_LIMIT, MAX_LIMIT, Window, parse_limit, parse_offset
from scriba.errors import InvalidInput

__all__ = ["DeliveryQuery", "EndpointQuery"]


class _ListQuery(BaseModel):
    """Which part of a list is wanted."""

    model_config = ConfigDict(extra="forbid")

    limit: list[str] = Field([], description=f"How many, 1 to {MAX_LIMIT}. Default: {DEFAULT_LIMIT}.")
    offset: list[str] = Field([], description="How many to pass over first. Default: 0.")
    status: list[str] = Field([], description="Only those in this state.")

    def window(self) -> Window:
        """Read `limit` and `offset`.

        :raises InvalidInput: if one is not a whole number in its range
        """
        return Window(parse_limit(self.limit) or DEFAULT_LIMIT, parse_offset(self.offset))


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
