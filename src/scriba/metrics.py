"""What is counted while Scriba runs, for Prometheus.

No label names an organisation or holds a caller's words: labels are operations, decisions, causes, and the providers
that are configured here. With several worker processes the values live in files of a common folder
(named by `scriba.server` before a worker starts), and whichever process is asked adds them up.

Names: https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import os
import platform
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

import scriba
from scriba.errors import Unavailable
from scriba.settings.passing import metrics_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector

__all__ = [
    "CONTENT_TYPE",
    "Decided",
    "Lag",
    "count_decision",
    "count_failure",
    "count_refusal",
    "count_unlogged",
    "exposition",
    "in_flight",
    "measure_append",
    "measure_upstream",
    "measure_upstream_head",
    "note_verification",
]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

Decided: TypeAlias = Literal["allowed", "warned", "rerouted", "blocked", "error"]
"""What became of a request; `error` if it never came to a decision."""

_APPEND_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_UPSTREAM_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)

_registry: Final = CollectorRegistry(auto_describe=True)

_requests: Final = Counter(
    "scriba_requests",
    "Requests of the gateway by operation and what was decided.",
    ("operation", "decision"),
    registry=_registry,
)
in_flight: Final = Gauge(
    "scriba_requests_in_flight",
    "Requests of the gateway that are being answered.",
    registry=_registry,
    multiprocess_mode="livesum",
)
_append: Final = Histogram(
    "scriba_append_duration_seconds",
    "From a decision to its durable entry.",
    buckets=_APPEND_SECONDS,
    registry=_registry,
)
_upstream_head: Final = Histogram(
    "scriba_upstream_head_duration_seconds",
    "From a call of a provider to the head of its answer.",
    ("provider",),
    buckets=_UPSTREAM_SECONDS,
    registry=_registry,
)
_upstream: Final = Histogram(
    "scriba_upstream_duration_seconds",
    "From a call of a provider to its end, however it ended.",
    ("provider",),
    buckets=_UPSTREAM_SECONDS,
    registry=_registry,
)
_unlogged: Final = Counter(
    "scriba_log_unavailable",
    "Requests that met a log that could not be written, by what they got.",
    ("outcome",),
    registry=_registry,
)
_failures: Final = Counter(
    "scriba_access_failures", "Requests that were refused for their key, by cause.", ("cause",), registry=_registry
)
_refusals: Final = Counter(
    "scriba_input_refusals",
    "Requests with a good key that were refused for their input, by cause.",
    ("cause",),
    registry=_registry,
)
_verified: Final = Gauge(
    "scriba_last_verification_timestamp_seconds",
    "When a verification of logs by this server last ended, by what it found.",
    ("result",),
    registry=_registry,
    multiprocess_mode="mostrecent",
)

# Finding a child by its labels costs more than counting.
_children: Final[dict[tuple[str, str], Counter]] = {}
_timers: Final[dict[tuple[Histogram, str], Histogram]] = {}


def count_decision(operation: str, decision: Decided) -> None:
    """Count one request of the gateway."""
    child = _children.get((operation, decision))
    if child is None:
        child = _children[operation, decision] = _requests.labels(operation, decision)
    child.inc()


def measure_append(began: float) -> None:
    """Note that an entry is durable.

    :param began: `time.perf_counter()` when it was handed over
    """
    _append.observe(time.perf_counter() - began)


def measure_upstream_head(provider: str, began: float) -> None:
    """Note that the head of a provider's answer has come."""
    _of(_upstream_head, provider).observe(time.perf_counter() - began)


def measure_upstream(provider: str, began: float) -> None:
    """Note that a call of a provider has ended."""
    _of(_upstream, provider).observe(time.perf_counter() - began)


def _of(histogram: Histogram, provider: str) -> Histogram:
    child = _timers.get((histogram, provider))
    if child is None:
        child = _timers[histogram, provider] = histogram.labels(provider)
    return child


def count_unlogged(outcome: Literal["refused", "let_through"]) -> None:
    """Count a request whose entry could not be written."""
    _unlogged.labels(outcome).inc()


def count_failure(cause: str) -> None:
    """Count a request that was refused for its key."""
    _failures.labels(cause).inc()


def count_refusal(cause: str) -> None:
    """Count a request with a good key that was refused for its input."""
    _refusals.labels(cause).inc()


def note_verification(*, is_intact: bool) -> None:
    """Note that the logs of some organisation have just been verified."""
    _verified.labels("intact" if is_intact else "damaged").set_to_current_time()


class Lag:
    """How far deliveries are behind, asked of the database at each scrape.

    :param read: returns how many deliveries wait, and for how many seconds the oldest does
    """

    def __init__(self, read: Callable[[], tuple[int, float]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Read the two figures. Without the database there are none; the others are told all the same."""
        try:
            waiting, age = self._read()
        except Unavailable:
            return
        yield GaugeMetricFamily("scriba_deliveries_pending", "Deliveries to webhooks that wait.", waiting)
        yield GaugeMetricFamily("scriba_deliveries_oldest_pending_seconds", "Age of the oldest of them.", age)


class _Build:
    """What is running, as a figure that is always 1."""

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("scriba_build_info", "What is running.", labels=("version", "python"))
        family.add_metric((scriba.__version__, platform.python_version()), 1)
        yield family


def exposition(further: Sequence[Collector] = ()) -> bytes:
    """Return all figures in Prometheus' text format.

    :param further: what is read only now
    """
    folder = metrics_folder()
    registry = CollectorRegistry(auto_describe=False)
    if folder is not None:
        _forget_dead_workers(folder)
        MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]  # the library's own
    else:
        registry.register(_registry)
        ProcessCollector(registry=registry)
    for collector in (_Build(), *further):
        registry.register(collector)
    return generate_latest(registry)


def _forget_dead_workers(folder: Path) -> None:
    """Leave out what was under way in processes that are gone; what they counted stays."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with suppress(FileNotFoundError):  # another worker was asked at the same time
                mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]  # see above
        except PermissionError:
            continue
