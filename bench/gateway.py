"""Scriba beside a plain upstream and beside nginx as a proxy, on this machine: `make bench-gateway`.

Prints requests/s, latency and CPU for each. The figure that travels is CPU per request: user and system time of the
server's processes by requests, the durable entry included. Everything runs on the loopback; the whole takes about a
minute. Load comes from wrk if it is installed, else from a small client of its own, which is slower: then the columns
of requests/s and latency say more about the client.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from scriba.bootstrap import open_services
from scriba.settings import load_settings
from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CONCURRENCY: Final = (1, 16, 64)
BODIES: Final = 512
SEED: Final = 2023
START_SECONDS: Final = 30

_LENGTH: Final = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_NGINX_TEMPORARY: Final = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")

PROMPT_TOKENS: Final = (
    *(67, 181, 218, 376, 394, 404, 430, 804, 985, 1029),
    *(1062, 1098, 1145, 1278, 1469, 1925, 2433, 3196, 4084, 6055),
)
"""Middles of twenty equal parts of `ContextTokens` in the Azure LLM inference traces of 2023, conversation and code
together: 28 185 requests, 1 434 tokens on average (https://github.com/Azure/AzurePublicDataset)."""

BYTES_A_TOKEN: Final = 4

ANSWER: Final = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_750_000_000,
        "model": "gpt-4o",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "word " * 70}, "finish_reason": "stop"},
        ],
        "usage": {"prompt_tokens": 1434, "completion_tokens": 70, "total_tokens": 1504},
    }
).encode()

WRK_SCRIPT: Final = """
local bodies, count = {}, 0
for line in io.lines(os.getenv("BENCH_BODIES")) do count = count + 1; bodies[count] = line end
local number = 0
wrk.method = "POST"
wrk.path = "/v1/chat/completions"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY")
request = function() number = number % count + 1; return wrk.format(nil, nil, nil, bodies[number]) end
done = function(summary, latency)
  local failed = summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.status + summary.errors.timeout
  print(string.format("BENCH %d %d %d %d %d", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99)))
end
"""


class Load(NamedTuple):
    """What the client saw. Latencies are in ms."""

    requests: int
    seconds: float
    failed: int
    p50: float
    p99: float


class Server(NamedTuple):
    """A server under load. `key` is the API key that it takes."""

    name: str
    port: int
    pid: int
    key: str = "none"


class Row(NamedTuple):
    """One line of the table."""

    name: str
    concurrency: int
    rate: float
    p50: float
    p99: float
    cpu_us: float
    rss_mb: float


def main() -> None:
    """Start everything, measure in turn, print."""
    options = _options()
    if options.answer_on:
        asyncio.run(_answer_on(options.answer_on))
        return
    bodies = draw_bodies(options.trace)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="scriba-bench-", dir=options.folder)))
        (folder / "bodies").write_bytes(b"\n".join(bodies) + b"\n")
        servers = [stack.enter_context(serve_upstream(folder))]
        upstream = servers[0].port
        if shutil.which("nginx"):
            servers.append(stack.enter_context(serve_nginx(folder, upstream)))
        else:
            print("nginx is not on PATH: no proxy to compare with")
        servers.append(stack.enter_context(serve_scriba(folder, upstream)))
        print_setting(folder, bodies, options.seconds)
        rows = [measure(server, count, folder, options.seconds) for count in CONCURRENCY for server in servers]
    print_ratios(rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", nargs="*", type=Path, help="CSV files with a column ContextTokens to draw sizes from")
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement (default: 5)")
    parser.add_argument("--folder", type=Path, help="where the database goes; its disk matters")
    parser.add_argument("--answer-on", type=int, metavar="PORT", help=argparse.SUPPRESS)
    return parser.parse_args()


def draw_bodies(traces: Sequence[Path]) -> list[bytes]:
    """Make bodies of one line each, with sizes drawn from a trace; always the same ones."""
    tokens: Sequence[int] = PROMPT_TOKENS
    if traces:
        tokens = [int(row["ContextTokens"]) for trace in traces for row in csv.DictReader(trace.open())]
    draw = random.Random(SEED)
    return [_body(draw.choice(tokens) * BYTES_A_TOKEN) for _ in range(BODIES)]


def _body(size: int) -> bytes:
    text = ('The quick brown fox said: "jump".\n' * (size // 32 + 1))[:size]
    messages = [{"role": "system", "content": "You are a helpful assistant."}, {"role": "user", "content": text}]
    return json.dumps({"model": "gpt-4o", "messages": messages, "temperature": 0.2, "max_tokens": 256}).encode()


# Servers


@contextmanager
def serve_upstream(folder: Path) -> Iterator[Server]:
    """Run what answers at once: nginx if it is there, else a small server in Python."""
    if shutil.which("nginx"):
        block = f"location / {{ default_type application/json; return 200 '{ANSWER.decode()}'; }}"
        with _nginx(folder / "upstream", "", block, core=1) as (port, pid):
            yield Server("upstream alone (nginx)", port, pid)
    else:
        port = _free_port()
        with _process([sys.executable, __file__, "--answer-on", str(port)], port, core=1) as pid:
            yield Server("upstream alone (Python)", port, pid)


@contextmanager
def serve_nginx(folder: Path, upstream: int) -> Iterator[Server]:
    """Run nginx as a proxy with kept connections, one worker."""
    pool = f"upstream there {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}"
    block = 'location / { proxy_pass http://there; proxy_http_version 1.1; proxy_set_header Connection ""; }'
    with _nginx(folder / "proxy", pool, block, core=0) as (port, pid):
        yield Server("nginx as a proxy", port, pid)


@contextmanager
def serve_scriba(folder: Path, upstream: int) -> Iterator[Server]:
    """Run Scriba as a user does, with one organisation, one policy and one key."""
    port = _free_port()
    config = folder / "scriba.toml"
    config.write_text(
        f'data_dir = "{folder / "data"}"\nport = {port}\n'
        f'[providers.openai]\nbase_url = "http://127.0.0.1:{upstream}/v1"\napi_key_env = "BENCH_UPSTREAM_KEY"\n'
    )
    environ = os.environ | {"BENCH_UPSTREAM_KEY": "sk-bench"}
    key = _first_key(config, environ)
    command = [sys.executable, "-m", "scriba", "serve", "--config", str(config)]
    with _process(command, port, core=0, environ=environ) as pid:
        yield Server("Scriba, durable", port, pid, key)


def _first_key(config: Path, environ: dict[str, str]) -> str:
    services = open_services(load_settings(config, environ))
    org = services.control.create_organisation("bench", actor=COMMAND_LINE)
    rules = {
        "blockChinaProviders": True,
        "minimumTrustTier": "trusted",
        "requireSoc2": True,
        "enforcement": "hard_block",
    }
    policy = {"name": "Production", "isDefault": True, "rules": rules}
    services.control.create_policy(org.id, policy, vendors=services.vendors, actor=COMMAND_LINE)
    _, key = services.control.create_key(org.id, role=Role.APP, actor=COMMAND_LINE)
    services.store.database.close()
    return key


@contextmanager
def _nginx(folder: Path, http: str, server: str, *, core: int) -> Iterator[tuple[int, int]]:
    port = _free_port()
    folder.mkdir()
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in _NGINX_TEMPORARY)
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log stderr error;"
        "events { worker_connections 4096; }"
        f"http {{ access_log off; keepalive_requests 1000000000; client_max_body_size 64m; {temporary}"
        f"client_body_buffer_size 256k; {http} server {{ listen 127.0.0.1:{port}; {server} }} }}"
    )
    with _process(["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], port, core=core) as pid:
        yield port, pid


@contextmanager
def _process(command: Sequence[str], port: int, *, core: int, environ: dict[str, str] | None = None) -> Iterator[int]:
    """Run a command until the block ends, once it listens; on a core of its own if there are two."""
    process = subprocess.Popen([*_pinned(core), *command], env=environ, stdout=subprocess.DEVNULL)
    try:
        _await_port(port)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _pinned(core: int) -> list[str]:
    return ["taskset", "-c", str(core)] if shutil.which("taskset") and (os.cpu_count() or 1) > 1 else []


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _await_port(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nothing listens on port {port} after {START_SECONDS} s")


class _Answering(asyncio.Protocol):
    """Answers every complete request with the same bytes."""

    _HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._pending = b""

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._pending, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._pending) < whole:
                return
            self._pending = self._pending[whole:]
            assert isinstance(self._transport, asyncio.Transport)
            self._transport.write(self._HEAD % len(ANSWER) + ANSWER)


async def _answer_on(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", port)
    await server.serve_forever()


# Load


def measure(server: Server, concurrency: int, folder: Path, seconds: int) -> Row:
    """Load a server, after a second of warming up, and print its line."""
    run = _wrk if shutil.which("wrk") else _own_client
    run(server, concurrency, folder, 1)
    pids = _family(server.pid)
    before = _cpu_seconds(pids)
    load = run(server, concurrency, folder, seconds)
    cpu = _cpu_seconds(pids) - before
    if load.failed:
        raise SystemExit(f"{load.failed} of {load.requests} requests to {server.name} failed")
    rate = load.requests / load.seconds
    row = Row(server.name, concurrency, rate, load.p50, load.p99, cpu / load.requests * 1e6, _rss_mb(pids))
    print(
        f"{row.name:26} {row.concurrency:3}  {row.rate:9,.0f}  {row.p50:7.2f}  {row.p99:7.2f}"
        f"  {row.cpu_us:9.1f}  {row.rss_mb:6.0f}",
        flush=True,
    )
    return row


def _wrk(server: Server, concurrency: int, folder: Path, seconds: int) -> Load:
    script = folder / "load.lua"
    script.write_text(WRK_SCRIPT)
    output = subprocess.run(
        [
            *_pinned(1),
            "wrk",
            "-t1",
            f"-c{concurrency}",
            f"-d{seconds}s",
            "-s",
            script,
            f"http://127.0.0.1:{server.port}",
        ],
        env=os.environ | {"BENCH_BODIES": str(folder / "bodies"), "BENCH_KEY": server.key},
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + START_SECONDS,
    ).stdout
    requests, micros, failed, p50, p99 = map(int, output.rpartition("BENCH ")[2].split())
    return Load(requests, micros / 1e6, failed, p50 / 1e3, p99 / 1e3)


def _own_client(server: Server, concurrency: int, folder: Path, seconds: int) -> Load:
    bodies = (folder / "bodies").read_bytes().splitlines()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {server.key}\r\nContent-Length: %d\r\n\r\n"
    )
    requests = itertools.cycle([(head % len(body)).encode() + body for body in bodies])
    return asyncio.run(_load(server.port, concurrency, requests, seconds))


async def _load(port: int, concurrency: int, requests: Iterator[bytes], seconds: int) -> Load:
    began = time.monotonic()
    clients = [_client(port, requests, began + seconds) for _ in range(concurrency)]
    results = await asyncio.gather(*clients)
    elapsed = time.monotonic() - began
    times = sorted(time for times, _ in results for time in times)
    failed = sum(failed for _, failed in results)
    return Load(len(times), elapsed, failed, statistics.median(times), times[int(len(times) * 0.99)])


async def _client(port: int, requests: Iterator[bytes], until: float) -> tuple[list[float], int]:
    """Send one request after the other on one connection; returns times in ms and how many were not answered by 200."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    times, failed = [], 0
    while (began := time.monotonic()) < until:
        writer.write(next(requests))
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        assert length is not None, head
        await reader.readexactly(int(length[1]))
        failed += not head.startswith(b"HTTP/1.1 200")
        times.append((time.monotonic() - began) * 1e3)
    writer.close()
    return times, failed


# Figures


def _family(pid: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [pid, *map(int, children.read_text().split())] if children.exists() else [pid]


def _cpu_seconds(pids: Sequence[int]) -> float:
    """User and system time of processes; not a number where there is no /proc."""
    total = 0
    for pid in pids:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists():
            return float("nan")
        fields = stat.read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def _rss_mb(pids: Sequence[int]) -> float:
    """Resident memory of processes, in MB; not a number where there is no /proc."""
    if not Path(f"/proc/{pids[0]}").exists():
        return float("nan")
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def print_setting(folder: Path, bodies: Sequence[bytes], seconds: int) -> None:
    """Print what the figures depend on, and the head of the table."""
    client = "wrk" if shutil.which("wrk") else "the small client of this file (wrk is not on PATH)"
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, load from {client}, {seconds} s each")
    print(
        f"{len(bodies)} bodies of {statistics.mean(map(len, bodies)):,.0f} bytes on average, answers of {len(ANSWER)}"
    )
    print(f"a commit to this disk takes {_sync_ms(folder):.2f} ms\n")
    print(f"{'':26}   c  requests/s   p50 ms   p99 ms  CPU us/req  RSS MB")


def _sync_ms(folder: Path) -> float:
    """Median time of a small write with fsync, in ms."""
    times = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(50):
            began = time.monotonic()
            file.write(b"x" * 4096)
            os.fsync(file.fileno())
            times.append((time.monotonic() - began) * 1e3)
    return statistics.median(times)


def print_ratios(rows: Sequence[Row]) -> None:
    """Print Scriba by each of the others, in pairs of the same concurrency."""
    *others, scriba = sorted({row.name for row in rows}, key=[row.name for row in rows].index)
    table = {(row.name, row.concurrency): row for row in rows}
    print()
    for other in others:
        for count in CONCURRENCY:
            mine, theirs = table[scriba, count], table[other, count]
            print(
                f"{scriba} : {other}, c={count}: {mine.rate / theirs.rate:.2f} x the requests/s,"
                f" {mine.cpu_us / theirs.cpu_us:.1f} x the CPU"
            )


if __name__ == "__main__":
    main()
