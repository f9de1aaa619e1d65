"""Entries as files."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.wildcards import HOSTILE

from scriba.audit.entry import Entry, EntryOutcome
from scriba.audit.export import FORMATS, entry_chunks, file_name, json_chunks, parse_format
from scriba.audit.query import Export
from scriba.audit.table import COLUMN_NAMES, csv_chunks, parse_columns
from scriba.domain.filter import parse_filters
from scriba.errors import InvalidInput

PLAIN: dict[str, Any] = {
    "id": "audit_1",
    "request_id": "req_1",
    "timestamp": "2025-01-10T14:30:00Z",
    "model": "gpt-4o",
    "provider": "openai",
    "policy_id": "gpol_1",
    "policy_name": "Production",
    "allowed": True,
    "enforcement": "hard_block",
    "org_id": "org_1",
    "log": "requests",
    "seq": 1,
    "source": "gateway",
}


def line_of(**fields: Any) -> str:
    """Return the line of an entry like `PLAIN`, without its end."""
    _, lines = csv_chunks([[Entry(**PLAIN | fields)]])
    assert lines.endswith(b"\n")
    return lines.decode().removesuffix("\n")


def test_header() -> None:
    """A file without entries is its header."""
    header = b"".join(csv_chunks([]))
    assert header == b"id,timestamp,request_id,model,provider,policy_name,allowed,enforcement,violations\n"


def test_a_plain_line() -> None:
    """Nothing is quoted without need."""
    assert line_of() == "audit_1,2025-01-10T14:30:00Z,req_1,gpt-4o,openai,Production,true,hard_block,"


@pytest.mark.parametrize(
    ("reasons", "cell"),
    [
        (("Provider 'deepseek' is China-based and blocked by policy",), '"China-based provider blocked"'),
        (("Model 'm' is on the policy's blocklist", "told elsewhere"), '"Model on blocklist; told elsewhere"'),
        (('a "quoted" reason',), '"a ""quoted"" reason"'),
        (("=cmd()",), '"\'=cmd()"'),
    ],
)
def test_violations(reasons: tuple[str, ...], cell: str) -> None:
    """Violations are short, joined by a semicolon, and quoted whenever there are any."""
    assert line_of(allowed=False, provider=None, violation_reasons=reasons).endswith(
        f",,Production,false,hard_block,{cell}"
    )


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("a,b", '"a,b"'),
        ('say "x"', '"say ""x"""'),
        ("=1+1", "'=1+1"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20SUM(A1)", "'\uff20SUM(A1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@sum", "'@sum"),
        ("\t=1", "'\t=1"),
        ("\r=1", '"\'\r=1"'),
        ("=a,b", '"\'=a,b"'),
        ("a=1", "a=1"),
        ("two\nlines", '"two\nlines"'),
        ("", ""),
    ],
)
def test_cells(text: str, cell: str) -> None:
    """What would break the file is quoted; what a spreadsheet would run is defused."""
    assert f",{cell},openai," in line_of(model=text)


@given(st.lists(st.fixed_dictionaries({"model": HOSTILE, "provider": HOSTILE, "policy_name": HOSTILE}), max_size=5))
def test_any_reader_reads_it_back(rows: list[dict[str, str]]) -> None:
    """Whatever models, providers and policies are called, a CSV reader finds as many lines and the same cells."""
    entries = [Entry(**PLAIN | row) for row in rows]
    text = b"".join(csv_chunks([entries])).decode()
    read = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    expected = [{name: _defused(text) for name, text in row.items()} for row in rows]
    assert [{name: line[name] for name in row} for line, row in zip(read, rows, strict=True)] == expected


def _defused(text: str) -> str:
    return f"'{text}" if text[:1] in tuple("=+-@\t\r") else text


@pytest.mark.parametrize("sizes", [[], [1], [2, 1], [1, 1, 1]])
def test_json_is_one_object(sizes: list[int]) -> None:
    """However many chunks there are, they make one list and its pagination."""
    total = sum(sizes)
    chunks = [[Entry(**PLAIN)] * size for size in sizes]
    document = json.loads(b"".join(json_chunks(Export(total, 0, iter(chunks)))))
    assert list(document) == ["logs", "pagination"]
    assert len(document["logs"]) == total
    assert document["pagination"] == {
        "total": total,
        "limit": total,
        "offset": 0,
        "hasMore": False,
        "completeUpTo": None,
    }


def test_a_line_of_json_is_an_entry() -> None:
    """Promise: NDJSON holds one whole object a line, whatever texts are in it."""
    entry = Entry(**PLAIN | {"model": "two\nlines \u2028"}, outcome=EntryOutcome(status=200, duration_ms=1, ended="x"))
    data = b"".join(entry_chunks([[entry], [entry]], FORMATS["jsonl"]))
    lines = data.split(b"\n")
    assert lines.pop() == b""
    assert [json.loads(line)["model"] for line in lines] == ["two\nlines \u2028"] * 2
    assert json.loads(lines[0])["outcome"] == {"status": 200, "durationMs": 1, "ended": "x"}


def test_columns() -> None:
    """Promise: columns are called as in the API or in the usual header, and stand in the order asked for."""
    columns = parse_columns(["tags,violationReasons", "violations", "apiKeyId,seq,outcome.durationMs"])
    outcome = EntryOutcome(status=200, duration_ms=812, ended="complete")
    entry = Entry(**PLAIN | {"tags": ("a,b", "c"), "violation_reasons": ("odd",), "outcome": outcome})
    data = b"".join(csv_chunks([[entry]], columns))
    assert data == (b'tags,violationReasons,violations,apiKeyId,seq,outcome.durationMs\n"a,b; c",odd,"odd",,1,812\n')
    assert {"id", "request_id", "requestId", "policyName", "user", "outcome.status"} <= set(COLUMN_NAMES)


@pytest.mark.parametrize(
    ("given", "message"), [("modle", "Did you mean model"), ("id,id", "twice"), ("id,", "no column ''")]
)
def test_no_such_column(given: str, message: str) -> None:
    """Promise: a column that does not exist is refused with the nearest that does."""
    with pytest.raises(InvalidInput, match=message) as caught:
        parse_columns([given])
    assert caught.value.param == "columns"


@pytest.mark.parametrize("given", [["parquet"], ["ocsf"], ["CSV"], [""], ["csv", "json"]])
def test_no_such_format(given: list[str]) -> None:
    """Promise: a format that is not written is refused with those that are."""
    with pytest.raises(InvalidInput, match=r"format must be csv, json or ndjson \(also called jsonl\)"):
        parse_format(given)


@pytest.mark.parametrize(
    ("filters", "name"),
    [
        ({}, "audit-logs-acme.csv"),
        ({"startDate": ["2025-01-01"], "endDate": ["2025-01-31"]}, "audit-logs-acme-2025-01-01-to-2025-01-31.csv"),
        ({"startDate": ["2025-01-01T10:00:00Z"]}, "audit-logs-acme-from-2025-01-01.csv"),
        ({"endDate": ["2025-01-31T00:00:00Z"]}, "audit-logs-acme-to-2025-01-30.csv"),
    ],
)
def test_names_of_files(filters: dict[str, list[str]], name: str) -> None:
    """Promise: a file says by its name whose entries of which days it holds."""
    assert file_name("acme", parse_filters(filters), FORMATS["csv"]) == name
