"""From a client's JSON to a policy. What is wrong is told with its path, what is allowed, and the nearest known name.

Every value is taken as it is or refused. The one change made on the way is that a provider's alias becomes its id.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

import msgspec

from scriba.domain.nearest import nearest
from scriba.domain.record import Enforcement
from scriba.errors import InvalidInput
from scriba.policy.catalogue import TrustTier
from scriba.policy.document import document
from scriba.policy.rules import Policy, Rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scriba.policy.vendors import Vendors

__all__ = ["new_policy", "patched_policy"]

MAX_NAME_BYTES: Final = 256
MAX_DESCRIPTION_BYTES: Final = 2048
MAX_LIST_ENTRIES: Final = 1000

_RULES: Final = tuple(field.encode_name for field in msgspec.structs.fields(Rules))
_FIELDS: Final = ("allowUnknown", "description", "isActive", "isDefault", "name", "rules", "tagSlot")
_SERVER_SET: Final = ("createdAt", "id", "orgId", "updatedAt", "version")

_Choice = TypeVar("_Choice", bound=StrEnum)


def new_policy(body: object, *, id: str, org_id: str, now: int, vendors: Vendors) -> Policy:  # noqa: A002 -- its name
    """Return the policy that `body` (parsed JSON) describes; null means absent.

    :param now: microseconds since 1970 (UTC)
    :raises InvalidInput: `param` is the JSON path of what is wrong
    """
    empty = Policy(id=id, org_id=org_id, name="", rules=_NO_RULES, created_at=now, updated_at=now)
    return _described(empty, _object(body, ""), vendors, frozenset())


def patched_policy(policy: Policy, patch: object, *, now: int, vendors: Vendors) -> Policy:
    """Return the next version of `policy`, changed by a JSON Merge Patch (RFC 7396), or `policy` if nothing changes.

    Naming one rule leaves the others as they are; null takes a field back to its default.

    :raises InvalidInput: as for `new_policy`
    """
    current = document(policy)
    for name in _SERVER_SET:
        current.pop(name, None)
    kept = frozenset(policy.rules.provider_allowlist + policy.rules.provider_blocklist)
    changed = _described(policy, _merged(current, _object(patch, "")), vendors, kept)
    if changed == policy:
        return policy
    return msgspec.structs.replace(changed, version=policy.version + 1, updated_at=now)


class _Vocabulary(NamedTuple):
    """Which names a provider list may hold: known ones, those that it held before, or any."""

    vendors: Vendors
    kept: frozenset[str]
    any_name: bool


def _merged(target: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """Apply a merge patch. A policy has objects at one place, `rules`; one elsewhere is refused when it is read."""
    merged = {**target, **patch}
    rules, changes = target.get("rules"), patch.get("rules")
    if isinstance(rules, dict) and isinstance(changes, dict):
        merged["rules"] = {**rules, **changes}
    return merged


def _described(base: Policy, body: Mapping[str, object], vendors: Vendors, kept: frozenset[str]) -> Policy:
    """Return `base` with everything that a client may say about a policy taken from `body`."""
    _refuse_unknown(body, _FIELDS, "")
    vocabulary = _Vocabulary(vendors, kept, any_name=_boolean(body, "allowUnknown", "", default=False))
    name = _text(body, "name", MAX_NAME_BYTES)
    if not name:
        raise InvalidInput("'name' is required.", param="name", hint="It is 1 to 256 bytes of text.")
    return msgspec.structs.replace(
        base,
        name=name,
        description=_text(body, "description", MAX_DESCRIPTION_BYTES),
        tag_slot=_slot(body),
        is_default=_boolean(body, "isDefault", "", default=False),
        is_active=_boolean(body, "isActive", "", default=True),
        rules=_rules(body.get("rules"), vocabulary),
    )


def _rules(value: object, vocabulary: _Vocabulary) -> Rules:
    rules = _object({} if value is None else value, "rules")
    _refuse_unknown(rules, _RULES, "rules.")
    enforcement = _choice(rules, "enforcement", Enforcement)
    if enforcement is None:
        raise InvalidInput(
            "'rules.enforcement' is required.", param="rules.enforcement", hint=f"Allowed: {_listed(Enforcement)}."
        )
    return Rules(
        enforcement=enforcement,
        minimum_trust_tier=_choice(rules, "minimumTrustTier", TrustTier),
        block_china_providers=_boolean(rules, "blockChinaProviders", "rules.", default=False),
        require_zdr=_boolean(rules, "requireZdr", "rules.", default=False),
        require_baa=_boolean(rules, "requireBaa", "rules.", default=False),
        require_hipaa=_boolean(rules, "requireHipaa", "rules.", default=False),
        require_soc2=_boolean(rules, "requireSoc2", "rules.", default=False),
        provider_allowlist=_providers(rules, "providerAllowlist", vocabulary),
        provider_blocklist=_providers(rules, "providerBlocklist", vocabulary),
        model_allowlist=tuple(_names(rules, "modelAllowlist")),
        model_blocklist=tuple(_names(rules, "modelBlocklist")),
    )


def _object(value: object, path: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidInput(f"{_quoted(path)} must be a JSON object.", param=path or None)
    return value


def _refuse_unknown(given: Mapping[str, object], known: tuple[str, ...], path: str) -> None:
    for name in given:
        if name in known:
            continue
        if not path and name in _SERVER_SET:
            raise InvalidInput(f"'{name}' is set by the server.", param=name, hint="Leave it out.")
        alike = nearest(name, known)
        hint = f"Did you mean '{path}{alike}'?" if alike else f"Allowed: {', '.join(sorted(known))}."
        raise InvalidInput(f"'{path}{name}' is not a field of a policy.", param=f"{path}{name}", hint=hint)


def _boolean(given: Mapping[str, object], name: str, path: str, *, default: bool) -> bool:
    value = given.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise InvalidInput(f"'{path}{name}' must be true or false.", param=f"{path}{name}")
    return value


def _slot(given: Mapping[str, object]) -> int | None:
    value = given.get("tagSlot")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 12:
        raise InvalidInput("'tagSlot' must be a whole number from 1 to 12.", param="tagSlot")
    return value


def _choice(rules: Mapping[str, object], name: str, choices: type[_Choice]) -> _Choice | None:
    value = rules.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or value not in choices.__members__.values():
        alike = nearest(value, choices) if isinstance(value, str) else ""
        hint = f" Did you mean '{alike}'?" if alike else ""
        raise InvalidInput(f"'rules.{name}' must be one of {_listed(choices)}.{hint}", param=f"rules.{name}")
    return choices(value)


def _text(given: Mapping[str, object], name: str, limit: int) -> str:
    value = given.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not _is_clean(value, limit):
        raise InvalidInput(f"'{name}' must be text of at most {limit} bytes without control characters.", param=name)
    return value


def _names(rules: Mapping[str, object], name: str) -> list[str]:
    """Return a list of names; null means none. An empty allowlist is refused, since it reads both ways."""
    value = rules.get(name)
    if value is None:
        return []
    path = f"rules.{name}"
    if not isinstance(value, list) or len(value) > MAX_LIST_ENTRIES:
        raise InvalidInput(f"'{path}' must be a list of at most {MAX_LIST_ENTRIES} names.", param=path)
    if not value and name.endswith("Allowlist"):
        raise InvalidInput(f"'{path}' is empty.", param=path, hint="Leave it out, or send null, to allow all.")
    for index, entry in enumerate(value):
        if not isinstance(entry, str) or not entry or not _is_clean(entry, MAX_NAME_BYTES):
            raise InvalidInput(
                f"'{path}[{index}]' must be a name of 1 to {MAX_NAME_BYTES} bytes without control characters.",
                param=f"{path}[{index}]",
            )
    return list(dict.fromkeys(value))


def _providers(rules: Mapping[str, object], name: str, vocabulary: _Vocabulary) -> tuple[str, ...]:
    ids = []
    for index, entry in enumerate(_names(rules, name)):
        known = vocabulary.vendors.id_of(entry)
        if not known and entry not in vocabulary.kept and not vocabulary.any_name:
            alike = vocabulary.vendors.nearest(entry)
            raise InvalidInput(
                f"'{entry}' is not a known provider.",
                param=f"rules.{name}[{index}]",
                hint=f"Did you mean '{alike}'?" if alike else 'With "allowUnknown": true it is taken as it is.',
            )
        ids.append(known or entry)
    return tuple(dict.fromkeys(ids))


def _is_clean(value: str, limit: int) -> bool:
    try:
        size = len(value.encode())
    except UnicodeEncodeError:  # a lone surrogate
        return False
    return size <= limit and not any(character < " " or character == "\x7f" for character in value)


def _listed(choices: Iterable[str]) -> str:
    return ", ".join(choices)


def _quoted(path: str) -> str:
    return f"'{path}'" if path else "The body"


_NO_RULES: Final = Rules(enforcement=Enforcement.WARN)
