"""Who is asking, and what may they do.

An API key belongs to one organisation and has one role. The console exchanges a key, or a one-time link, for a
session cookie; a session ends with the key behind it, after its time, or by signing out.
"""

from __future__ import annotations

import hmac
import secrets
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import delete, insert, select, text

from scriba.domain.api_key import key_digest
from scriba.errors import PermissionDenied, Unauthenticated
from scriba.storage.model import Role
from scriba.storage.tables import ended_sessions, login_links

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scriba.domain.secret import Secret
    from scriba.storage.control import Control
    from scriba.storage.database import Database
    from scriba.storage.model import ApiKey

__all__ = [
    "LINK_SECONDS",
    "SESSION_SECONDS",
    "Authenticator",
    "KeyEnded",
    "KeyMissing",
    "LinkSpent",
    "Principal",
    "Sessions",
    "WrongRole",
    "api_key_of",
    "require",
]

SESSION_SECONDS: Final = 12 * 3600
"""How long a console session lasts."""

LINK_SECONDS: Final = 24 * 3600
"""How long a one-time link is good for."""

_MICROS: Final = 1_000_000
_END: Final = text("INSERT INTO ended_sessions (sha256, expires_at) VALUES (:sha256, :until) ON CONFLICT DO NOTHING")


class KeyMissing(Unauthenticated):
    """No key was sent at all."""


class KeyEnded(Unauthenticated):
    """A key that was good once.

    :param is_expired: whether its time ran out; else it was revoked
    """

    def __init__(self, key: ApiKey, *, is_expired: bool) -> None:
        says = "This API key has expired." if is_expired else "This API key was revoked."
        super().__init__(says, hint="Ask an administrator for a new one.")
        self.org_id = key.org_id
        self.key_id = key.id
        self.is_expired = is_expired


class LinkSpent(Unauthenticated):
    """A login link that opens nothing: it was used, has expired, or never was one."""


class WrongRole(PermissionDenied):
    """A good key of another role than this takes."""

    def __init__(self, principal: Principal, allowed: Iterable[Role]) -> None:
        names = " or ".join(f"`{role}`" for role in dict.fromkeys(allowed))
        super().__init__(f"A key of role `{principal.role}` may not do this; it takes {names}.")
        self.org_id = principal.org_id
        self.key_id = principal.key_id


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever a request comes from, as far as decisions and access depend on it."""

    key_id: str
    org_id: str
    org_name: str
    role: Role
    policy_slot: int | None
    allowed_slots: tuple[int, ...]
    tags: tuple[str, ...]


def api_key_of(authorization: str, x_api_key: str) -> str:
    """Return the key that a request presents in one of the two headers.

    :raises KeyMissing: it presents none
    """
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    if x_api_key:
        return x_api_key
    raise KeyMissing(
        "No API key was sent.",
        hint="Send it as `Authorization: Bearer sk_scriba_…` or as `x-api-key: sk_scriba_…`.",
    )


def require(principal: Principal, roles: Iterable[Role]) -> None:
    """Refuse whoever has none of these roles; an `admin` may do everything in its organisation.

    :raises WrongRole: naming the roles that would do
    """
    allowed = [*roles, Role.ADMIN]
    if principal.role not in allowed:
        raise WrongRole(principal, allowed)


class Authenticator:
    """Finds the principal behind a key."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def known(self, key: str) -> Principal | None:
        """Look a key up in memory; None if it is not known there, which may be because it is new.

        :raises Unauthenticated: it was revoked or has expired
        """
        found = self._control.state.keys.get(key_digest(key))
        return None if found is None else self._principal(found)

    def identify(self, key: str) -> Principal:
        """Look a key up in the newest state. Blocks: a small read of the database.

        :raises Unauthenticated: it is unknown, was revoked or has expired
        """
        self._control.refresh()
        if (principal := self.known(key)) is None:
            raise Unauthenticated(
                "This API key is not known.", hint="Check that it was copied whole; see `scriba key list`."
            )
        return principal

    def principal_of(self, key_id: str) -> Principal:
        """Return the principal of a key named by its id. Blocks like `identify`.

        :raises Unauthenticated: there is none, or it was revoked or has expired
        """
        state = self._control.refresh()
        found = next((key for key in state.keys.values() if key.id == key_id), None)
        if found is None:
            raise Unauthenticated("The key of this session is gone.", hint="Sign in again.")
        return self._principal(found)

    def _principal(self, key: ApiKey) -> Principal:
        if key.revoked_at is not None:
            raise KeyEnded(key, is_expired=False)
        if key.expires_at is not None and key.expires_at <= time.time_ns() // 1000:
            raise KeyEnded(key, is_expired=True)
        return Principal(
            key_id=key.id,
            org_id=key.org_id,
            org_name=self._control.state.organisations[key.org_id].name,
            role=key.role,
            policy_slot=key.policy_slot,
            allowed_slots=key.allowed_slots,
            tags=key.tags,
        )


class Sessions:
    """Sessions of the console: a cookie that says which key it stands for and until when, under our HMAC.

    :param secret: 32 bytes that all processes of the deployment share
    """

    def __init__(self, secret: Secret[bytes], authenticator: Authenticator, database: Database) -> None:
        self._secret = secret
        self._authenticator = authenticator
        self._database = database

    def link(self, key_id: str) -> str:
        """Make the token of a one-time link that opens a session for this key."""
        token = secrets.token_urlsafe(32)
        expires_at = _now() + LINK_SECONDS * _MICROS
        with self._database.write() as connection:
            connection.execute(delete(login_links).where(login_links.c.expires_at <= _now()))
            connection.execute(insert(login_links).values(sha256=_digest(token), key_id=key_id, expires_at=expires_at))
        return token

    def redeem(self, token: str) -> str:
        """Use up a one-time link; returns the value of the session cookie.

        :raises LinkSpent: it was used already, has expired or never was
        :raises Unauthenticated: the key behind it is not good any more
        """
        # One statement, so that of two who come at once only one gets the row.
        take = delete(login_links).where(login_links.c.sha256 == _digest(token)).returning(login_links)
        with self._database.write() as connection:
            row = connection.execute(take).one_or_none()
        if row is None or row.expires_at <= _now():
            raise LinkSpent("This link was used already or has expired.", hint="Sign in with an API key instead.")
        return self._cookie(self._authenticator.principal_of(row.key_id))

    def open(self, key: str) -> str:
        """Exchange an API key for the value of a session cookie.

        :raises Unauthenticated: the key is not good
        """
        return self._cookie(self._authenticator.identify(key))

    def principal(self, cookie: str) -> Principal:
        """Return whose session this is.

        :raises Unauthenticated: it is over, or the cookie is not ours
        """
        key_id, until = self._read(cookie)
        this = ended_sessions.c.sha256 == _digest(cookie)
        with self._database.read() as connection:
            ended = connection.execute(select(ended_sessions.c.sha256).where(this)).first() is not None
        if ended or until <= _now():
            raise _over()
        return self._authenticator.principal_of(key_id)

    def end(self, cookie: str) -> None:
        """End a session in every process, wherever its cookie was copied to. Safe to repeat.

        :raises Unauthenticated: the cookie is not ours
        """
        _, until = self._read(cookie)
        with self._database.write() as connection:
            connection.execute(delete(ended_sessions).where(ended_sessions.c.expires_at <= _now()))
            connection.execute(_END, {"sha256": _digest(cookie), "until": until})

    def csrf(self, cookie: str) -> str:
        """Return the token that a form of this session must send along with a change."""
        return self._sign(f"csrf {cookie}")

    def is_csrf(self, cookie: str, token: str) -> bool:
        """Whether a form came from a page of this session."""
        return self._signed(f"csrf {cookie}", token)

    def _read(self, cookie: str) -> tuple[str, int]:
        """Return what a cookie says: the key, and until when it stands for it."""
        key_id, _, rest = cookie.partition(".")
        until, _, signature = rest.partition(".")
        if not self._signed(f"{key_id}.{until}", signature):
            raise _over()
        return key_id, int(until)

    def _cookie(self, principal: Principal) -> str:
        text = f"{principal.key_id}.{_now() + SESSION_SECONDS * _MICROS}"
        return f"{text}.{self._sign(text)}"

    def _sign(self, text: str) -> str:
        return hmac.digest(self._secret.reveal(), text.encode(), sha256).hex()

    def _signed(self, text: str, signature: str) -> bool:
        return hmac.compare_digest(self._sign(text).encode(), signature.encode())


def _over() -> Unauthenticated:
    return Unauthenticated("The session is over.", hint="Sign in again.")


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()


def _now() -> int:
    return time.time_ns() // 1000
