"""Handing settings to the worker processes, which load theirs from the environment like any other process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from scriba.settings.sources import CONFIG_VARIABLE

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from scriba.settings.model import Settings

__all__ = ["metrics_folder", "pass_metrics_folder", "pass_on"]

_METRICS_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Where worker processes keep what they count; Prometheus' library reads it when it is first imported."""


def pass_on(settings: Settings, *, sandbox: bool, environ: MutableMapping[str, str] = os.environ) -> None:
    """Leave in the environment what the command line decided, so that workers load what this process has.

    :param sandbox: whether the sandbox was turned on by the command line
    """
    if settings.file is not None:
        environ[CONFIG_VARIABLE] = str(settings.file.resolve())
    environ["SCRIBA_HOST"] = settings.host
    environ["SCRIBA_PORT"] = str(settings.port)
    environ["SCRIBA_WORKERS"] = str(settings.workers)
    for name in ("tls_cert_file", "tls_key_file", "tls_key_password_file"):
        environ[f"SCRIBA_{name.upper()}"] = str(getattr(settings, name) or "")
    if sandbox:
        environ["SCRIBA_PROVIDERS__SANDBOX__ENABLED"] = "true"


def pass_metrics_folder(folder: str) -> None:
    """Let the workers that are started from here on count in this folder together."""
    os.environ[_METRICS_FOLDER] = folder


def metrics_folder() -> Path | None:
    """Return the folder that this process counts in together with others; None if it counts alone."""
    folder = os.environ.get(_METRICS_FOLDER)
    return Path(folder) if folder else None
