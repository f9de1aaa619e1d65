"""The figures of a report, mapped to controls that auditors ask about.

A row says which query answers for the control and what it gave. It shows that something is recorded; whether that is
enough for the control is the auditor's judgement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

from scriba.audit.report.findings import counted
from scriba.domain.timestamp import format_timestamp, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.audit.report.report import Report

__all__ = ["Control", "controls_of"]

_AI_ACT_DAYS: Final = 183
_ENTRIES: Final = "GET /governance/audit-logs"
_REPORT: Final = "GET /governance/reports"


class Control(NamedTuple):
    """One control: the framework and its number for it, what is asked, the query that answers, what it gave."""

    framework: str
    control: str
    asks: str
    query: str
    result: str


def controls_of(report: Report) -> tuple[Control, ...]:
    """Return the rows for a report."""
    return tuple(_rows(report))


def _rows(report: Report) -> Iterator[Control]:
    logged, decided = _logged(report), _decided(report)
    entries, refused = _query(_ENTRIES, report), _query(_ENTRIES, report, allowed="false")
    by_provider = _query(_REPORT, report, groupBy="provider")
    suppliers = f"{counted(len(report.figures.providers), 'provider')} asked for. {decided}"
    yield Control("SOC 2", "CC6.1", "Access to models is restricted by rule", refused, decided)
    yield Control("SOC 2", "CC7.2", "Activity is monitored for anomalies", entries, logged)
    yield Control("SOC 2", "CC9.2", "Risks from vendors are managed", by_provider, suppliers)
    yield Control("ISO/IEC 42001", "A.6.2.8", "Event logs of the AI system are kept", entries, logged)
    yield Control("ISO/IEC 42001", "A.10.3", "Suppliers fit the organisation's own demands", by_provider, suppliers)
    yield Control("NIST AI RMF", "GOVERN 6.1", "Policies cover third parties", by_provider, suppliers)
    yield Control("NIST AI RMF", "MEASURE 2.8", "Accountability is documented", entries, logged)
    yield Control("NIST AI RMF", "MANAGE 4.1", "Systems in use are monitored", refused, decided)
    yield Control("HIPAA", "§164.312(b)", "Activity is recorded and can be examined", entries, logged)
    yield Control("EU AI Act", "Art. 12", "Events are recorded automatically", entries, logged)
    yield Control("EU AI Act", "Art. 19", "Providers keep the logs for six months", _QUERY_KEEPING, _kept(report))
    yield Control("EU AI Act", "Art. 26(6)", "Deployers keep the logs for six months", _QUERY_KEEPING, _kept(report))


_QUERY_KEEPING: Final = "GET /governance/retention"


def _query(path: str, report: Report, **more: str) -> str:
    """Write the query with the filters of the report."""
    period = report.question.period
    bounds = {"startDate": format_timestamp(period.start), "endDate": _end(period.end)}
    given = {**report.question.given, **{name: (value,) for name, value in {**bounds, **more}.items()}}
    return f"{path}?{urlencode(given, doseq=True, safe=':')}"


def _end(end: int) -> str:
    """Write the exclusive end; the one that no timestamp can say is the last day's end."""
    return "9999-12-31" if end >= _NEVER else format_timestamp(end)


_NEVER: Final = 253_402_300_800_000_000


def _logged(report: Report) -> str:
    attempts = report.figures.entries.requests
    gaps = f"{counted(len(report.gaps), 'gap')} in the log" if report.gaps else "no gap in the log"
    return f"{counted(attempts, 'entry').replace('entrys', 'entries')}, {gaps}; {_verified(report)}."


def _verified(report: Report) -> str:
    last = report.verifications.get(report.checkpoints[0].log_id) if report.checkpoints else None
    if last is None:
        return "not verified yet"
    found = counted(last.count, "fault") if last.count else "nothing"
    return f"verified on {spoken(last.verified_at)}, which found {found}"


def _decided(report: Report) -> str:
    total = report.figures.total
    parts = [f"{total.blocked:,} of {counted(total.requests)} refused", f"{total.warned:,} warned"]
    if total.rerouted:
        parts.append(f"{total.rerouted:,} rerouted")
    if total.defied:
        parts.append(f"{total.defied:,} let through in spite of a hard block")
    return ", ".join(parts) + "."


def _kept(report: Report) -> str:
    days = report.retention_days
    verdict = "as long as six months" if days >= _AI_ACT_DAYS else "shorter than six months unless exported or archived"
    return f"Entries are kept for {counted(days, 'day')}: {verdict}."
