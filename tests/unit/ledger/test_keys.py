"""Keys of a log."""

from __future__ import annotations

import pytest

from scriba.domain.secret import Secret
from scriba.errors import SettingsError
from scriba.ledger.keys import LogKeys, derive_key
from scriba.ledger.origin import InvalidOrigin, Origin
from scriba.merkle.note import open_note, parse_checkpoint, parse_vkey

SECRET = Secret(bytes(range(32)))
ORIGIN = Origin("scriba.example.com", "org_1", "requests")


def test_every_log_and_purpose_has_its_own_keys() -> None:
    """Another secret, organisation, log, generation, number or purpose never shares a key."""
    made = [
        LogKeys(SECRET, ORIGIN),
        LogKeys(Secret(bytes(32)), ORIGIN),
        LogKeys(SECRET, ORIGIN._replace(org_id="org_2")),
        LogKeys(SECRET, ORIGIN._replace(log="admin")),
        LogKeys(SECRET, ORIGIN._replace(generation=2)),
    ]
    public = [parse_vkey(vkey).public_key for keys in made for vkey in keys.vkeys]
    public += [parse_vkey(vkey).public_key for vkey in LogKeys(SECRET, ORIGIN, number=2).vkeys]
    assert len(set(public)) == 12
    assert len({keys.head_key for keys in made}) == 5


def test_a_short_secret_is_refused() -> None:
    """A secret that could be guessed signs nothing, and the message does not show it."""
    with pytest.raises(SettingsError, match="31 bytes") as caught:
        derive_key(Secret(b"s" * 31), b"info")
    assert "sss" not in str(caught.value)


def test_nothing_private_shows() -> None:
    """Neither keys nor secret appear in `repr`."""
    keys = LogKeys(SECRET, ORIGIN)
    assert repr(keys) == "LogKeys('scriba.example.com/tlog/org_1/requests/1')"
    assert repr(keys.head_key) == repr(SECRET)
    assert not hasattr(keys, "__dict__")


def test_keys_are_made_for_logs_alone() -> None:
    """A name that is no origin gets no keys."""
    with pytest.raises(InvalidOrigin):
        LogKeys(SECRET, ORIGIN._replace(log="other"))


def test_a_checkpoint_verifies_by_the_published_key() -> None:
    """What the log signs, the first of its vkeys opens."""
    keys = LogKeys(SECRET, ORIGIN)
    note = open_note(keys.sign_checkpoint(7, bytes(32)).encode(), [parse_vkey(keys.vkeys[0])])
    assert parse_checkpoint(note.text).size == 7
