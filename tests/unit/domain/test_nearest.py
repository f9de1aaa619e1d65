"""Guesses at mistyped names."""

from __future__ import annotations

import pytest

from scriba.domain.nearest import did_you_mean, is_slip, nearest

NAMES = ("policyId", "provider", "startDate")


def test_a_misspelt_name_is_recognised() -> None:
    """Letters that are missing, swapped or of another case lead to the known name."""
    assert nearest("polcyId", NAMES) == "policyId"
    assert nearest("PROVIDER", NAMES) == "provider"
    assert nearest("start_date", NAMES) == "startDate"


def test_a_foreign_name_is_not() -> None:
    """What is unlike all known names is left without a guess."""
    assert nearest("zzz", NAMES) is None
    assert nearest("order", NAMES) is None
    assert nearest("date", NAMES) is None


def test_short_names_are_recognised_by_one_slip_alone() -> None:
    """One letter missing or two swapped is a slip; half of the letters in common is another word."""
    assert nearest("prt", ("host", "port")) == "port"
    assert nearest("prot", ("host", "port")) == "port"
    assert nearest("part", ("host", "workers")) is None


def test_the_question_or_the_list() -> None:
    """The reader is told the nearest name, or else all of them."""
    assert did_you_mean("polcyId", NAMES) == "Did you mean policyId?"
    assert did_you_mean("zzz", NAMES) == "Known are: policyId, provider, startDate."
    assert did_you_mean("zzz", ()) == "Known are: none."


@pytest.mark.parametrize("name", ["openia", "opnai", "oopenai", "openni", "OpenAI", "open-ai", "open_ai"])
def test_a_slip_of_the_finger_is_recognised(name: str) -> None:
    """One letter, two swapped ones, case and separators."""
    assert is_slip(name, "openai")


@pytest.mark.parametrize("name", ["openai2", "openai-2", "openai-eu", "my-openai", "opal", "peopnai"])
def test_a_name_that_is_meant_is_no_slip(name: str) -> None:
    """A second one of a kind may be called so."""
    assert not is_slip(name, "openai")
