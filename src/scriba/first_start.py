"""What a new deployment gets: the organisation `default` with an admin key, and, if asked for, one to try out."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.errors import Conflict
from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from pathlib import Path

    from scriba.services import Services

__all__ = ["DEMO", "DemoKeys", "make_default", "make_demo"]

DEFAULT: Final = "default"
DEMO: Final = "demo"

_STRICT: Final = {
    "name": "Production",
    "description": "Refuses China-based providers and those that nothing good is known of.",
    "tagSlot": 1,
    "isDefault": True,
    "rules": {"blockChinaProviders": True, "minimumTrustTier": "trusted", "enforcement": "hard_block"},
}
_LENIENT: Final = {
    "name": "Experiments",
    "description": "Lets everything through and notes where zero data retention is not confirmed.",
    "tagSlot": 2,
    "rules": {"requireZdr": True, "enforcement": "warn"},
}


class DemoKeys(msgspec.Struct, frozen=True):
    """The keys of the demo organisation, ready to paste."""

    app: str
    auditor: str


def make_default(services: Services) -> str | None:
    """Create the organisation `default` and its admin key on the very first start.

    Returns the key, which is also written to a file of mode 0600; None if there are organisations already.
    """
    control = services.control
    if control.refresh().organisations:
        return None
    try:
        organisation = control.create_organisation(DEFAULT, actor=COMMAND_LINE)
    except Conflict:
        return None  # another process was quicker
    _, key = control.create_key(organisation.id, role=Role.ADMIN, name="first admin key", actor=COMMAND_LINE)
    write_secret_file(services.settings.admin_key_path, key + "\n")
    return key


def make_demo(services: Services) -> DemoKeys:
    """Make sure that the demo organisation exists, and return its keys. Safe to repeat."""
    control = services.control
    path = services.settings.demo_keys_path
    found = next((one for one in control.refresh().organisations.values() if one.name == DEMO), None)
    if found is None:
        found = control.create_organisation(DEMO, actor=COMMAND_LINE)
    if not control.policies_of(found.id):
        for body in (_STRICT, _LENIENT):
            control.create_policy(found.id, body, vendors=services.vendors, actor=COMMAND_LINE)
    if (kept := _kept_keys(services, path)) is not None:
        return kept
    made = {
        role: control.create_key(
            found.id,
            role=role,
            name=f"demo {role}",
            policy_slot=1 if role is Role.APP else None,
            allowed_slots=(2,) if role is Role.APP else (),
            actor=COMMAND_LINE,
        )[1]
        for role in (Role.APP, Role.AUDITOR)
    }
    keys = DemoKeys(app=made[Role.APP], auditor=made[Role.AUDITOR])
    write_secret_file(path, msgspec.json.encode(keys).decode() + "\n")
    return keys


def _kept_keys(services: Services, path: Path) -> DemoKeys | None:
    """Return the keys of an earlier start, if they are still good."""
    try:
        keys = msgspec.json.decode(path.read_bytes(), type=DemoKeys)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    known = all(services.authenticator.known(key) for key in (keys.app, keys.auditor))
    return keys if known else None


def write_secret_file(path: Path, text: str) -> None:
    """Write a file that only its owner can read (mode 0600), replacing what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)
