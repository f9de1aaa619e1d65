"""From a client's JSON to a policy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scriba.errors import InvalidInput
from scriba.policy.drafts import new_policy, patched_policy

if TYPE_CHECKING:
    from scriba.policy.rules import Policy
    from scriba.policy.vendors import Vendors

RULES = {"enforcement": "hard_block"}


@pytest.fixture
def draft(vendors: Vendors) -> Any:
    """Return a function that makes a policy of a body."""

    def make(body: object) -> Policy:
        return new_policy(body, id="gpol_1", org_id="org_1", now=5, vendors=vendors)

    return make


@pytest.fixture
def patch(vendors: Vendors) -> Any:
    """Return a function that patches a policy."""

    def change(policy: Policy, body: object) -> Policy:
        return patched_policy(policy, body, now=9, vendors=vendors)

    return change


def test_only_name_and_enforcement_are_required(draft: Any) -> None:
    """All else has its default: active, in no slot, every rule off."""
    policy = draft({"name": "x", "rules": RULES})
    assert (policy.id, policy.org_id, policy.version) == ("gpol_1", "org_1", 1)
    assert (policy.created_at, policy.updated_at) == (5, 5)
    assert (policy.is_active, policy.is_default, policy.tag_slot, policy.description) == (True, False, None, "")
    assert not policy.rules.block_china_providers


def test_every_field_is_taken(draft: Any) -> None:
    """What is sent is what stands in the policy."""
    rules = {
        "enforcement": "soft_block",
        "minimumTrustTier": "trusted",
        "blockChinaProviders": True,
        "requireZdr": True,
        "requireBaa": True,
        "requireHipaa": True,
        "requireSoc2": True,
        "providerAllowlist": ["openai"],
        "providerBlocklist": ["xai"],
        "modelAllowlist": ["gpt-*"],
        "modelBlocklist": ["*-preview"],
    }
    body = {"name": "x", "description": "d", "tagSlot": 12, "isDefault": True, "isActive": False, "rules": rules}
    assert draft(body).document() == body | {"id": "gpol_1", "version": 1}


def test_null_means_absent(draft: Any) -> None:
    """Clients that send every field send null for what they do not mean."""
    nulls = dict.fromkeys(["description", "tagSlot", "isDefault", "isActive", "allowUnknown"])
    rules = dict.fromkeys(["minimumTrustTier", "requireZdr", "providerAllowlist", "modelBlocklist"])
    assert draft({"name": "x", "rules": RULES | rules} | nulls) == draft({"name": "x", "rules": RULES})


def test_an_alias_becomes_the_providers_id(draft: Any) -> None:
    """Aliases are accepted and never stored; a name given twice stands once."""
    lists = {"providerBlocklist": ["Qwen", "dashscope", "amazon"], "modelBlocklist": ["b", "a", "b"]}
    policy = draft({"name": "x", "rules": RULES | lists})
    assert policy.rules.provider_blocklist == ("alibaba", "amazon")
    assert policy.rules.model_blocklist == ("b", "a")


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ([], None, "JSON object"),
        ({"rules": RULES}, "name", "required"),
        ({"name": "", "rules": RULES}, "name", "1 to 256"),
        ({"name": "ä" * 129, "rules": RULES}, "name", "256 bytes"),
        ({"name": "a\x00", "rules": RULES}, "name", "control characters"),
        ({"name": "\ud800", "rules": RULES}, "name", "control characters"),
        ({"name": 5, "rules": RULES}, "name", "text"),
        ({"name": "x"}, "rules.enforcement", "hard_block, soft_block, warn"),
        ({"name": "x", "rules": {}}, "rules.enforcement", "required"),
        ({"name": "x", "rules": []}, "rules", "JSON object"),
        ({"name": "x", "rules": {"enforcement": "hard-block"}}, "rules.enforcement", "Did you mean 'hard_block'?"),
        ({"name": "x", "rules": {"enforcement": ["warn"]}}, "rules.enforcement", "one of"),
        (
            {"name": "x", "rules": RULES | {"minimumTrustTier": "best"}},
            "rules.minimumTrustTier",
            "most_trusted, trusted",
        ),
        ({"name": "x", "rules": RULES | {"requireZdr": "yes"}}, "rules.requireZdr", "true or false"),
        ({"name": "x", "rules": RULES | {"requireHippa": True}}, "rules.requireHippa", "'rules.requireHipaa'?"),
        ({"name": "x", "rules": RULES, "tagslot": 1}, "tagslot", "'tagSlot'?"),
        ({"name": "x", "rules": RULES, "zzz": 1}, "zzz", "Allowed: allowUnknown, description"),
        ({"name": "x", "rules": RULES, "tagSlot": 13}, "tagSlot", "1 to 12"),
        ({"name": "x", "rules": RULES, "tagSlot": 0}, "tagSlot", "1 to 12"),
        ({"name": "x", "rules": RULES, "tagSlot": True}, "tagSlot", "1 to 12"),
        ({"name": "x", "rules": RULES, "tagSlot": 1.0}, "tagSlot", "1 to 12"),
        ({"name": "x", "rules": RULES, "isDefault": 1}, "isDefault", "true or false"),
        ({"name": "x", "rules": RULES, "allowUnknown": "yes"}, "allowUnknown", "true or false"),
        ({"name": "x", "rules": RULES, "id": "gpol_2"}, "id", "set by the server"),
        ({"name": "x", "rules": RULES | {"version": 1}}, "rules.version", "not a field"),
        ({"name": "x", "rules": RULES | {"modelAllowlist": "gpt-*"}}, "rules.modelAllowlist", "list"),
        ({"name": "x", "rules": RULES | {"modelBlocklist": ["a"] * 1001}}, "rules.modelBlocklist", "1000"),
        ({"name": "x", "rules": RULES | {"modelBlocklist": ["a", ""]}}, "rules.modelBlocklist[1]", "1 to 256"),
        ({"name": "x", "rules": RULES | {"modelBlocklist": ["a\n"]}}, "rules.modelBlocklist[0]", "control"),
        ({"name": "x", "rules": RULES | {"modelBlocklist": [None]}}, "rules.modelBlocklist[0]", "name"),
        ({"name": "x", "rules": RULES | {"modelAllowlist": []}}, "rules.modelAllowlist", "null"),
        ({"name": "x", "rules": RULES | {"providerAllowlist": []}}, "rules.providerAllowlist", "empty"),
        (
            {"name": "x", "rules": RULES | {"providerAllowlist": ["openai", "antropic"]}},
            "rules.providerAllowlist[1]",
            "Did you mean 'anthropic'?",
        ),
        (
            {"name": "x", "rules": RULES | {"providerBlocklist": ["zzzzzz"]}},
            "rules.providerBlocklist[0]",
            '"allowUnknown": true',
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(draft: Any, body: object, param: str | None, words: str) -> None:
    """The error holds the JSON path, and the nearest known name or all that is allowed."""
    with pytest.raises(InvalidInput) as caught:
        draft(body)
    assert caught.value.param == param
    assert words in str(caught.value)


def test_an_unknown_provider_can_be_insisted_on(draft: Any) -> None:
    """`allowUnknown` takes it as it is, and is itself no part of the policy."""
    policy = draft({"name": "x", "allowUnknown": True, "rules": RULES | {"providerBlocklist": ["Acme"]}})
    assert policy.rules.provider_blocklist == ("Acme",)
    assert "allowUnknown" not in policy.document()


def test_naming_one_rule_leaves_the_others(draft: Any, patch: Any) -> None:
    """A patch never loosens what it does not name."""
    one = draft({"name": "x", "tagSlot": 3, "rules": RULES | {"requireBaa": True, "providerBlocklist": ["xai"]}})
    two = patch(one, {"rules": {"requireZdr": True}})
    assert two.rules.require_zdr
    assert two.rules.require_baa
    assert two.rules.provider_blocklist == ("xai",)
    assert (two.tag_slot, two.version, two.created_at, two.updated_at) == (3, 2, 5, 9)


def test_null_takes_a_field_back(draft: Any, patch: Any) -> None:
    """That is what RFC 7396 says, for fields and for rules."""
    one = draft({"name": "x", "tagSlot": 3, "description": "d", "rules": RULES | {"minimumTrustTier": "trusted"}})
    two = patch(one, {"tagSlot": None, "description": None, "rules": {"minimumTrustTier": None}})
    assert (two.tag_slot, two.description, two.rules.minimum_trust_tier) == (None, "", None)


@pytest.mark.parametrize("body", [{}, {"name": "x"}, {"rules": {}}, {"rules": RULES}, {"isDefault": None}])
def test_a_patch_that_says_the_same_makes_no_version(draft: Any, patch: Any, body: object) -> None:
    """Versions count changes."""
    one = draft({"name": "x", "rules": RULES})
    assert patch(one, body) is one


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (5, None),
        ({"name": None}, "name"),
        ({"name": {"a": 1}}, "name"),
        ({"rules": None}, "rules.enforcement"),
        ({"rules": 5}, "rules"),
        ({"rules": {"enforcement": None}}, "rules.enforcement"),
        ({"rules": {"requireZdr": {}}}, "rules.requireZdr"),
        ({"version": 9}, "version"),
        ({"nam": "y"}, "nam"),
    ],
)
def test_a_patch_is_checked_like_a_new_policy(draft: Any, patch: Any, body: object, param: str | None) -> None:
    """What is required cannot be patched away."""
    one = draft({"name": "x", "rules": RULES})
    with pytest.raises(InvalidInput) as caught:
        patch(one, body)
    assert caught.value.param == param


def test_a_name_that_was_taken_on_trust_stays(draft: Any, patch: Any) -> None:
    """Another change need not insist again; a new unknown name must."""
    one = draft({"name": "x", "allowUnknown": True, "rules": RULES | {"providerBlocklist": ["Acme"]}})
    assert patch(one, {"name": "y"}).rules.provider_blocklist == ("Acme",)
    with pytest.raises(InvalidInput, match="'Other'"):
        patch(one, {"rules": {"providerBlocklist": ["Acme", "Other"]}})
