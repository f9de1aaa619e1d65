"""What the ways in (API, console) work with, made once by `scriba.bootstrap`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scriba.access_failures import AccessFailures
    from scriba.audit.last_verification import Verifications
    from scriba.audit.query import AuditLog
    from scriba.audit.report.reports import Reports
    from scriba.audit.schedule import Housekeeping
    from scriba.audit.watch import LogWatch
    from scriba.auth import Authenticator, Sessions
    from scriba.delivery.webhooks import Webhooks
    from scriba.policy.engine import DecisionPoint
    from scriba.policy.vendors import Vendors
    from scriba.settings import Settings
    from scriba.storage.control import Control
    from scriba.storage.store import Store

__all__ = ["Services"]


@dataclass(frozen=True, slots=True)
class Services:
    """One deployment, ready to be asked. All of it may be shared between threads."""

    settings: Settings
    store: Store
    control: Control
    authenticator: Authenticator
    access_failures: AccessFailures
    sessions: Sessions
    audit_log: AuditLog
    log_watch: LogWatch
    verifications: Verifications
    reports: Reports
    housekeeping: Housekeeping
    webhooks: Webhooks
    decision_point: DecisionPoint
    vendors: Vendors
