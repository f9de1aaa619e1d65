"""Filters, from text."""

from __future__ import annotations

import pytest

from scriba.domain.address import parse_network
from scriba.domain.filter import FILTER_NAMES, MAX_VALUES, Filters, parse_filters
from scriba.domain.period import DAY
from scriba.errors import InvalidInput

JANUARY_10 = 20_098 * DAY


def test_nothing_given_asks_nothing() -> None:
    """Without filters everything is wanted."""
    assert parse_filters({}) == Filters()


def test_every_filter() -> None:
    """Each name of the API sets what it is named for."""
    assert parse_filters(
        {
            "policyId": ["gpol_xxx"],
            "provider": ["anthropic"],
            "model": ["gpt-4*"],
            "allowed": ["false"],
            "enforcement": ["warn"],
            "policySlot": ["3,12"],
            "apiKeyId": ["key_1"],
            "requestId": ["req_1"],
            "ipAddress": ["203.0.113.42"],
            "violation": ["China, or not"],
            "user": ["ana"],
            "tag": ["team:a"],
            "source": ["ingest,import"],
            "startDate": ["2025-01-10"],
            "endDate": ["2025-01-10"],
        }
    ) == Filters(
        policy_ids=("gpol_xxx",),
        providers=("anthropic",),
        models=("gpt-4*",),
        allowed=False,
        enforcements=("warn",),
        policy_slots=(3, 12),
        api_key_ids=("key_1",),
        request_ids=("req_1",),
        networks=parse_network("203.0.113.42", "ipAddress"),
        violations=("China, or not",),
        users=("ana",),
        tags=("team:a",),
        sources=("ingest", "import"),
        start=JANUARY_10,
        end=JANUARY_10 + DAY,
    )


def test_repeated_and_joined_values_mean_any_of() -> None:
    """A filter given twice and one with commas are the same, and a repeated value counts once."""
    expected = Filters(providers=("a", "b", "c"))
    assert parse_filters({"provider": ["a", "b", "c"]}) == expected
    assert parse_filters({"provider": ["a,b,c"]}) == expected
    assert parse_filters({"provider": ["a,b", "c", "a"]}) == expected


def test_both_truth_values_ask_nothing() -> None:
    """`allowed=true,false` is everything."""
    assert parse_filters({"allowed": ["true", "false"]}).allowed is None
    assert parse_filters({"allowed": ["true"]}).allowed is True


@pytest.mark.parametrize("name", [name for name in FILTER_NAMES if name != "violation"])
@pytest.mark.parametrize("text", ["", ",", "x,", ",x", "x,,y"])
def test_an_empty_part_is_refused(name: str, text: str) -> None:
    """An empty value never counts as "anything"."""
    with pytest.raises(InvalidInput, match=f"{name} has an empty value") as caught:
        parse_filters({name: [text]})
    assert caught.value.param == name


@pytest.mark.parametrize("text", ["a\x00b", "a\nb", "\x7f", "\ud800"])
def test_text_that_no_log_holds_is_refused(text: str) -> None:
    """Control characters and lone surrogates are refused, never searched for."""
    with pytest.raises(InvalidInput, match="policyId must be text without control characters") as caught:
        parse_filters({"policyId": [text]})
    assert caught.value.param == "policyId"


@pytest.mark.parametrize(
    ("name", "text", "allowed"),
    [
        ("allowed", "yes", "false or true"),
        ("enforcement", "block", "hard_block, soft_block or warn"),
        ("policySlot", "13", "a whole number from 1 to 12"),
        ("policySlot", "01", "a whole number from 1 to 12"),
        ("source", "demo", "evaluate, gateway, import or ingest"),
    ],
)
def test_a_choice_names_its_choices(name: str, text: str, allowed: str) -> None:
    """A value that is none of the choices is refused with the choices."""
    with pytest.raises(InvalidInput, match=f"{name} must be {allowed}, not '{text}'"):
        parse_filters({name: [text]})


def test_an_unknown_filter_is_refused_with_the_nearest() -> None:
    """A mistyped filter never widens the answer."""
    with pytest.raises(InvalidInput, match="Did you mean policyId"):
        parse_filters({"polcyId": ["gpol_xxx"]})


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2025-01-11", "2025-01-10"),
        ("2025-01-11T00:00:01Z", "2025-01-11T00:00:00Z"),
        ("2025-01-11T00:00:00Z", "2025-01-10"),
    ],
)
def test_an_end_before_its_start_is_refused(start: str, end: str) -> None:
    """Swapped dates are an error, not an empty list."""
    with pytest.raises(InvalidInput, match="is before startDate") as caught:
        parse_filters({"startDate": [start], "endDate": [end]})
    assert caught.value.param == "endDate"


def test_an_empty_span_of_timestamps_is_allowed() -> None:
    """Whoever asks from time to time may come back within the same microsecond."""
    moment = "2025-01-10T00:00:00Z"
    filters = parse_filters({"startDate": [moment], "endDate": [moment]})
    assert filters.start == filters.end == JANUARY_10


@pytest.mark.parametrize("name", ["startDate", "endDate"])
def test_a_bound_is_given_once(name: str) -> None:
    """Two starts contradict each other."""
    with pytest.raises(InvalidInput, match=f"{name} can be given once"):
        parse_filters({name: ["2025-01-01", "2025-01-02"]})


def test_values_are_bounded() -> None:
    """A filter takes a hundred values of 512 bytes and says so."""
    values = [f"p{number}" for number in range(MAX_VALUES)]
    assert len(parse_filters({"provider": values}).providers) == MAX_VALUES
    with pytest.raises(InvalidInput, match="at most 100 values; 101 were given"):
        parse_filters({"provider": [*values, "one more"]})
    assert parse_filters({"model": ["é" * 256]}).models
    with pytest.raises(InvalidInput, match="at most 512 bytes"):
        parse_filters({"model": ["é" * 257]})


def test_commas_belong_to_a_violation() -> None:
    """Promise: a part of a reason is looked for as it is written; an empty one is refused."""
    assert parse_filters({"violation": ["a,b", ","]}).violations == ("a,b", ",")
    with pytest.raises(InvalidInput, match="violation has an empty value"):
        parse_filters({"violation": [""]})


def test_an_address_is_one_however_it_is_written() -> None:
    """Promise: two ways to write one network count once."""
    assert len(parse_filters({"ipAddress": ["::ffff:10.0.0.1,10.0.0.1"]}).networks) == 1
    with pytest.raises(InvalidInput, match=r"The network is 10\.0\.0\.0/8"):
        parse_filters({"ipAddress": ["10.0.0.1/8"]})
