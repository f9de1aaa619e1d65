"""Text from outside cannot become markup, hide, or turn its neighbours around."""

from __future__ import annotations

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scriba.console.visible import plain, reveal

INVISIBLE = [
    "\u200b",
    "\u200d",
    "\u202e",
    "\u2066",
    "\ufeff",
    "\u00ad",
    "\u00a0",
    "\u2028",
    "\u3164",
    "\u2800",
    "\U000e0041",
]


class _Reader(HTMLParser):
    """Collects the tags and the text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(str(html))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - its interface
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("character", INVISIBLE)
def test_an_invisible_character_appears_by_its_number(character: str) -> None:
    """A model that only looks like another one does not look like it here."""
    number = f"U+{ord(character):04X}"
    html = reveal(f"gpt{character}-4o")
    assert character not in html
    assert _Reader(html).text == f"gpt{number}-4o"
    assert unicodedata.name(character).lower() in html
    assert plain(f"gpt{character}-4o") == f"gpt{number}-4o"


@pytest.mark.parametrize("text", ["gpt-4o", "Politique « santé »", "模型", "сканер", "🦉", "line\nline"])
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    """Names in any script read as they were written."""
    assert _Reader(reveal(text)).text == text
    assert plain(text) == text


@given(st.text())
def test_no_text_becomes_markup(text: str) -> None:
    """Whatever the text: the only tag is ours, and without the numbers all of the visible text is there."""
    read = _Reader(reveal(text.replace("\r", "")))
    assert read.tags <= {"span"}
    assert read.text == plain(text.replace("\r", ""))


@given(st.text())
def test_nothing_that_acts_on_its_neighbours_is_left(text: str) -> None:
    """No format, control or separator character reaches the page, but for line feeds."""
    left = {unicodedata.category(character) for character in plain(text) if character != "\n"}
    assert not left & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not re.search(r"[\u115f\u1160\u2800\u3164\uffa0]", plain(text))
