"""Settings can be shown and logged: no key or password is in what they look like."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from rich.console import Console
from rich.pretty import Pretty

if TYPE_CHECKING:
    from tests.unit.settings.conftest import Load


def test_no_secret_shows(load: Load) -> None:
    """Neither in `repr` nor in a pretty print."""
    settings = load(SCRIBA_DATABASE_URL="postgresql://scriba:hunter2@db.example.com/scriba", OPENAI_API_KEY="sk-secret")
    pretty = StringIO()
    Console(file=pretty, width=200).print(Pretty(settings))
    for shown in (repr(settings), str(settings), pretty.getvalue(), settings.database_shown):
        assert "hunter2" not in shown
        assert "sk-secret" not in shown
    assert settings.database_shown == "postgresql://scriba:***@db.example.com/scriba"


def test_a_url_without_a_password_shows_as_it_is(load: Load) -> None:
    """Nothing is hidden that is no secret."""
    assert load().database_shown == "sqlite:///data/scriba.db"
    url = "postgresql://scriba@db.example.com:5432/scriba"
    assert load(SCRIBA_DATABASE_URL=url).database_shown == url
