"""From layers of given values to `Settings`: known names, right types, one meaning."""

from __future__ import annotations

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec

from scriba.settings.database_url import complaint, has_password, sqlite_url
from scriba.settings.model import Settings, WebhookSettings
from scriba.settings.providers import KeyVariables, ProviderTable, read_providers, refuse_aliases, refuse_slips
from scriba.settings.sources import CONFIG_VARIABLE, DEFAULTS, Layer, SettingPath, read_environment, read_file
from scriba.settings.table import check_names, malformed, read_table

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from scriba.errors import SettingsError

__all__ = ["load_settings"]

_DEPLOYMENT: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_DEPLOYMENT_FORM: Final = "must be lower-case letters, digits and .-_ alone, at most 128, the first a letter or digit"


class _General(msgspec.Struct):
    """The settings outside all tables, as they are written."""

    data_dir: Annotated[str, msgspec.Meta(min_length=1)]
    database_url: str
    database_url_file: str
    lake_url: str
    archive_before_purge: bool
    deployment: str
    host: Annotated[str, msgspec.Meta(min_length=1)]
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    workers: Annotated[int, msgspec.Meta(ge=1, le=1_024)]
    trusted_proxies: tuple[str, ...]
    log_failure: Literal["refuse", "allow"]
    max_body_bytes: Annotated[int, msgspec.Meta(ge=1_024, le=2**31)]
    drain_seconds: Annotated[int, msgspec.Meta(ge=0, le=3_600)]
    tls_cert_file: str
    tls_key_file: str
    tls_key_password_file: str
    log_format: Literal["text", "json"]
    log_level: Literal["debug", "info", "warning", "error"]
    access_log: bool
    metrics_networks: tuple[str, ...]


class _Webhooks(msgspec.Struct):
    """The table `webhooks`, as it is written."""

    allowed_networks: tuple[str, ...]
    allow_http: bool
    allowed_ports: tuple[Annotated[int, msgspec.Meta(ge=1, le=65_535)], ...]
    require_strong_secrets: bool


def load_settings(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    key_variables: KeyVariables | None = None,
    aliases: Mapping[str, str] | None = None,
) -> Settings:
    """Read defaults, file and environment, in this order; the last one that names a setting wins.

    :param path: the settings file; else the one SCRIBA_CONFIG names, else `scriba.toml` if it is there
    :param environ: instead of the environment of the process
    :param key_variables: the providers of the catalogue and the customary variables of their keys, most common
        first. Those whose variable is set are in `Settings.providers` even without a table. If None, names of
        providers are not checked.
    :param aliases: further names of providers, and the one that settings go by

    Raises `SettingsError`, which names the setting, its place and the nearest known one.
    """
    environ = os.environ if environ is None else environ
    file = _settings_file(path, environ)
    layer = _layers(file, environ, key_variables or {})
    check_names(layer, _General, {"webhooks": _Webhooks}, ProviderTable)
    refuse_aliases(layer, aliases or {})
    refuse_slips(layer, key_variables or {}, aliases or {})
    general = read_table(layer, (), _General)
    return Settings(
        file=file,
        data_dir=Path(general.data_dir),
        database_url=_database_url(layer, general),
        lake_dir=_lake(layer, general),
        archive_before_purge=general.archive_before_purge,
        deployment=_deployment(layer, general),
        host=general.host,
        port=general.port,
        workers=general.workers,
        trusted_proxies=_networks(layer, ("trusted_proxies",), general.trusted_proxies),
        log_failure=general.log_failure,
        max_body_bytes=general.max_body_bytes,
        drain_seconds=general.drain_seconds,
        tls_cert_file=_path(general.tls_cert_file),
        tls_key_file=_path(general.tls_key_file),
        tls_key_password_file=_path(general.tls_key_password_file),
        log_format=general.log_format,
        log_level=general.log_level,
        access_log=general.access_log,
        metrics_networks=_networks(layer, ("metrics_networks",), general.metrics_networks),
        webhooks=_webhooks(layer),
        providers=read_providers(layer, environ, key_variables),
    )


def _settings_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    if path is not None:
        return path
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named)
    usual = Path("scriba.toml")
    return usual if usual.exists() else None


def _layers(file: Path | None, environ: Mapping[str, str], known: Collection[str]) -> Layer:
    layer = read_file(DEFAULTS) | (read_file(file) if file else {})
    names = {*known, *(path[1] for path in layer if path[0] == "providers")}
    layer |= read_environment(environ, names)
    keys = {given.value for path, given in layer.items() if path[-1] == "api_key_env"}
    return {path: given for path, given in layer.items() if given.place not in keys}


def _database_url(layer: Layer, general: _General) -> str:
    place = "database_url_file" if general.database_url_file else "database_url"
    if general.database_url_file and general.database_url:
        raise malformed(layer, ("database_url_file",), "and database_url are both set; keep one of them")
    url = general.database_url or sqlite_url(Path(general.data_dir) / "scriba.db")
    if general.database_url_file:
        url = _text_of_file(layer, general)
    if wrong := complaint(url):
        raise malformed(layer, (place,), wrong)
    if has_password(url) and place == "database_url" and not layer[place,].is_text:
        raise _password_in_file(layer)
    return url


def _text_of_file(layer: Layer, general: _General) -> str:
    try:
        return Path(general.database_url_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise malformed(layer, ("database_url_file",), f"cannot be read: {error}") from error


def _password_in_file(layer: Layer) -> SettingsError:
    error = malformed(layer, ("database_url",), "holds a password, which has no place in a settings file")
    error.hint = "Set SCRIBA_DATABASE_URL, or put the URL into a file and name it in database_url_file."
    return error


def _lake(layer: Layer, general: _General) -> Path:
    if "://" in general.lake_url:
        raise malformed(layer, ("lake_url",), "must be the path of a folder; buckets (s3://…) are not available yet")
    return Path(general.lake_url) if general.lake_url else Path(general.data_dir) / "lake"


def _deployment(layer: Layer, general: _General) -> str:
    if general.deployment and not _DEPLOYMENT.fullmatch(general.deployment):
        raise malformed(layer, ("deployment",), _DEPLOYMENT_FORM)
    return general.deployment


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _webhooks(layer: Layer) -> WebhookSettings:
    table = read_table(layer, ("webhooks",), _Webhooks)
    return WebhookSettings(
        allowed_networks=_networks(layer, ("webhooks", "allowed_networks"), table.allowed_networks),
        allow_http=table.allow_http,
        allowed_ports=table.allowed_ports,
        require_strong_secrets=table.require_strong_secrets,
    )


def _networks(layer: Layer, path: SettingPath, texts: Iterable[str]) -> tuple[IPv4Network | IPv6Network, ...]:
    try:
        return tuple(ip_network(text) for text in texts)
    except ValueError as error:
        raise malformed(layer, path, f"must list addresses or networks: {error}") from None
