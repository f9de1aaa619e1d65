"""Handing settings to the worker processes, which load theirs from the environment like any other process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scriba.settings.sources import CONFIG_VARIABLE

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from scriba.settings.model import Settings

__all__ = ["pass_on"]


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
