"""What is exported and imported elsewhere is the same, whatever is in it."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scriba.audit.export import FORMATS, export_chunks
from scriba.audit.foreign import Form
from scriba.audit.imports import Importer
from scriba.audit.ingest import Ingest, Teller
from scriba.audit.query import AuditLog
from scriba.audit.source import pieces_of, read_batches
from scriba.audit.table import COLUMN_NAMES
from scriba.domain.record import Enforcement, Operation
from scriba.storage.model import COMMAND_LINE

if TYPE_CHECKING:
    from tests.stores import OpenStore

    from scriba.audit.entry import Entry

LOGGABLE = st.characters(codec="utf-8", min_codepoint=32, exclude_categories=["Cs"], exclude_characters="\x7f")
HOSTILE = st.sampled_from(
    ["=1+1", "'=x", "''@", "'", "a; b", "; ", "[", '["a"]', "-", "+1", "@x", '"', '""', ",", "\u2028", " a ", "null"]
)
texts = HOSTILE | st.text(LOGGABLE, min_size=1, max_size=12)
lists = st.lists(texts, max_size=3, unique=True)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw from the strategy, or nothing."""
    return st.none() | strategy


told = st.fixed_dictionaries(
    {
        "model": texts,
        "allowed": st.booleans(),
        "policyId": texts,
        "policyName": texts,
        "enforcement": st.sampled_from([str(one) for one in Enforcement]),
    },
    optional={
        "id": optional(texts),
        "requestId": optional(texts),
        "provider": optional(texts),
        "policySlot": optional(st.integers(1, 12)),
        "violationReasons": optional(lists),
        "apiKeyId": optional(texts),
        "ipAddress": optional(texts),
        "userAgent": optional(texts),
        "requestedProvider": optional(texts),
        "policyVersion": optional(st.integers(1, 2**53 - 1)),
        "operation": optional(st.sampled_from([str(one) for one in Operation])),
        "canonicalModel": optional(texts),
        "upstreamModel": optional(texts),
        "attempt": optional(st.integers(1, 9)),
        "clientRequestId": optional(texts),
        "requestSha256": optional(texts),
        "tags": optional(lists),
        "user": optional(texts),
    },
)


@pytest.mark.parametrize("kind", ["ndjson", "json", "csv"])
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(entries=st.lists(told, min_size=1, max_size=4), again=st.booleans())
def test_what_was_exported_comes_back_the_same(
    sqlite_store: OpenStore, kind: str, entries: list[dict[str, Any]], *, again: bool
) -> None:
    """Promise: all but the place in the log, the organisation and the way it came; once and again."""
    control, store = sqlite_store.control, sqlite_store.store
    number = len(control.refresh().organisations)
    source, target = (
        control.create_organisation(f"{name}-{number}", actor=COMMAND_LINE).id for name in ("source", "target")
    )
    Ingest(store).write(Teller(source), entries)
    log = AuditLog(store.database)
    exported = b"".join(export_chunks(log.export(source), FORMATS[kind], [*COLUMN_NAMES]))
    bring_in(store, target, exported)
    if again:
        bring_in(store, target, exported)
    assert sorted(map(content, listed(log, target))) == sorted(map(content, listed(log, source)))


def bring_in(store: Any, org_id: str, exported: bytes) -> None:
    """Import a file as the command does, in batches of two."""
    alike: Counter[bytes] = Counter()
    for batch in read_batches(pieces_of(BytesIO(exported), Form.SCRIBA), 2):
        result = Importer(store).import_entries(org_id, batch.entries(), batch.sha256, alike=alike)
        assert result.refused == ()


def listed(log: AuditLog, org_id: str) -> list[Entry]:
    """Return all entries of an organisation."""
    return [entry for chunk in log.export(org_id).chunks for entry in chunk]


def content(entry: Entry) -> bytes:
    """Write an entry down without what an import cannot keep."""
    kept = msgspec.structs.replace(entry, log="", seq=0, org_id="", source="", occurred_at=None)
    return msgspec.json.encode(kept)
