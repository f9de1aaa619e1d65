"""From a client's JSON to what an endpoint shall be: one validator for each of the two ways to make one.

What is wrong is told with its name and what is allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from scriba.delivery.events import EVENT_TYPES, TEST, matches
from scriba.domain.fields import read_fields, required_text, text_or_none
from scriba.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "MAX_GRACE",
    "Change",
    "Draft",
    "Trial",
    "check_filters",
    "read_change",
    "read_draft",
    "read_grace",
    "read_replay",
    "read_simple",
    "read_trial",
]

MAX_GRACE: Final = 2_592_000
"""Seconds for which an earlier secret may go on signing."""

_DEFAULT_GRACE: Final = 86_400
_MAX_FILTERS: Final = 50
_MAX_DESCRIPTION: Final = 1024
_SCOPES: Final = ("vaultIds", "matterIds")
_STATUSES: Final = ("active", "disabled")


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A new endpoint. Its URL and secret are still to be checked.

    :ivar secret: None if one is to be made
    :ivar secret_param: what the client calls it
    """

    url: str
    filters: tuple[str, ...]
    description: str | None = None
    secret: str | None = None
    secret_param: str = "secret"  # noqa: S105 - the name of a field


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of an endpoint: what is not set stays as it is."""

    url: str | msgspec.UnsetType = msgspec.UNSET
    filters: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType | None = msgspec.UNSET
    status: str | msgspec.UnsetType = msgspec.UNSET


class Trial(msgspec.Struct, frozen=True):
    """An event to try an endpoint out with."""

    type: str
    data: object


def read_simple(body: object) -> Draft:
    """Read `{url, events, secret?}`.

    :raises InvalidInput: naming the field
    """
    fields = read_fields(body, ("url", "events", "secret"))
    secret = text_or_none(fields, "secret")
    return Draft(url=required_text(fields, "url"), filters=check_filters(fields.get("events"), "events"), secret=secret)


def read_draft(body: object) -> Draft:
    """Read `{url, eventTypeFilters, description?, resourceScopes?, signingSecret?}`.

    :raises InvalidInput: naming the field
    """
    names = ("url", "eventTypeFilters", "description", "resourceScopes", "signingSecret")
    fields = read_fields(body, names)
    _refuse_scopes(fields)
    return Draft(
        url=required_text(fields, "url"),
        filters=check_filters(fields.get("eventTypeFilters"), "eventTypeFilters"),
        description=_description(fields),
        secret=text_or_none(fields, "signingSecret"),
        secret_param="signingSecret",  # noqa: S106 - the name of a field
    )


def read_change(body: object) -> Change:
    """Read a change: `{url?, eventTypeFilters?, description?, resourceScopes?, status?}`.

    :raises InvalidInput: naming the field
    """
    fields = read_fields(body, ("url", "eventTypeFilters", "description", "resourceScopes", "status"))
    _refuse_scopes(fields)
    read: dict[str, Any] = {}
    if "url" in fields:
        read["url"] = required_text(fields, "url")
    if "eventTypeFilters" in fields:
        read["filters"] = check_filters(fields["eventTypeFilters"], "eventTypeFilters")
    if "description" in fields:
        read["description"] = _description(fields)
    if "status" in fields:
        if fields["status"] not in _STATUSES:
            raise InvalidInput("status must be active or disabled.", param="status")
        read["status"] = fields["status"]
    return Change(**read)


def read_grace(body: object) -> int:
    """Read `{previousSecretExpiresInSec?}`: seconds for which the earlier secret goes on signing.

    :raises InvalidInput: naming the field
    """
    name = "previousSecretExpiresInSec"
    seconds = read_fields(body, (name,)).get(name, _DEFAULT_GRACE)
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 <= seconds <= MAX_GRACE:
        raise InvalidInput(f"{name} must be a whole number from 0 to {MAX_GRACE}.", param=name)
    return seconds


def read_trial(body: object) -> Trial:
    """Read `{eventType?, payload?}`.

    :raises InvalidInput: naming the field
    """
    fields = read_fields(body, ("eventType", "payload"))
    name = fields.get("eventType", TEST)
    if not isinstance(name, str) or name not in EVENT_TYPES:
        raise InvalidInput(f"eventType must be one of {', '.join(EVENT_TYPES)}.", param="eventType")
    payload = fields.get("payload")
    return Trial(name, {} if payload is None else payload)


def read_replay(body: object) -> object:
    """Read `{payload?}`; UNSET if there is none.

    :raises InvalidInput: naming the field
    """
    return read_fields(body, ("payload",)).get("payload", msgspec.UNSET)


def _description(fields: Mapping[str, Any]) -> str | None:
    text = text_or_none(fields, "description")
    if text is not None and len(text.encode()) > _MAX_DESCRIPTION:
        raise InvalidInput(f"description has at most {_MAX_DESCRIPTION} bytes.", param="description")
    return text


def check_filters(given: object, name: str) -> tuple[str, ...]:
    """Return filters of events, each once.

    :raises InvalidInput: naming the first one that matches nothing
    """
    if not isinstance(given, list) or not 0 < len(given) <= _MAX_FILTERS:
        raise InvalidInput(f"{name} is required: a list of 1 to {_MAX_FILTERS} types of events.", param=name)
    for number, each in enumerate(given):
        if not isinstance(each, str) or not any(matches([each], known) for known in EVENT_TYPES):
            raise InvalidInput(
                f"{name}[{number}] matches no event.",
                param=f"{name}[{number}]",
                hint=f"Events are {', '.join(EVENT_TYPES)}; `governance.request.*` and `*` stand for several.",
            )
    return tuple(dict.fromkeys(given))


def _refuse_scopes(fields: Mapping[str, Any]) -> None:
    """Refuse to narrow to what Scriba does not have: to ignore it would send more than was asked for."""
    scopes = fields.get("resourceScopes")
    if scopes is None:
        return
    if not isinstance(scopes, dict) or any(name not in _SCOPES for name in scopes):
        raise InvalidInput("resourceScopes must be an object of vaultIds and matterIds.", param="resourceScopes")
    for name, ids in scopes.items():
        if ids:
            raise InvalidInput(
                f"resourceScopes.{name} must be empty: there are no vaults and no matters here.",
                param=f"resourceScopes.{name}",
            )
