"""Policies: which one applies, and what is hashed of it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from scriba.domain.record import Enforcement
from scriba.policy.document import canonical_json
from scriba.policy.rules import NO_POLICY, Policy, Rules, choose_policy, read_policy

RULES = Rules(enforcement=Enforcement.HARD_BLOCK, block_china_providers=True, provider_blocklist=("xai",))


def policy(name: str, *, slot: int | None = None, default: bool = False, active: bool = True) -> Policy:
    """Return a policy of this name."""
    return Policy(
        id=f"gpol_{name}", org_id="org_1", name=name, rules=RULES, tag_slot=slot, is_default=default, is_active=active
    )


POLICIES = [
    policy("default", slot=1, default=True),
    policy("two", slot=2),
    policy("three", slot=3),
    policy("off", slot=4, active=False),
]


@pytest.mark.parametrize(
    ("requested", "key", "name"),
    [
        (2, 3, "two"),
        (None, 3, "three"),
        (3, None, "three"),
        (9, 3, "three"),
        (9, 8, "default"),
        (None, None, "default"),
        (4, None, "default"),
        (4, 2, "two"),
        (1, 2, "default"),
    ],
)
def test_the_requested_slot_then_the_keys_then_the_default(requested: int | None, key: int | None, name: str) -> None:
    """Only active policies apply, whatever their order."""
    assert choose_policy(POLICIES, requested, key).name == name
    assert choose_policy(reversed(POLICIES), requested, key).name == name


@pytest.mark.parametrize("policies", [[], [policy("off", slot=1, default=True, active=False)], [policy("two", slot=2)]])
def test_without_any_the_built_in_policy_applies(policies: list[Policy]) -> None:
    """It allows, and the entry says that there was no policy."""
    chosen = choose_policy(policies, 1, None)
    assert chosen is NO_POLICY
    assert (chosen.id, chosen.name, chosen.rules) == ("gpol_none", "No policy", Rules(enforcement=Enforcement.WARN))


def test_the_document_holds_what_a_verdict_takes_from_a_policy() -> None:
    """Names are those of the API, booleans are always there, what is absent is left out."""
    assert policy("p", slot=3).document() == {
        "id": "gpol_p",
        "name": "p",
        "tagSlot": 3,
        "isDefault": False,
        "isActive": True,
        "version": 1,
        "rules": {
            "enforcement": "hard_block",
            "blockChinaProviders": True,
            "requireZdr": False,
            "requireBaa": False,
            "requireHipaa": False,
            "requireSoc2": False,
            "providerBlocklist": ["xai"],
        },
    }


def test_a_stored_policy_reads_back() -> None:
    """The same rules come out, and so the same verdict."""
    one = msgspec.structs.replace(policy("p", slot=3), description="why", version=7)
    read = read_policy(json.loads(canonical_json(one.document())), "org_1")
    assert read == one
    assert read.sha256 == one.sha256


def test_the_hash_is_of_the_content_alone() -> None:
    """Two versions differ in it; when and in which organisation it was made does not matter."""
    one = policy("p")
    assert msgspec.structs.replace(one, org_id="org_2", created_at=1, updated_at=2).sha256 == one.sha256
    changes: list[dict[str, Any]] = [
        {"name": "q"},
        {"version": 2},
        {"tag_slot": 1},
        {"is_active": False},
        {"is_default": True},
    ]
    hashes = {msgspec.structs.replace(one, **change).sha256 for change in changes}
    assert len(hashes | {one.sha256}) == len(changes) + 1


@pytest.mark.parametrize("change", [{"rules": {}}, {"rules": {"enforcement": "hard_block", "x": 1}}, {"version": "1"}])
def test_a_stored_document_that_is_no_policy_is_refused(change: dict[str, object]) -> None:
    """Evidence that was tampered with is not read."""
    with pytest.raises(ValueError, match=r"."):
        read_policy({**policy("p").document(), **change})
