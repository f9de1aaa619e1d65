"""Settings can be shown and logged: no key or password is in what they look like."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

import pytest
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


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://scriba:p/w@db/scriba", "postgresql://scriba:***@db/scriba"),
        ("postgresql://scriba:p@ss@db/scriba", "postgresql://scriba:***@db/scriba"),
        ("postgresql://scriba:p?w@db/scriba?sslmode=require", "postgresql://scriba:***@db/scriba?sslmode=require"),
        (
            "postgresql://scriba@db/scriba?sslmode=require&password=hunter2&sslpassword=x&application_name=a@b",
            "postgresql://scriba@db/scriba?sslmode=require&password=***&sslpassword=***&application_name=a@b",
        ),
        ("postgresql:///scriba?host=/run&p%61ssword=hunter2", "postgresql:///scriba?host=/run&p%61ssword=***"),
    ],
)
def test_a_password_is_hidden_wherever_it_stands(load: Load, url: str, shown: str) -> None:
    """Also where a character was not quoted, and among the parameters."""
    assert load(SCRIBA_DATABASE_URL=url).database_shown == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://scriba@db.example.com:5432/scriba?sslmode=require",
        "postgresql://db.example.com:5432/scriba",
        "postgresql:///scriba?host=/run/postgresql&password=",
        "sqlite:////srv/a:b@c/scriba.db",
    ],
)
def test_a_url_without_a_password_shows_as_it_is(load: Load, url: str) -> None:
    """Nothing is hidden that is no secret."""
    assert load().database_shown == "sqlite:///data/scriba.db"
    assert load(SCRIBA_DATABASE_URL=url).database_shown == url
