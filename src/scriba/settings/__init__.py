"""What the operator decides: files and environment in, one immutable `Settings` out.

Nothing else in the program reads the environment.
"""

from __future__ import annotations

from scriba.settings.loading import load_settings
from scriba.settings.model import Dialect, ProviderSettings, Settings, WebhookSettings
from scriba.settings.passing import pass_on
from scriba.settings.sources import DEFAULTS

__all__ = ["DEFAULTS", "Dialect", "ProviderSettings", "Settings", "WebhookSettings", "load_settings", "pass_on"]
