"""Loading settings as the program does, from a file and an environment of the test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from scriba.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY_VARIABLES = {
    "openai": ["OPENAI_API_KEY"],
    "google": ["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    "github-models": ["GITHUB_TOKEN"],
    "ollama": [],
    "sandbox": [],
}


ALIASES = {"gemini": "google", "lmstudio": "openai-compatible"}


class Load(Protocol):
    """Loads settings from the text of a file (none: no file) and an environment."""

    def __call__(self, text: str | None = None, /, **environ: str) -> Settings:
        """Load them."""


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Load settings in an empty working directory, with a small catalogue."""
    monkeypatch.chdir(tmp_path)

    def _load(text: str | None = None, /, **environ: str) -> Settings:
        known: Mapping[str, list[str]] = KEY_VARIABLES
        if text is not None:
            (tmp_path / "scriba.toml").write_text(text, encoding="utf-8")
        return load_settings(environ=environ, key_variables=known, aliases=ALIASES)

    return _load
