"""Patterns of model names."""

from __future__ import annotations

import pytest

from scriba.policy.patterns import Patterns


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("gpt-4o", "gpt-4o"),
        ("GPT-4o", "gpt-4o"),
        ("*", ""),
        ("*", "anything"),
        ("gpt-*", "gpt-"),
        ("*-preview", "o1-preview"),
        ("a*b*c", "aXbXbXc"),
        ("a**b", "ab"),
        ("*llama*70b*", "meta-llama/llama-3.3-70b-instruct"),
        ("[ab]?", "[ab]?"),
    ],
)
def test_a_star_stands_for_any_run_and_nothing_else_is_special(pattern: str, name: str) -> None:
    """The whole name must match, in any case of the pattern."""
    assert Patterns((pattern,)).match(name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("gpt-4", "gpt-4o"), ("gpt-*", "agpt-4"), ("ab*ba", "aba"), ("*x*x*", "x"), ("a.c", "abc"), ("", "x")],
)
def test_what_does_not_match(pattern: str, name: str) -> None:
    """Beginnings, overlaps and regular expressions do not count."""
    assert not Patterns((pattern,)).match(name)


def test_any_pattern_of_a_list_may_match() -> None:
    """A list is a choice; an empty one matches nothing."""
    assert Patterns(("a", "b*")).match("bc")
    assert not Patterns(()).match("")


def test_many_stars_do_not_take_forever() -> None:
    """Matching is linear: this would not end in the lifetime of the test with backtracking."""
    assert not Patterns(("*a" * 120 + "b",)).match("a" * 256)
