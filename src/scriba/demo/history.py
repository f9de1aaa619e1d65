"""Decides the sample requests and imports them."""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.audit.imports import Importer
from scriba.audit.told import ToldEntry
from scriba.demo.arrivals import arrivals
from scriba.demo.traffic import PROVIDERS, Asked, draw
from scriba.domain.ids import derive_id
from scriba.domain.timestamp import format_timestamp
from scriba.policy.configured import ConfiguredProvider
from scriba.policy.engine import DecisionPoint, RequestFacts
from scriba.policy.rules import choose_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scriba.policy.rules import Policy
    from scriba.services import Services
    from scriba.storage.model import Organisation

__all__ = ["ENTRIES", "fill_demo"]

ENTRIES: Final = 20_000
"""Decisions of the sample."""

_BATCH: Final = 1_000
_DIALECTS: Final = ("openai", "anthropic")
_encode: Final = msgspec.json.Encoder().encode


def fill_demo(services: Services, org_id: str, progress: Callable[[int, int], None]) -> int:
    """Give the demo organisation its history, or what is missing of it; returns how many entries were written.

    The same organisation always gets the same history, of the days before it was made: so it is safe to repeat, also by
    several processes at once.

    :param progress: called with how many entries are there and how many there will be
    """
    importer = Importer(services.store)
    if importer.count(org_id) >= ENTRIES:
        return 0
    organisation = services.control.find_organisation(org_id)
    entries = _history(services, organisation)
    written = done = 0
    while batch := list(islice(entries, _BATCH)):
        digest = sha256(b"\n".join(map(_encode, batch))).hexdigest()
        written += importer.import_entries(org_id, batch, digest).imported
        done += len(batch)
        progress(done, ENTRIES)
    return written


def _history(services: Services, organisation: Organisation) -> Iterator[ToldEntry]:
    point = _decision_point(services.decision_point)
    policies = services.control.policies_of(organisation.id)
    of_slot = {slot: choose_policy(policies, slot, None) for slot in (1, 2)}
    random = Random(organisation.id)  # noqa: S311 - a sample that can be drawn again, no secret
    for number, moment in enumerate(arrivals(ENTRIES, organisation.created_at)):
        asked = draw(random)
        yield _entry(point, of_slot[asked.slot], organisation, asked, (number, moment))


def _decision_point(real: DecisionPoint) -> DecisionPoint:
    """Return the engine with the catalogue of this deployment, as if the usual providers were configured in it."""
    configured = tuple(ConfiguredProvider(id=provider, dialects=_DIALECTS) for provider in PROVIDERS)
    return DecisionPoint(real.catalogue.with_configured(configured), real.models)


def _entry(
    point: DecisionPoint, policy: Policy, organisation: Organisation, asked: Asked, place: tuple[int, int]
) -> ToldEntry:
    number, moment = place
    verdict = point.decide(policy, RequestFacts(model=asked.model, operation=asked.operation))
    digest = sha256(f"{organisation.id} {number}".encode()).digest()
    key = sha256(f"{organisation.id} {asked.key}".encode()).digest()
    return ToldEntry(
        id=derive_id("audit", moment, digest),
        request_id=derive_id("req", moment, digest[16:]),
        timestamp=format_timestamp(moment),
        model=asked.model,
        provider=verdict.provider,
        requested_provider=verdict.requested_provider,
        policy_id=policy.id,
        policy_name=policy.name,
        policy_slot=policy.tag_slot,
        policy_version=policy.version,
        policy_sha256=policy.sha256,
        allowed=verdict.allowed,
        enforcement=verdict.enforcement,
        violation_reasons=verdict.reasons,
        violation_codes=verdict.codes,
        operation=asked.operation,
        canonical_model=verdict.canonical_model,
        upstream_model=verdict.upstream_model,
        api_key_id=derive_id("key", organisation.created_at, key),
        ip_address=asked.ip_address,
        user_agent=asked.user_agent,
        tags=asked.tags,
        user=asked.user,
    )
