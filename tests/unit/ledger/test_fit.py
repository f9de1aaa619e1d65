"""What may be cut so that a decision can be logged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from scriba.domain.record import Decision, Hidden
from scriba.ledger.fit import cut_text, fit
from scriba.ledger.record import validate

DECISION = Decision(
    id="audit_1",
    org_id="org_1",
    request_id="req_1",
    model="gpt-4o",
    allowed=False,
    enforcement="hard_block",
    policy_id="gpol_1",
    policy_name="Production",
    source="ingest",
)


def test_a_decision_that_fits_stays_as_it_is() -> None:
    """Nothing is changed without need, up to the very limit."""
    full = replace(DECISION, violation_reasons=("x",) * 32, hidden=Hidden(user_agent="x" * 1024))
    assert fit(full) == full


@pytest.mark.parametrize(("count", "last"), [(33, "and 2 more"), (40, "and 9 more"), (1000, "and 969 more")])
def test_surplus_reasons_are_counted(count: int, last: str) -> None:
    """The first 31 reasons stay and the last line says how many are missing."""
    reasons = tuple(f"reason {number}" for number in range(count))
    cut = fit(replace(DECISION, violation_reasons=reasons))
    assert cut.violation_reasons == (*reasons[:31], last)
    validate(cut)


def test_a_long_user_agent_is_cut_at_a_character() -> None:
    """No half character is left, and the result can be logged."""
    cut = fit(replace(DECISION, hidden=Hidden(user_agent="x" + "é" * 600)))
    assert cut.hidden.user_agent == "x" + "é" * 511
    validate(cut)


@given(st.text(max_size=40), st.integers(0, 60))
def test_cutting_keeps_the_longest_beginning(text: str, limit: int) -> None:
    """What is left begins the text, fits, and could not be longer."""
    cut = cut_text(text, limit)
    assert text.startswith(cut)
    assert len(cut.encode()) <= limit
    assert cut == text or len(text[: len(cut) + 1].encode()) > limit
