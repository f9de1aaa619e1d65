"""Whether the log shows that policy was kept, and why, in sentences."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from scriba.audit.report.policies import FACTS
from scriba.domain.timestamp import spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scriba.audit.report.evidence import Checkpoint
    from scriba.audit.report.report import Report

__all__ = ["Assessment", "Status", "assess", "counted"]


class Status(StrEnum):
    """What a report comes to."""

    COMPLIANT = "COMPLIANT"
    WARNINGS = "COMPLIANT_WITH_WARNINGS"
    NON_COMPLIANT = "NON_COMPLIANT"


class Assessment(NamedTuple):
    """The status, and the sentences that it follows from; the weightiest first."""

    status: Status
    findings: tuple[str, ...]


def assess(report: Report) -> Assessment:
    """Judge a report.

    Every attempt counts here, not only the last one of a request: what reached a provider has reached it.
    """
    breaches, warnings = tuple(_breaches(report)), tuple(_warnings(report))
    status = Status.NON_COMPLIANT if breaches else Status.WARNINGS if warnings else Status.COMPLIANT
    return Assessment(status, (*breaches, *warnings, *_remarks(report)))


def counted(number: int, noun: str = "request") -> str:
    """Write a number with its noun: `1 request`, `15,420 requests`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _breaches(report: Report) -> Iterator[str]:
    defied = report.figures.entries.defied
    if defied:
        yield f"{counted(defied)} reached a provider in spite of a hard block."
    if report.problem:
        yield report.problem
    for one in report.checkpoints:
        last = report.verifications.get(one.log_id)
        if last is None or not last.count:
            continue
        yield (
            f"The verification of {_name(one)} on {spoken(last.verified_at)} found "
            f"{counted(last.count, 'fault')}: {' '.join(last.findings)}"
        )
    for gap in report.gaps:
        many = counted(gap.count) if gap.count else "Requests"
        verb = "was" if gap.count == 1 else "were"
        yield (
            f"{many} {verb} let through without being logged between {spoken(gap.start)} and "
            f"{spoken(gap.end)}: {gap.reason}"
        )


def _warnings(report: Report) -> Iterator[str]:
    warned = report.figures.entries.warned
    if warned:
        yield f"{counted(warned)} broke the policy and reached a provider, with a warning."
    for one in report.checkpoints:
        if one.note and one.tree_size > 1 and one.log_id not in report.verifications:
            yield f"{_name(one)} has never been verified; `scriba verify` does it."


def _remarks(report: Report) -> Iterator[str]:
    figures = report.figures
    if report.question.end > report.generated_at:
        yield f"The period was not over on {spoken(report.generated_at)}: what is logged later is not counted."
    if not figures.total.requests:
        yield "There was no request in this period."
    elif not figures.entries.warned and not figures.entries.defied:
        yield "No request that broke its policy reached a provider."
    if figures.total.rerouted:
        yield f"{counted(figures.total.rerouted)} went to another provider than was asked for, one that complies."
    yield from _verified(report)
    for purged in report.purged:
        which = "log" if purged.log == "requests" else "log of imports"
        yield (
            f"Retention has removed what was logged before {spoken(purged.until)}: "
            f"the {which} is complete from then on."
        )
    for fact in report.required_facts:
        yield (
            f"The policy {fact.policy_name!r} requires {FACTS[fact.fact]} of {', '.join(fact.providers)}: available by "
            "the catalogue only, nobody has attested that it was agreed."
        )


def _verified(report: Report) -> Iterator[str]:
    for one in report.checkpoints:
        last = report.verifications.get(one.log_id)
        if last is None or last.count:
            continue
        newer = one.tree_size - last.size
        rest = f"; {counted(newer, 'newer record')} not yet" if newer > 0 else ""
        upto = counted(min(last.size, one.tree_size), "record")
        yield f"{_name(one)} was verified on {spoken(last.verified_at)}, {upto}{rest}."


def _name(checkpoint: Checkpoint) -> str:
    return f"The log {checkpoint.log}"
