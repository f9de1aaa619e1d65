"""Numbers, times and tables are readable, and whole."""

from __future__ import annotations

import pytest

from scriba.cli.show import counted, moment, print_table, size


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (10_000, "10 kB"),
        (84_000_000_000, "84 GB"),
        (2_500_000_000_000, "2.5 TB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    """Two digits are enough for people."""
    assert size(count) == text


def test_moments() -> None:
    """To the second, in UTC; nothing stands for no time."""
    assert moment(1_736_519_400_999_999) == "2025-01-10 14:30:00"
    assert moment(None) == ""


def test_nouns_follow_their_number() -> None:
    """One record, two records."""
    assert (counted(1, "record"), counted(2, "record"), counted(0, "record")) == ("1 record", "2 records", "0 records")


def test_a_table_in_a_file_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the width of a terminal that is not there."""
    long = "x" * 500
    print_table(("Name", "Value"), [("a", long), ("[b]", "1")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["a", long]
    assert lines[2].split() == ["[b]", "1"]
