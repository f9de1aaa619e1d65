"""The checks that `scriba doctor` makes. None of them changes anything."""

from __future__ import annotations

import errno
import http.client
import shutil
import socket
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import func, select

from scriba.audit.kept import ADVICE, LEAST_DAYS, shortness
from scriba.cli.data_folder import check_data_folder, nearest_present
from scriba.cli.failure import NO, UNREACHABLE
from scriba.cli.opening import database_of, is_empty
from scriba.cli.show import counted, moment, size
from scriba.delivery.backlog import read_lag
from scriba.delivery.endpoint import ACTIVE, AUTO_DISABLED
from scriba.errors import ScribaError, Unavailable
from scriba.gateway.configured import SANDBOX, configure
from scriba.policy.catalogue import load_catalogue
from scriba.storage.control_rows import organisation_of
from scriba.storage.guard import Guard
from scriba.storage.hot import MAX_CLOCK_SKEW
from scriba.storage.private_files import read_secret
from scriba.storage.schema import schema_of
from scriba.storage.store import open_store
from scriba.storage.tables import logs, organisations, webhook_endpoints
from scriba.tls import unverified

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scriba.settings import Settings
    from scriba.storage.database import Database

__all__ = ["Finding", "examine"]

_ENOUGH_BYTES: Final = 1_000_000_000
"""Free space below which a log of a few million entries no longer fits."""

_PORT_SECONDS: Final = 2
_SHOWN: Final = 3

_NO_UPSTREAM: Final = "Scriba answers once a provider's key is set, like OPENAI_API_KEY, or with `scriba serve --demo`."

_TWO_WAYS: Final = (
    "Two ways out: put it back from a backup, or, if you only tried Scriba out, run `scriba db reset --yes`."
)


class Finding(msgspec.Struct, frozen=True):
    """What one check found; one that is not good has a remedy, and a good one may have some advice."""

    name: str
    text: str
    is_good: bool = True
    remedy: str = ""
    exit_code: int = NO


def examine(settings: Settings) -> list[Finding]:
    """Make every check, each whatever the others found; only the guard says nothing without its secret."""
    with database_of(settings) as database:
        secret = _guarded("secret", lambda: _secret(database, settings))
        return [
            _settings(settings),
            _guarded("database", lambda: _database(database, settings)),
            secret,
            *([] if _is_at_fault(secret) else [_guarded("guard", lambda: _guard(database, settings))]),
            _upstreams(settings),
            *_retention(database),
            *_webhooks(database),
            *_metrics(settings),
            _guarded("clock", lambda: _clock(database)),
            _guarded("disk", lambda: _disk(settings.data_dir)),
            _port(settings),
        ]


def _is_at_fault(finding: Finding) -> bool:
    return not finding.is_good and finding.exit_code == NO


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    """Turn an error of a check into its finding."""
    try:
        return check()
    except ScribaError as error:
        code = UNREACHABLE if isinstance(error, Unavailable) else NO
        return Finding(name, error.message, is_good=False, remedy=error.hint or "", exit_code=code)


def _settings(settings: Settings) -> Finding:
    return Finding("settings", f"read from {settings.file}" if settings.file else "defaults and environment, no file")


def _database(database: Database, settings: Settings) -> Finding:
    current, expected = schema_of(database)
    if current is None and not Guard(settings.guard_dir).is_empty():
        return Finding(
            "database",
            f"{settings.database_shown} is new, but the guard remembers logs.",
            is_good=False,
            remedy="Put the database back where it was.",
        )
    if current is None:
        return Finding("database", f"{settings.database_shown} is new; `scriba serve` begins it")
    if current != expected:
        text = f"{settings.database_shown} has schema {current}; this version needs {expected}."
        return Finding("database", text, is_good=False, remedy="Run `scriba db migrate`, or start the server.")
    with database.read() as connection:
        tenants = connection.execute(select(func.count()).select_from(organisations)).scalar_one()
        records = connection.execute(select(func.sum(logs.c.size))).scalar_one()
    holds = f"{counted(tenants, 'organisation')}, {counted(records or 0, 'record')}"
    return Finding("database", f"{settings.database_shown}: {holds}")


def _secret(database: Database, settings: Settings) -> Finding:
    if read_secret(settings.secret_path) is not None:
        return Finding("secret", f"{settings.secret_path}, readable by its owner alone")
    if database.dialect == "sqlite" and is_empty(database):
        return Finding("secret", f"{settings.secret_path} is made at the first start")
    remedy = "Make one with `scriba init`." if is_empty(database) else _TWO_WAYS
    return Finding("secret", f"{settings.secret_path} is missing.", is_good=False, remedy=remedy)


def _guard(database: Database, settings: Settings) -> Finding:
    """Open the store as the server does, which compares database, secret and guard."""
    guard = Guard(settings.guard_dir)
    current, expected = schema_of(database)
    if current is None and guard.is_empty():
        return Finding("guard", f"{guard.folder} is made at the first start")
    if current not in {None, expected}:
        return Finding("guard", f"{guard.folder} is compared once the database has its schema")
    store = open_store(database, guard, settings.secret_path, settings.deployment)
    count = sum(1 for _ in guard.checkpoints(store.keyring))
    return Finding("guard", f"{guard.folder} fits the database: {counted(count, 'signed log')} of {store.deployment}")


def _has_schema(database: Database) -> bool:
    """Whether the tables can be read; if not, the check of the database says why."""
    try:
        current, expected = schema_of(database)
    except ScribaError:
        return False
    return current == expected


def _retention(database: Database) -> list[Finding]:
    """Tell whose entries are kept for a shorter time than the law may ask; nothing if that cannot be read."""
    if not _has_schema(database):
        return []
    with database.read() as connection:
        found = [organisation_of(row) for row in connection.execute(select(organisations))]
    short = sorted((one.retention, one.name) for one in found if shortness(one.retention))
    if not short:
        return []
    days, name = short[0]
    others = f" and {counted(len(short) - 1, 'other organisation')} less than {LEAST_DAYS}" if short[1:] else ""
    return [Finding("retention", f"{name} keeps entries for {days} days{others}.", remedy=ADVICE)]


def _webhooks(database: Database) -> list[Finding]:
    """Tell what waits to be sent, and which endpoints fail; nothing if there are no endpoints."""
    if not _has_schema(database):
        return []
    live = webhook_endpoints.c.deleted_at.is_(None)
    with database.read() as connection:
        endpoints = connection.execute(select(webhook_endpoints).where(live)).all()
    if not endpoints:
        return []
    lag = read_lag(database)
    failing = [row.id for row in endpoints if row.status == ACTIVE and row.failing_since is not None]
    disabled = [row.id for row in endpoints if row.status == AUTO_DISABLED]
    since = f", the oldest for {lag.oldest_seconds:.0f} s" if lag.pending else ""
    text = f"{counted(len(endpoints), 'endpoint')}, {lag.pending} pending{since}"
    if not failing and not disabled:
        return [Finding("webhooks", text)]
    states = ((f"{len(failing)} failing", failing), (f"{len(disabled)} disabled after failures", disabled))
    faults = "".join(f"; {state}: {', '.join(ids[:_SHOWN])}" for state, ids in states if ids)
    # A receiver that is down is its owner's matter, so it is no fault of this deployment.
    return [Finding("webhooks", f"{text}{faults}.", remedy="`scriba webhook list` shows them.")]


def _metrics(settings: Settings) -> list[Finding]:
    """Tell if everybody may read the figures; nothing if only some networks may."""
    wide = [str(network) for network in settings.metrics_networks if not network.prefixlen]
    if not wide:
        return []
    text = f"/metrics answers everybody: metrics_networks has {', '.join(wide)}."
    return [Finding("metrics", text, remedy="Name the addresses of your monitoring instead.")]


def _upstreams(settings: Settings) -> Finding:
    on = configure(settings.providers, load_catalogue("")).names
    without_key = {
        name: given.api_key_env
        for name, given in settings.providers.items()
        if name not in on and given.enabled is None and given.api_key is None and given.api_key_env
    }
    names = ", ".join(name for name in on if name != SANDBOX) or ("only the sandbox" if on else "none yet")
    off = "".join(f"; set {variable} for [providers.{name}]" for name, variable in without_key.items())
    remedy = "" if on else _NO_UPSTREAM
    return Finding("upstreams", f"{names}{off}{'' if on else '.'}", is_good=bool(on) or not off, remedy=remedy)


def _clock(database: Database) -> Finding:
    now = time.time_ns() // 1000
    if is_empty(database):
        return Finding("clock", f"{moment(now)} UTC")
    with database.read() as connection:
        skew = abs(database.clock(connection) - time.time_ns() // 1000)
        newest = connection.execute(select(func.max(logs.c.last_time))).scalar_one() or 0
    if skew > MAX_CLOCK_SKEW:
        text = f"the clocks of database and machine differ by {skew / 1e6:.0f} s, so nothing is logged."
        return Finding("clock", text, is_good=False, remedy="Set both clocks right (NTP).")
    if newest > now + MAX_CLOCK_SKEW:
        text = f"it is {moment(now)} UTC here, but the log goes on until {moment(newest)} UTC."
        return Finding("clock", text, is_good=False, remedy="Set the clock right (NTP).")
    return Finding("clock", f"{moment(now)} UTC, in step with the database")


def _disk(folder: Path) -> Finding:
    check_data_folder(folder)
    present = nearest_present(folder)
    free = shutil.disk_usage(present).free
    if free < _ENOUGH_BYTES:
        return Finding("disk", f"{size(free)} free at {present}.", is_good=False, remedy="Make room.")
    return Finding("disk", f"{size(free)} free at {present}")


def _port(settings: Settings) -> Finding:
    address = f"{settings.host} port {settings.port}"
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((settings.host, settings.port), family=family):
            return Finding("port", f"{address} is free")
    except OSError as error:
        if error.errno == errno.EADDRINUSE and _is_scriba(settings):
            return Finding("port", f"{address}: Scriba is running")
        return Finding("port", f"{address}: {error.strerror}.", is_good=False, remedy="Choose another port.")


def _is_scriba(settings: Settings) -> bool:
    """Whether the server that has the port is one of ours."""
    connection = (
        http.client.HTTPSConnection(settings.host, settings.port, timeout=_PORT_SECONDS, context=unverified())
        if settings.tls_cert_file
        else http.client.HTTPConnection(settings.host, settings.port, timeout=_PORT_SECONDS)
    )
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
