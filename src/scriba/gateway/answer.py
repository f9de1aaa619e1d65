"""Errors as answers: what stands in them, whatever the dialect."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec

from scriba.errors import ScribaError, Unavailable

if TYPE_CHECKING:
    from scriba.gateway.exchange import Exchange

__all__ = ["MethodNotAllowedError", "Problem", "UpstreamConnectionError", "UpstreamTimeoutError", "problem_of"]

MAX_RETRY_AFTER: Final = 60
"""Seconds; the usual clients ignore a longer wait."""


class UpstreamConnectionError(ScribaError):
    """The provider could not be reached, or broke the connection before it answered."""

    code = "upstream_unreachable"
    status = 502


class UpstreamTimeoutError(ScribaError):
    """The provider did not answer in time."""

    code = "upstream_timeout"
    status = 504


class MethodNotAllowedError(ScribaError):
    """A path of the gateway, asked for by another method than it has."""

    code = "method_not_allowed"
    status = 405


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One error answer.

    :param kind: the `type` in the answer; empty for the dialect's own word for this status
    :param retry_after: seconds, for those that may try again
    :param audit_url: address of the entry in the console
    :param violations: the reasons of the policy
    """

    status: int
    code: str
    message: str
    param: str | None = None
    kind: str = ""
    retry_after: int | None = None
    request_id: str
    audit_id: str = ""
    audit_url: str = ""
    policy_id: str = ""
    policy_name: str = ""
    violations: tuple[str, ...] = ()

    def facts(self) -> dict[str, object]:
        """Return what Scriba adds to the dialect's own members of an error."""
        facts = {
            "requestId": self.request_id,
            "auditId": self.audit_id,
            "auditUrl": self.audit_url,
            "policyId": self.policy_id,
            "policyName": self.policy_name,
            "violations": self.violations,
        }
        return {name: value for name, value in facts.items() if value}

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return what tells the usual clients how to read the answer, and whether and when to try again."""
        headers = [(b"content-type", b"application/json")]
        if self.retry_after is not None:
            headers.append((b"retry-after", str(min(self.retry_after, MAX_RETRY_AFTER)).encode()))
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers.append((b"www-authenticate", b"Bearer"))
        if self.status in {HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT}:
            headers.append((b"x-should-retry", b"false"))
        return headers


def problem_of(error: ScribaError, exchange: Exchange) -> Problem:
    """Return the answer to an error, which names the entry if one was written."""
    return Problem(
        status=error.status,
        code=error.code,
        message=str(error),
        param=error.param,
        retry_after=error.retry_after if isinstance(error, Unavailable) else None,
        request_id=exchange.request_id,
        audit_id=exchange.audit_id,
        audit_url=exchange.audit_url,
    )
