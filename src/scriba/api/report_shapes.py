"""The shape of a report, for the OpenAPI document alone."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from scriba.api.shapes import Time
from scriba.audit.report.policies import RequiredFact
from scriba.audit.report.question import GroupBy
from scriba.domain.buckets import Granularity

__all__ = ["ReportAnswer"]

Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class ReportPeriod(msgspec.Struct):
    """First and last second, both included."""

    start: Time
    end: Time


class ReportPolicy(msgspec.Struct):
    """The one policy that was asked for."""

    id: str
    name: str


class ReportSummary(msgspec.Struct, rename="camel"):
    """Counts of requests; `attempts` counts entries. The rate is per cent, rounded down to two decimals."""

    total_requests: Count
    allowed_requests: Count
    blocked_requests: Count
    warned_requests: Count
    compliance_rate: float | None
    rerouted_requests: Count
    defied_requests: Count
    attempts: Count


class ReportProvider(msgspec.Struct):
    """What became of the requests that asked for a provider."""

    requests: Count
    allowed: Count
    blocked: Count


class ReportBlocked(msgspec.Struct, rename="camel", omit_defaults=True):
    """A refused request, with short reasons."""

    timestamp: Time
    request_id: str
    model: str
    reasons: list[str]
    ip_address: str = ""


class ReportGroup(ReportProvider):
    """Requests that have something in common; null if they lack it."""

    key: str | None
    name: str | None
    warned: Count


class ReportBucket(ReportProvider):
    """A part of the period; `end` does not belong to it."""

    start: Time
    end: Time | None
    warned: Count


class ChosenPeriod(msgspec.Struct, rename="camel"):
    """How the period was chosen, and the first moment after it."""

    end_exclusive: Time | None
    is_: str = msgspec.field(name="is")


class ReportVerification(msgspec.Struct, rename="camel"):
    """How far a log was verified when that was last done, and what was found."""

    log: str
    tree_size: Count
    verified_to: Count | None
    verified_at: Time | None
    findings: list[str]


class ReportGap(msgspec.Struct):
    """A span in which requests were let through without being logged."""

    to: Time
    count: int | None
    reason: str
    from_: Time = msgspec.field(name="from")


class ReportPurged(msgspec.Struct, rename="camel"):
    """A log from which retention has removed entries, and from when on it is complete."""

    log: str
    complete_from: Time


class ReportControl(msgspec.Struct):
    """A control that auditors ask about, with the query that answers for it."""

    framework: str
    control: str
    asks: str
    query: str
    result: str


class ReportCheckpoint(msgspec.Struct, rename="camel"):
    """Where a log stood, and the signed note that says so."""

    log: str
    origin: str
    tree_size: Count
    root_hash: str
    note: str | None


class Report(msgspec.Struct, rename="camel", omit_defaults=True):
    """What became of the requests of a period."""

    id: str
    generated_at: Time
    period: ReportPeriod
    summary: ReportSummary
    provider_breakdown: dict[str, ReportProvider]
    blocked_requests: list[ReportBlocked]
    compliance_status: Literal["COMPLIANT", "COMPLIANT_WITH_WARNINGS", "NON_COMPLIANT"]
    blocked_requests_truncated: bool
    findings: list[str]
    chosen_period: ChosenPeriod
    filters: dict[str, list[str]]
    verified_to: Count | None
    verified_at: Time | None
    verification: list[ReportVerification]
    gaps: list[ReportGap]
    purged: list[ReportPurged]
    required_facts: list[RequiredFact]
    controls: list[ReportControl]
    checkpoint: ReportCheckpoint | None
    further_checkpoints: list[ReportCheckpoint]
    policy: ReportPolicy | msgspec.UnsetType = msgspec.UNSET
    group_by: GroupBy | msgspec.UnsetType = msgspec.UNSET
    groups: list[ReportGroup] | msgspec.UnsetType = msgspec.UNSET
    granularity: Granularity | msgspec.UnsetType = msgspec.UNSET
    series: list[ReportBucket] | msgspec.UnsetType = msgspec.UNSET
    recomputed_at: Time | msgspec.UnsetType = msgspec.UNSET


class ReportAnswer(msgspec.Struct):
    """A report."""

    report: Report
