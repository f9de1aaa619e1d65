"""Organisations, keys and policies: changes are whole, recorded, and seen by every process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from sqlalchemy import select, text
from tests.rederive import read_log, rederive_all
from tests.stores import OpenStore

from scriba.auth import Authenticator
from scriba.domain.api_key import is_api_key
from scriba.domain.record import Event
from scriba.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from scriba.policy.catalogue import load_catalogue
from scriba.policy.models import load_models
from scriba.policy.vendors import Vendors
from scriba.storage.model import COMMAND_LINE, Actor, LogId, LogName, Role
from scriba.storage.tables import documents, policy_versions

if TYPE_CHECKING:
    from collections.abc import Iterator

ACTOR = Actor(name="key_01", ip_address="203.0.113.9", user_agent="curl/8")
MODELS = load_models()
VENDORS = Vendors(load_catalogue(MODELS.sha256), MODELS)
HIPAA = {
    "name": "Production - HIPAA",
    "tagSlot": 1,
    "rules": {"minimumTrustTier": "most_trusted", "blockChinaProviders": True, "enforcement": "hard_block"},
}


@pytest.fixture
def other_process(store: OpenStore) -> Iterator[OpenStore]:
    """Open the same store as a second process would."""
    opened = OpenStore.open(store.folder, store.url)
    yield opened
    opened.close()


def create_policy(store: OpenStore, **fields: Any) -> Any:
    """Create a policy like the seed's, with fields changed."""
    return store.control.create_policy(store.organisation.id, HIPAA | fields, vendors=VENDORS, actor=ACTOR)


def events_of(store: OpenStore, org_id: str) -> list[Event]:
    """Return the events of an organisation's `admin` log (empty id: the deployment's)."""
    stored = read_log(store.store.database, LogId(org_id, LogName.ADMIN))
    return [one.record for one in stored if isinstance(one.record, Event)]


def test_an_organisation_gets_its_three_logs(store: OpenStore) -> None:
    """Promise: from its first moment an organisation can be written for, and its creation is on record."""
    sizes = rederive_all(store.store.database)
    origin = f"{store.store.deployment}/tlog/{store.organisation.id}"
    assert [sizes[f"{origin}/{log}/1"] for log in LogName] == [1, 1, 1]
    event = events_of(store, "")[-1]
    assert (event.action, event.target) == ("org.created", store.organisation.id)


@pytest.mark.parametrize("name", ["", "Acme", "a" * 64, "org_1", "a b", "ä"])
def test_a_bad_name_of_an_organisation_is_refused(store: OpenStore, name: str) -> None:
    """Promise: names can be told from ids and typed anywhere."""
    with pytest.raises(InvalidInput) as raised:
        store.control.create_organisation(name, actor=ACTOR)
    assert raised.value.param == "name"


def test_a_name_is_given_once(store: OpenStore) -> None:
    """Promise: two organisations never share a name."""
    with pytest.raises(Conflict):
        store.control.create_organisation(store.organisation.name, actor=ACTOR)


def test_a_mistyped_organisation_is_suggested(store: OpenStore) -> None:
    """Promise: a typo is told with the nearest name."""
    with pytest.raises(NotFound, match="Did you mean 'acme'"):
        store.control.find_organisation("acmee")


def test_a_key_is_shown_once_and_stored_as_its_hash(store: OpenStore) -> None:
    """Promise: nobody who reads the database can use a key."""
    key, secret = store.control.create_key(store.organisation.id, role=Role.APP, actor=ACTOR, tags=("a", "ä"))
    assert is_api_key(secret)
    assert secret.endswith(key.last4)
    with store.store.database.read() as connection:
        for table in ("api_keys", "records", "documents"):
            for row in connection.execute(text(f"SELECT * FROM {table}")):
                assert secret not in repr(tuple(row))
    assert Authenticator(store.control).identify(secret).tags == ("a", "ä")


def test_a_revoked_key_is_refused_in_every_process(store: OpenStore, other_process: OpenStore) -> None:
    """Promise: a key that was revoked anywhere is refused everywhere."""
    key, secret = store.control.create_key(store.organisation.id, role=Role.APP, actor=ACTOR)
    there = Authenticator(other_process.control)
    assert there.identify(secret).key_id == key.id
    store.control.revoke_key(store.organisation.id, key.id, actor=ACTOR)
    with pytest.raises(Unauthenticated, match="revoked"):
        there.identify(secret)
    first = store.control.revoke_key(store.organisation.id, key.id, actor=ACTOR)
    assert first.revoked_at is not None
    assert [event.action for event in events_of(store, store.organisation.id)] == ["key.created", "key.revoked"]


def test_a_key_of_another_organisation_cannot_be_revoked(store: OpenStore) -> None:
    """Promise: organisations do not reach into each other."""
    other = store.control.create_organisation("other", actor=ACTOR)
    key, _ = store.control.create_key(other.id, role=Role.APP, actor=ACTOR)
    with pytest.raises(NotFound):
        store.control.revoke_key(store.organisation.id, key.id, actor=ACTOR)


def test_policies_have_versions_that_stay_readable(store: OpenStore) -> None:
    """Promise: whatever an entry names by hash can be read for ever."""
    policy = create_policy(store)
    org_id = store.organisation.id
    changed = store.control.update_policy(
        org_id, policy.id, {"rules": {"requireBaa": True}}, vendors=VENDORS, actor=ACTOR
    )
    assert (changed.version, changed.rules.require_baa, changed.rules.block_china_providers) == (2, True, True)
    store.control.delete_policy(org_id, policy.id, actor=ACTOR)
    with store.store.database.read() as connection:
        versions = connection.execute(select(policy_versions).order_by(policy_versions.c.version)).all()
        kept = {row.sha256: msgspec.json.decode(bytes(row.body)) for row in connection.execute(select(documents))}
    assert [version.sha256 for version in versions] == [policy.sha256, changed.sha256]
    assert kept[policy.sha256] == policy.document()
    assert store.control.policies_of(org_id) == ()


def test_changes_are_recorded_with_before_and_after(store: OpenStore) -> None:
    """Promise: who changed what, from what to what, is in the log, and the documents are kept by hash."""
    policy = create_policy(store)
    org_id = store.organisation.id
    changed = store.control.update_policy(org_id, policy.id, {"name": "New"}, vendors=VENDORS, actor=ACTOR)
    store.control.delete_policy(org_id, policy.id, actor=ACTOR)
    created, updated, deleted = events_of(store, org_id)
    assert created.detail == {"afterSha256": policy.sha256}
    assert updated.detail == {
        "beforeSha256": policy.sha256,
        "afterSha256": changed.sha256,
        "changed": ["name", "version"],
    }
    assert deleted.detail == {"beforeSha256": changed.sha256}
    assert {event.hidden.actor for event in (created, updated, deleted)} == {"key_01"}
    assert created.head is not None
    assert created.head.size == 1
    rederive_all(store.store.database)


def test_a_change_that_changes_nothing_makes_no_version(store: OpenStore) -> None:
    """Promise: versions count changes, not requests."""
    policy = create_policy(store)
    same = store.control.update_policy(
        store.organisation.id, policy.id, {"name": policy.name}, vendors=VENDORS, actor=ACTOR
    )
    assert same.version == 1
    assert len(events_of(store, store.organisation.id)) == 1


@pytest.mark.parametrize(
    ("second", "param"),
    [({"tagSlot": 1}, "tagSlot"), ({"tagSlot": 2, "isDefault": True}, "isDefault")],
)
def test_one_active_policy_for_a_slot_and_one_default(store: OpenStore, second: dict[str, Any], param: str) -> None:
    """Promise: which policy applies is never ambiguous."""
    create_policy(store, isDefault=True)
    with pytest.raises(Conflict) as raised:
        create_policy(store, **second)
    assert raised.value.param == param
    create_policy(store, **second, isActive=False)


def test_a_failed_change_leaves_no_trace(store: OpenStore) -> None:
    """Promise: a change and its event are there together or not at all."""
    create_policy(store)
    before = rederive_all(store.store.database)
    with pytest.raises(Conflict):
        create_policy(store)
    with pytest.raises(InvalidInput):
        create_policy(store, tagSlot=13)
    assert rederive_all(store.store.database) == before


def test_a_policy_of_another_organisation_does_not_exist(store: OpenStore) -> None:
    """Promise: an id from elsewhere is exactly like one that never was."""
    policy = create_policy(store)
    other = store.control.create_organisation("other", actor=ACTOR)
    with pytest.raises(NotFound):
        store.control.find_policy(other.id, policy.id)
    with pytest.raises(NotFound):
        store.control.update_policy(other.id, policy.id, {"name": "x"}, vendors=VENDORS, actor=ACTOR)
    with pytest.raises(NotFound):
        store.control.delete_policy(other.id, policy.id, actor=ACTOR)


def test_a_change_is_seen_by_another_process_at_its_next_look(store: OpenStore, other_process: OpenStore) -> None:
    """Promise: a process catches up by reading only what changed."""
    policy = create_policy(store)
    assert other_process.control.policies_of(store.organisation.id) == ()
    state = other_process.control.refresh()
    assert state.policies[store.organisation.id] == (policy,)
    assert other_process.control.refresh() is state


def test_two_processes_cannot_take_the_same_slot(store: OpenStore, other_process: OpenStore) -> None:
    """Promise: of two simultaneous changes that contradict each other one wins and the other is told."""
    results: list[str] = []

    def attempt(opened: OpenStore) -> None:
        try:
            create_policy(opened)
            results.append("created")
        except Conflict:
            results.append("conflict")

    threads = [threading.Thread(target=attempt, args=(opened,)) for opened in (store, other_process)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["conflict", "created"]
    rederive_all(store.store.database)


def test_the_command_line_is_an_actor(store: OpenStore) -> None:
    """Promise: changes from the server's own command line are recorded as such."""
    store.control.create_key(store.organisation.id, role=Role.AUDITOR, actor=COMMAND_LINE)
    assert events_of(store, store.organisation.id)[0].hidden.actor == "cli"
