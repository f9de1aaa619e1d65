"""What a new deployment gets: the organisation `default` with an admin key, and, if asked for, one to try out."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.errors import Conflict, NotFound, Unauthenticated
from scriba.storage.model import COMMAND_LINE, Role
from scriba.storage.private_files import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from scriba.services import Services
    from scriba.storage.control import Control
    from scriba.storage.model import Organisation

__all__ = ["DEMO", "DemoKeys", "make_default", "make_demo"]

DEFAULT: Final = "default"
DEMO: Final = "demo"
_UNFINISHED: Final = "The first start has not finished. The next one puts the admin key here.\n"

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

    Returns the key, which is also written to a file of mode 0600; None if there is nothing to do. A first start that
    was interrupted is finished by the next one.
    """
    control = services.control
    path = services.settings.admin_key_path
    known = control.refresh().organisations.values()
    found = next((one for one in known if one.name == DEFAULT), None)
    if found is None:
        if known:
            return None
        try:
            found = control.create_organisation(DEFAULT, actor=COMMAND_LINE)
        except Conflict:
            return None  # another process was quicker
    elif control.keys_of(found.id) and _text_of(path) != _UNFINISHED:
        return None
    # Until the key is in the file nobody knows it: then the next start makes another one.
    write_private(path, _UNFINISHED)
    _, key = control.create_key(found.id, role=Role.ADMIN, name="first admin key", actor=COMMAND_LINE)
    write_private(path, key + "\n")
    return key


def make_demo(services: Services) -> DemoKeys:
    """Make sure that the demo organisation exists, and return its keys. Safe to repeat, by many at once."""
    org_id = _demo_organisation(services.control).id
    if not services.control.keys_of(org_id):
        for body in (_STRICT, _LENIENT):
            with suppress(Conflict):  # an interrupted start made it, or one that goes on beside us
                services.control.create_policy(org_id, body, vendors=services.vendors, actor=COMMAND_LINE)
    path = services.settings.demo_keys_path
    if (kept := _kept_keys(services, path)) is not None:
        return kept
    keys = DemoKeys(app=_demo_key(services, org_id, Role.APP), auditor=_demo_key(services, org_id, Role.AUDITOR))
    write_private(path, msgspec.json.encode(keys).decode() + "\n")
    return keys


def _demo_organisation(control: Control) -> Organisation:
    control.refresh()
    try:
        return control.find_organisation(DEMO)
    except NotFound:
        with suppress(Conflict):
            # Its tier keeps the month of sample decisions for longer than the others would.
            return control.create_organisation(DEMO, tier="enterprise", actor=COMMAND_LINE)
    control.refresh()
    return control.find_organisation(DEMO)  # another process was quicker


def _demo_key(services: Services, org_id: str, role: Role) -> str:
    slots: tuple[int | None, tuple[int, ...]] = (1, (2,)) if role is Role.APP else (None, ())
    return services.control.create_key(
        org_id, role=role, name=f"demo {role}", policy_slot=slots[0], allowed_slots=slots[1], actor=COMMAND_LINE
    )[1]


def _kept_keys(services: Services, path: Path) -> DemoKeys | None:
    """Return the keys of an earlier start, if they are still good."""
    try:
        keys = msgspec.json.decode(_text_of(path), type=DemoKeys)
        for key in (keys.app, keys.auditor):
            services.authenticator.identify(key)
    except (msgspec.MsgspecError, Unauthenticated):
        return None
    return keys


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
