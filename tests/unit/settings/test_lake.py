"""Where the lake is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.running import settings_in

from scriba.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_lake_is_a_folder(tmp_path: Path) -> None:
    """Promise: it lies in the data folder unless it is named, and nothing is archived unless that is asked for."""
    settings = settings_in(tmp_path)
    assert (settings.lake_dir, settings.archive_before_purge) == (settings.data_dir / "lake", False)
    named = settings_in(tmp_path, f'lake_url = "{tmp_path}/other"\narchive_before_purge = true')
    assert (named.lake_dir, named.archive_before_purge) == (tmp_path / "other", True)


def test_a_bucket_is_refused(tmp_path: Path) -> None:
    """Promise: a place that cannot be written to stops the start, and says what can."""
    with pytest.raises(SettingsError, match="not available yet") as caught:
        settings_in(tmp_path, 'lake_url = "s3://bucket/prefix"')
    assert caught.value.param == "lake_url"
