"""JSON bodies, read strictly."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.asking import ask

from scriba.api.body import MAX_BYTES, parse_json
from scriba.errors import InvalidInput
from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from tests.running import Running
    from tests.unit.api.conftest import Api

TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)
DEEP = b"[" * 100_000 + b"]" * 100_000


@given(JSON)
def test_good_json_is_read_as_it_is(value: object) -> None:
    """Whatever is plain JSON comes out as any reader would have it."""
    assert parse_json(json.dumps(value).encode()) == value
    assert parse_json(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("raw", "param", "message"),
    [
        (b"", "body", "is empty"),
        (b" \n", "body", "is empty"),
        (b'{"name": "x"', "body", r"not valid JSON: .* \(line 1, column 13\)"),
        (b"{'name': 1}", "body", "not valid JSON"),
        (b'{"name": "\xff"}', "body", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "body", "not valid JSON"),
        (b'{"tagSlot": NaN}', "body", "NaN is not JSON"),
        (b'{"tagSlot": -Infinity}', "body", "-Infinity is not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "body", "number too long"),
        (b'{"name": ' + DEEP + b"}", "body", "nested too deeply"),
        (b'{"name": "x", "name": "y"}', "name", "'name' occurs more than once"),
        (b'{"rules": {"requireZdr": true, "requireZdr": false}}', "requireZdr", "more than once"),
        (b'{"name": "a\\u0000b"}', "name", r"U\+0000"),
        (b'{"rules": {"providerAllowlist": ["ok", "\\ud800"]}}', "rules.providerAllowlist[1]", r"U\+D800"),
        (b'{"rules": {"\\udfff": 1}}', "rules", r"U\+DFFF"),
        (b'"a\\u007f"', "body", r"U\+007F"),
    ],
)
def test_anything_else_is_refused_by_name(raw: bytes, param: str, message: str) -> None:
    """What is malformed or has two readings is refused, naming the field where there is one."""
    with pytest.raises(InvalidInput, match=message) as caught:
        parse_json(raw)
    assert caught.value.param == param


def test_paths_are_written_only_where_they_are_told() -> None:
    """A long name costs its own length, not once more for each value in it."""
    raw = b'{"%b": [%b]}' % (b"n" * 200_000, b",".join([b'"text"'] * 5_000))
    tracemalloc.start()
    try:
        parse_json(raw)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@given(st.binary())
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    """No bytes raise anything but our own error."""
    with suppress(InvalidInput):
        parse_json(raw)


def test_over_the_limit(api: Api, admin: str) -> None:
    """A body larger than the setting allows is a 413 that names the limit, however it is sent."""
    limit = api.services.settings.max_body_bytes
    for content in (b"x" * (limit + 1), iter([b"x" * limit, b"x"])):
        answer = api.ask("POST", "/governance", admin, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "body_too_large"
        assert str(limit) in answer.json()["error"]["message"]


def test_up_to_the_limit(api: Api, admin: str) -> None:
    """A body of exactly the limit is read."""
    body = b'{"name": ""}'.ljust(api.services.settings.max_body_bytes)
    answer = api.ask("POST", "/governance", admin, content=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "name")


@pytest.mark.parametrize(("method", "path"), [("POST", "/governance"), ("PATCH", "/governance/gpol_1")])
def test_a_policy_has_a_limit_of_its_own(server: Running, method: str, path: str) -> None:
    """Prompts may be long, policies are not: what goes beyond 256 KiB is not read, whatever the setting allows."""
    org = server.tenant().id
    _, admin = server.services.control.create_key(org, role=Role.ADMIN, actor=COMMAND_LINE)
    assert server.services.settings.max_body_bytes > MAX_BYTES == 256 * 1024
    read = ask(server.url, admin, b"[1]".ljust(MAX_BYTES), method=method, path=path)
    assert read.status in {400, 404}
    answer = ask(server.url, admin, b"[1]".ljust(MAX_BYTES + 1), method=method, path=path)
    assert (answer.status, answer.error["code"]) == (413, "body_too_large")
    assert str(MAX_BYTES) in answer.error["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": "gzip"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
    ],
)
def test_another_kind_of_body(api: Api, admin: str, headers: dict[str, str]) -> None:
    """Compressed bodies and other types are a 415 that names the header."""
    answer = api.ask("POST", "/governance", admin, content=gzip.compress(b"{}"), headers=headers)
    assert answer.status_code == 415
    assert answer.json()["error"]["param"] == next(iter(headers)).lower()


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "application/merge-patch+json", None]
)
def test_kinds_of_json(api: Api, admin: str, kind: str | None) -> None:
    """JSON may be declared as such, as a merge patch, or not at all."""
    headers = {} if kind is None else {"Content-Type": kind}
    answer = api.ask("PATCH", "/governance/gpol_nobody", admin, content=b"{}", headers=headers)
    assert answer.status_code == 404
