"""Passing settings on to worker processes, which read them anew: secrets are never copied between processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scriba.settings.sources import CONFIG_VARIABLE

if TYPE_CHECKING:
    from scriba.settings.model import Settings

__all__ = ["pass_on"]


def pass_on(settings: Settings, *, sandbox: bool) -> None:
    """Make the processes started from now on read the same settings file.

    :param sandbox: turn the sandbox on in them, whatever the file says
    """
    if settings.file is not None:
        os.environ[CONFIG_VARIABLE] = str(settings.file)
    if sandbox:
        os.environ["SCRIBA_PROVIDERS__SANDBOX__ENABLED"] = "true"
