"""The settings as the rest of the program sees them: resolved, checked, immutable."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import msgspec

from scriba.domain.secret import Secret
from scriba.settings.database_url import shown

__all__ = ["Dialect", "ProviderSettings", "Settings", "WebhookSettings"]

Dialect: TypeAlias = Literal["openai", "anthropic"]
"""Which API an upstream speaks."""

_NO_MODELS: Final[Mapping[str, str]] = MappingProxyType({})


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One upstream, as far as settings and environment speak of it; the catalogue knows the rest.

    `enabled` is None when nothing was said: the provider is on if its key is there. `dialects` are those
    that an address was given for; none means that the catalogue's addresses count. `api_key_env` is the
    variable the key was read from, or the one to set if there is no key (empty: none is customary).
    `shared_storage` says that each organisation may name what the provider keeps for any of them.
    """

    enabled: bool | None = None
    openai_base_url: str = ""
    anthropic_base_url: str = ""
    dialects: tuple[Dialect, ...] = ()
    api_key_env: str = ""
    api_key: Secret[str] | None = None
    models: Mapping[str, str] = _NO_MODELS
    shared_storage: bool = False


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where webhooks may go, and what their secrets have to be.

    `allowed_networks` are networks that would be refused otherwise; no `allowed_ports` at all means any port.
    """

    allowed_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    allow_http: bool = False
    allowed_ports: tuple[int, ...] = (443, 8443)
    require_strong_secrets: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings. `file` is the settings file that was read, if there was one.

    `max_body_bytes` is in bytes, `drain_seconds` in seconds. `database_url` is never empty and may hold a
    password: show `database_shown` instead. `lake_dir` is the folder that `lake_url` names.
    """

    file: Path | None
    data_dir: Path
    database_url: str
    lake_dir: Path
    archive_before_purge: bool
    deployment: str
    host: str
    port: int
    workers: int
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    log_failure: Literal["refuse", "allow"]
    max_body_bytes: int
    drain_seconds: int
    tls_cert_file: Path | None
    tls_key_file: Path | None
    tls_key_password_file: Path | None
    log_format: Literal["text", "json"]
    log_level: Literal["debug", "info", "warning", "error"]
    access_log: bool
    metrics_networks: tuple[IPv4Network | IPv6Network, ...]
    webhooks: WebhookSettings
    providers: Mapping[str, ProviderSettings]

    @property
    def secret_path(self) -> Path:
        """The file with the deployment secret."""
        return self.data_dir / "deployment.secret"

    @property
    def guard_dir(self) -> Path:
        """The folder with the newest checkpoint of each log, apart from the database."""
        return self.data_dir / "guard"

    @property
    def admin_key_path(self) -> Path:
        """The file with the admin key of the first start."""
        return self.data_dir / "admin.key"

    @property
    def demo_keys_path(self) -> Path:
        """The file with the keys of the demo organisation."""
        return self.data_dir / "demo.keys"

    @property
    def database_shown(self) -> str:
        """The database URL without its passwords."""
        return shown(self.database_url)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        instead = {"database_url": self.database_shown}
        return [(name, instead.get(name, getattr(self, name))) for name in self.__struct_fields__]

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"
