"""A report as JSON: first the fields of the public contract, in its order, then ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from scriba.audit.report.controls import controls_of
from scriba.audit.report.findings import assess
from scriba.domain.timestamp import MAX_MICROS, format_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.audit.report.evidence import Checkpoint
    from scriba.audit.report.figures import Blocked, Group, Tally
    from scriba.audit.report.report import Report

__all__ = ["UNKNOWN", "exclusive_end", "report_fields", "report_json"]

UNKNOWN = "unknown"
"""Under `providerBreakdown`: the requests that no provider could be found for."""

_SAID = {
    "period": "the period that was asked for",
    "dates": "the dates that were asked for",
    "default": "none was asked for: the current month (UTC) until now",
}


def report_json(report: Report) -> bytes:
    """Write a report."""
    return msgspec.json.encode({"report": report_fields(report)})


def report_fields(report: Report) -> dict[str, object]:
    """Return the fields of a report."""
    question, figures = report.question, report.figures
    assessment = assess(report)
    return {
        "id": report.id,
        "generatedAt": format_timestamp(report.generated_at),
        "period": {
            "start": format_timestamp(question.period.start),
            "end": format_timestamp(question.period.last_second),
        },
        **({"policy": dict(zip(("id", "name"), report.policy, strict=True))} if report.policy else {}),
        "summary": {
            "totalRequests": figures.total.requests,
            "allowedRequests": figures.total.allowed,
            "blockedRequests": figures.total.blocked,
            "warnedRequests": figures.total.warned,
            "complianceRate": figures.total.rate,
            "reroutedRequests": figures.total.rerouted,
            "defiedRequests": figures.total.defied,
            "attempts": figures.entries.requests,
        },
        "providerBreakdown": _breakdown(report),
        "blockedRequests": [_blocked(one) for one in figures.blocked],
        "complianceStatus": assessment.status,
        "blockedRequestsTruncated": figures.is_truncated,
        "findings": assessment.findings,
        **(
            {"groupBy": question.group_by, "groups": list(map(_group, figures.groups))}
            if figures.groups is not None
            else {}
        ),
        **(
            {"granularity": question.granularity, "series": list(_series(report))} if figures.series is not None else {}
        ),
        "chosenPeriod": {"endExclusive": exclusive_end(question.period.end), "is": _SAID[question.said]},
        "filters": question.given,
        **_verification(report),
        "gaps": [
            {
                "from": format_timestamp(gap.start),
                "to": format_timestamp(gap.end),
                "count": gap.count,
                "reason": gap.reason,
            }
            for gap in report.gaps
        ],
        "purged": [{"log": purged.log, "completeFrom": format_timestamp(purged.until)} for purged in report.purged],
        "requiredFacts": report.required_facts,
        "controls": [control._asdict() for control in controls_of(report)],
        **_checkpoints(report),
        **({"recomputedAt": format_timestamp(report.recomputed_at)} if report.recomputed_at is not None else {}),
    }


def exclusive_end(end: int) -> str | None:
    """Write the first moment after a span; null after the last moment that can be written."""
    return None if end > MAX_MICROS else format_timestamp(end)


def _breakdown(report: Report) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for group in report.figures.providers:
        counts = _counts(group.tally)
        del counts["warned"]
        # A provider may really be called as those are that have none.
        known = found.setdefault(group.key or UNKNOWN, dict.fromkeys(counts, 0))
        known.update({name: known[name] + count for name, count in counts.items()})
    return dict(sorted(found.items(), key=lambda item: -item[1]["requests"]))


def _counts(tally: Tally) -> dict[str, int]:
    return {"requests": tally.requests, "allowed": tally.allowed, "blocked": tally.blocked, "warned": tally.warned}


def _group(group: Group) -> dict[str, object]:
    return {"key": group.key, "name": group.name, **_counts(group.tally)}


def _series(report: Report) -> Iterator[dict[str, object]]:
    for bucket, tally in report.figures.series or ():
        start, end = bucket.period
        yield {"start": format_timestamp(start), "end": exclusive_end(end), **_counts(tally)}


def _blocked(one: Blocked) -> dict[str, object]:
    fields: dict[str, object] = {
        "timestamp": format_timestamp(one.timestamp),
        "requestId": one.request_id,
        "model": one.model,
        "reasons": one.reasons,
    }
    return fields if one.ip_address is None else {**fields, "ipAddress": one.ip_address}


def _verification(report: Report) -> dict[str, object]:
    """Say how far each log was verified; what stands outside is about the log `requests`."""
    rows = []
    for one in report.checkpoints:
        last = report.verifications.get(one.log_id)
        rows.append(
            {
                "log": one.log,
                "treeSize": one.tree_size,
                "verifiedTo": None if last is None else min(last.size, one.tree_size),
                "verifiedAt": None if last is None else format_timestamp(last.verified_at),
                "findings": () if last is None else last.findings,
            }
        )
    first = rows[0] if rows else {"verifiedTo": None, "verifiedAt": None}
    return {"verifiedTo": first["verifiedTo"], "verifiedAt": first["verifiedAt"], "verification": rows}


def _checkpoints(report: Report) -> dict[str, object]:
    rows = [_checkpoint(one) for one in report.checkpoints]
    return {"checkpoint": rows[0] if rows else None, "furtherCheckpoints": rows[1:]}


def _checkpoint(one: Checkpoint) -> dict[str, object]:
    return {
        "log": one.log,
        "origin": one.origin,
        "treeSize": one.tree_size,
        "rootHash": one.root_hash,
        "note": one.note or None,
    }
