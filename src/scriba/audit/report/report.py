"""A report, before it is written in any form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from scriba.audit.last_verification import LastVerification
from scriba.audit.report.evidence import Checkpoint, Purged
from scriba.audit.report.figures import Figures
from scriba.audit.report.policies import RequiredFact
from scriba.audit.report.question import Question
from scriba.domain.record import Gap

__all__ = ["Report"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a question, and what it rests on. Times are microseconds since 1970.

    `policy` is the id and name of the one policy that was asked for. `recomputed_at` is set where an earlier report was
    computed again. `verifications` are the last ones by the id of the log, and `problem` says why a head could not be
    signed. `retention_days` is how long entries are kept.
    """

    id: str
    org_id: str
    org_name: str
    generated_at: int
    recomputed_at: int | None
    question: Question
    policy: tuple[str, str] | None
    figures: Figures
    checkpoints: Sequence[Checkpoint]
    verifications: Mapping[int, LastVerification]
    gaps: Sequence[Gap]
    purged: Sequence[Purged]
    required_facts: Sequence[RequiredFact]
    retention_days: int
    problem: str
