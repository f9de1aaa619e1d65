"""Whatever is sent to the gateway, nothing in it fails: no body on any route is answered with 500."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.asking import ask
from tests.dialects import OPERATIONS

from scriba.gateway.routes import ROUTES

if TYPE_CHECKING:
    from tests.running import Running, Tenant

PATHS = sorted(path for _, path in ROUTES if not path.startswith("/llm"))
WORDS = st.sampled_from(
    ["model", "messages", "input", "tools", "stream", "user", "metadata", "type", "role", "content", "text"]
) | st.sampled_from(
    ["max_tokens", "max_output_tokens", "stream_options", "dimensions", "encoding_format", "system", "user_id"]
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 2**70), st.floats(allow_nan=False), st.text(max_size=9), WORDS
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(WORDS, st.text(max_size=5)), inner)),
    max_leaves=12,
)
BROKEN = st.one_of(st.binary(max_size=60), VALUES.map(lambda value: json.dumps(value).encode()[:-1]))


@pytest.fixture(scope="module")
def tenant(server: Running) -> Tenant:
    """Make an organisation without any policy."""
    return server.tenant()


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_no_body_makes_a_route_fail(server: Running, tenant: Tenant, path: str, data: st.DataObject) -> None:
    """A body that is nearly right, anything that is JSON, and anything at all is answered, or refused as bad input."""
    nearly = OPERATIONS[path].asked | {"model": "sandbox/echo"}
    body = data.draw(
        st.one_of(
            st.dictionaries(WORDS, VALUES, max_size=4).map(lambda changes: json.dumps(nearly | changes).encode()),
            VALUES.map(lambda value: json.dumps(value).encode()),
            BROKEN,
        )
    )
    answer = ask(server.url, tenant.app, body, path=path)
    assert answer.status in {200, 400, 403, 404}, (body, answer.body)
    if answer.status != 200:
        assert answer.error["message"]
