"""Every error Scriba raises on purpose.

::

    ScribaError
    ├── RequestError          somebody asked for something that cannot be done
    │   ├── InvalidInput          400  names the field and what is allowed
    │   ├── Unauthenticated       401  no key, unknown key, revoked or expired key
    │   ├── PermissionDenied      403  the key's role may not do this
    │   ├── NotFound              404  also for what belongs to somebody else
    │   ├── Conflict              409
    │   ├── BodyTooLarge          413
    │   └── UnsupportedMedia      415
    ├── Unavailable           503  try again later
    │   ├── LogUnavailable        the log cannot be written, nothing was forwarded
    │   └── StoreUnreachable      the database does not answer
    ├── SettingsError         the program must not start like this
    └── IntegrityError        what is stored is not what was written

`code` is stable and machine readable, `hint` says what the reader can do. The API, the gateway and
the command line each render an error in one place.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "BodyTooLarge",
    "Conflict",
    "IntegrityError",
    "InvalidInput",
    "LogUnavailable",
    "NotFound",
    "PermissionDenied",
    "RequestError",
    "ScribaError",
    "SettingsError",
    "StoreUnreachable",
    "Unauthenticated",
    "Unavailable",
    "UnsupportedMedia",
]


class ScribaError(Exception):
    """Base of the tree.

    :param message: what happened, as a sentence for the person who has to act on it
    :param param: the field, parameter or setting at fault, if there is one
    :param hint: what to do about it
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500

    def __init__(self, message: str, *, param: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class RequestError(ScribaError):
    """A request that cannot be carried out as it was sent."""

    code = "invalid_request"
    status = 400


class InvalidInput(RequestError):
    """A value that is not allowed; `param` names it, the message says what is."""


class Unauthenticated(RequestError):
    """No key, or one that is unknown, revoked or expired."""

    code = "invalid_api_key"
    status = 401


class PermissionDenied(RequestError):
    """A good key whose role or settings do not allow this."""

    code = "permission_denied"
    status = 403


class NotFound(RequestError):
    """Nothing with this id in the caller's organisation."""

    code = "not_found"
    status = 404


class Conflict(RequestError):
    """The request contradicts something that exists."""

    code = "conflict"
    status = 409


class BodyTooLarge(RequestError):
    """The request body is over the limit."""

    code = "body_too_large"
    status = 413


class UnsupportedMedia(RequestError):
    """The body is of a type or an encoding that is not read here."""

    code = "unsupported_media_type"
    status = 415


class Unavailable(ScribaError):
    """Cannot be done now; `retry_after` is in seconds and at most 60."""

    code = "unavailable"
    status = 503
    retry_after: int = 5


class LogUnavailable(Unavailable):
    """The log cannot be written, so nothing was forwarded."""

    code = "log_unavailable"


class StoreUnreachable(Unavailable):
    """The database does not answer."""

    code = "database_unreachable"


class SettingsError(ScribaError):
    """A setting that is unknown, malformed or contradicts what is stored. Stops the start."""

    code = "invalid_settings"


class IntegrityError(ScribaError):
    """Stored data is not what Scriba wrote: tampering, a rollback, or a lost secret or guard."""

    code = "integrity_failed"
