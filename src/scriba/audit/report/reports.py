"""Makes reports, and makes them again.

A report is computed at a checkpoint: the heads of the logs are signed first, and every figure counts the records
before them, in one snapshot of the database. Its question and its checkpoints are kept under its id, nothing else; as
logs only grow, the same figures come out later.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import insert, select

from scriba.audit.report.evidence import LOGS, Checkpoint, read_checkpoints, read_gaps, read_purged
from scriba.audit.report.figures import read_figures
from scriba.audit.report.policies import key_names, policy_names, read_required_facts, require_policy
from scriba.audit.report.question import GroupBy, encode_question, read_question
from scriba.audit.report.report import Report
from scriba.audit.span import read_spans
from scriba.domain.buckets import buckets_of
from scriba.domain.filter import check_text
from scriba.domain.ids import mint_id
from scriba.domain.period import DAY
from scriba.errors import IntegrityError, InvalidInput, NotFound
from scriba.storage.control_rows import organisation_of
from scriba.storage.model import LogId, LogName
from scriba.storage.tables import logs, organisations, records, reports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from scriba.audit.last_verification import Verifications
    from scriba.audit.report.question import Question
    from scriba.audit.span import Span
    from scriba.storage.store import SignedHead, Store

__all__ = ["MAX_UNVERIFIED", "Reports"]

MAX_UNVERIFIED: Final = 65_535
"""Records that a report verifies itself; more of them are left to `scriba verify`."""

_encode: Final = msgspec.json.Encoder().encode
_decode_checkpoints: Final = msgspec.json.Decoder(tuple[Checkpoint, ...]).decode


class Reports:
    """The reports of one deployment. Threads may share it. All methods raise `StoreUnreachable` if it is not there.

    :param verifications: of the same store
    :param verifies: whether a report verifies what is new by itself; who has just done so does not need it
    """

    def __init__(self, store: Store, verifications: Verifications, *, verifies: bool = True) -> None:
        self._verifies = verifies
        self._store = store
        self._database = store.database
        self._verifications = verifications

    def ask(self, org_id: str, question: Question) -> Report:
        """Answer a question with the logs as they are now, and keep it.

        :raises InvalidInput: the answer would have too many groups or buckets
        :raises NotFound: there is no such policy
        """
        signed, problem = self._sign(org_id)
        if self._verifies:
            self._verifications.verify_newer(org_id, MAX_UNVERIFIED)
        with self._database.read() as connection:
            checkpoints = read_checkpoints(connection, org_id, signed)
            question = self._settle(connection, question, _bounded(read_spans(connection, org_id), checkpoints))
            now = time.time_ns() // 1000
            report = self._answer(
                connection,
                report_id=mint_id("rpt", now),
                org_id=org_id,
                question=question,
                checkpoints=checkpoints,
                generated_at=now,
                problem=problem,
            )
        with self._database.write() as connection:
            connection.execute(
                insert(reports).values(
                    id=report.id,
                    org_id=org_id,
                    created_at=now,
                    question=encode_question(question),
                    checkpoints=_encode(checkpoints).decode(),
                )
            )
        return report

    def again(self, org_id: str, report_id: str) -> Report:
        """Compute a report again, at the checkpoints that it was computed at.

        :raises NotFound: the organisation has no such report
        """
        missing = NotFound(f"There is no report {report_id!r}.", param="id")
        try:
            check_text(report_id, "id")
        except InvalidInput:
            raise missing from None
        this = (reports.c.id == report_id) & (reports.c.org_id == org_id)
        with self._database.read() as connection:
            row = connection.execute(select(reports).where(this)).one_or_none()
            if row is None:
                raise missing
            checkpoints = _decode_checkpoints(row.checkpoints)
            report = self._answer(
                connection,
                report_id=row.id,
                org_id=org_id,
                question=read_question(row.question),
                checkpoints=checkpoints,
                generated_at=row.created_at,
                problem=_lost(connection, checkpoints),
            )
        return msgspec.structs.replace(report, recomputed_at=time.time_ns() // 1000)

    def _sign(self, org_id: str) -> tuple[Mapping[str, SignedHead], str]:
        """Sign the heads; what is wrong with them is no reason to write no report."""
        try:
            heads = self._store.sign_heads([LogId(org_id, log) for log in LOGS])
        except IntegrityError as error:
            return {}, f"The log could not be signed: {error}"
        return {head.origin: head for head in heads.values()}, ""

    def _settle(self, connection: Connection, question: Question, spans: Sequence[Span]) -> Question:
        """Give a question without a start the day of the oldest entry; without any entry, its last day."""
        if question.start is not None:
            return question
        first = [_oldest(connection, span) for span in spans]
        oldest = min((moment for moment in first if moment is not None), default=question.end)
        settled = msgspec.structs.replace(question, start=max(0, min(oldest, question.end - 1)) // DAY * DAY)
        if settled.granularity is not None:
            buckets_of(settled.period, settled.granularity)
        return settled

    def _answer(
        self,
        connection: Connection,
        *,
        report_id: str,
        org_id: str,
        question: Question,
        checkpoints: Sequence[Checkpoint],
        generated_at: int,
        problem: str,
    ) -> Report:
        dialect = self._database.dialect
        spans = _bounded(read_spans(connection, org_id), checkpoints)
        names = policy_names(connection, org_id)
        asked = question.filters().policy_ids
        told = [(one, require_policy(connection, dialect, spans, names, one)) for one in asked]
        of_groups = {GroupBy.POLICY: names, GroupBy.API_KEY: key_names(connection, org_id)}
        named = of_groups.get(question.group_by, {}) if question.group_by else {}
        figures = read_figures(connection, dialect, spans, question, named)
        organisation = organisation_of(
            connection.execute(select(organisations).where(organisations.c.id == org_id)).one()
        )
        return Report(
            id=report_id,
            org_id=org_id,
            org_name=organisation.name,
            generated_at=generated_at,
            recomputed_at=None,
            question=question,
            policy=told[0] if len(told) == 1 else None,
            figures=figures,
            checkpoints=checkpoints,
            verifications=self._verifications.last(connection, [one.log_id for one in checkpoints]),
            gaps=read_gaps(connection, checkpoints, question.period),
            purged=read_purged(connection, checkpoints, question.period),
            required_facts=read_required_facts(connection, org_id, figures.served),
            retention_days=organisation.retention,
            problem=problem,
        )


def _bounded(spans: Sequence[Span], checkpoints: Sequence[Checkpoint]) -> tuple[Span, ...]:
    """Cut the logs off at the checkpoints; a log that is younger than all of them is left out."""
    sizes = {one.log_id: one.tree_size for one in checkpoints}
    return tuple(msgspec.structs.replace(span, size=sizes[span.log_id]) for span in spans if span.log_id in sizes)


def _oldest(connection: Connection, span: Span) -> int | None:
    this = (records.c.log_id == span.log_id) & (records.c.type == "decision") & (records.c.seq >= span.first_seq)
    return connection.execute(
        select(records.c.timestamp).where(this).order_by(records.c.timestamp).limit(1)
    ).scalar_one_or_none()


def _lost(connection: Connection, checkpoints: Sequence[Checkpoint]) -> str:
    """Say so if a log has become smaller than it was signed."""
    this = logs.c.id.in_([one.log_id for one in checkpoints])
    sizes = {row.id: row.size for row in connection.execute(select(logs.c.id, logs.c.size).where(this))}
    for one in checkpoints:
        if sizes.get(one.log_id, 0) < one.tree_size:
            return f"The log {LogName(one.log)} is smaller now than its checkpoint of {one.tree_size} records."
    return ""
