"""Guesses at mistyped names."""

from __future__ import annotations

from scriba.domain.nearest import did_you_mean, nearest

NAMES = ("policyId", "provider", "startDate")


def test_a_misspelt_name_is_recognised() -> None:
    """Letters that are missing, swapped or of another case lead to the known name."""
    assert nearest("polcyId", NAMES) == "policyId"
    assert nearest("PROVIDER", NAMES) == "provider"
    assert nearest("start_date", NAMES) == "startDate"


def test_a_foreign_name_is_not() -> None:
    """What is unlike all known names is left without a guess."""
    assert nearest("zzz", NAMES) is None


def test_the_question_or_the_list() -> None:
    """The reader is told the nearest name, or else all of them."""
    assert did_you_mean("polcyId", NAMES) == "Did you mean policyId?"
    assert did_you_mean("zzz", NAMES) == "Known are: policyId, provider, startDate."
    assert did_you_mean("zzz", ()) == "Known are: none."
