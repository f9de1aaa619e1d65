"""A first start ends with keys that work, however often it is interrupted and however many start at once."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from tests.running import program, settings_in

from scriba import first_start
from scriba.bootstrap import open_services
from scriba.first_start import DEMO, DemoKeys, make_default, make_demo
from scriba.storage.control import Control
from scriba.storage.model import COMMAND_LINE, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scriba.services import Services

STARTS = 3


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@contextmanager
def opened(folder: Path) -> Iterator[Services]:
    """Open the services of one process."""
    services = open_services(settings_in(folder))
    try:
        yield services
    finally:
        services.store.database.close()


def killed_at(call: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function that ends the process at its so-and-so-many-th call."""
    calls = iter(range(1, 100))

    def wrapped(*arguments: Any, **named: Any) -> Any:
        if next(calls) == call:
            raise Killed
        return function(*arguments, **named)

    return wrapped


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [(Control, "create_key", 1), (first_start, "write_private", 1), (first_start, "write_private", 2)],
)
def test_an_interrupted_first_start_leaves_no_deployment_without_an_admin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, call: int
) -> None:
    """Promise: wherever it was killed, the next start makes an admin key, shows it, and puts it into the file."""
    with opened(tmp_path) as services, monkeypatch.context() as patch:
        patch.setattr(owner, name, killed_at(call, getattr(owner, name)))
        with pytest.raises(Killed):
            make_default(services)
    with opened(tmp_path) as services:
        key = make_default(services)
        assert key is not None
        assert services.authenticator.identify(key).role is Role.ADMIN
        assert services.settings.admin_key_path.read_text() == key + "\n"
        assert make_default(services) is None


def test_the_admin_key_is_made_once(tmp_path: Path) -> None:
    """Promise: who put the key elsewhere and deleted the file is not given another one, nor who made organisations."""
    with opened(tmp_path) as services:
        assert make_default(services) is not None
        services.settings.admin_key_path.unlink()
        assert make_default(services) is None
        assert not services.settings.admin_key_path.exists()
    with opened(tmp_path / "own") as services:
        services.control.create_organisation("acme", actor=COMMAND_LINE)
        assert make_default(services) is None


@pytest.mark.parametrize(("name", "call"), [("create_policy", 1), ("create_policy", 2), ("create_key", 2)])
def test_an_interrupted_demo_is_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, call: int) -> None:
    """Promise: wherever it was killed, the next start has keys and both policies."""
    with opened(tmp_path) as services, monkeypatch.context() as patch:
        patch.setattr(Control, name, killed_at(call, getattr(Control, name)))
        with pytest.raises(Killed):
            make_demo(services)
    with opened(tmp_path) as services:
        keys = make_demo(services)
        assert make_demo(services) == keys
        assert_good(services, keys)


def test_demo_keys_that_are_no_longer_good_are_replaced(tmp_path: Path) -> None:
    """Promise: `--demo` starts after its key was revoked, or its file damaged."""
    with opened(tmp_path) as services:
        first = make_demo(services)
        principal = services.authenticator.identify(first.app)
        services.control.revoke_key(principal.org_id, principal.key_id, actor=COMMAND_LINE)
        second = make_demo(services)
        assert_good(services, second)
        services.settings.demo_keys_path.write_bytes(b"\xff")
        assert_good(services, make_demo(services))


def test_demos_at_the_same_moment_all_work(tmp_path: Path) -> None:
    """Promise: no start fails because another one makes the same organisation and policies."""
    together = Barrier(STARTS, timeout=60)

    def start(services: Services) -> DemoKeys:
        together.wait()
        return make_demo(services)

    with ExitStack() as stack, ThreadPoolExecutor(STARTS) as pool:
        processes = [stack.enter_context(opened(tmp_path)) for _ in range(STARTS)]
        for services, keys in zip(processes, pool.map(start, processes), strict=True):
            assert_good(services, keys)


def test_first_starts_at_the_same_moment_all_serve(tmp_path: Path) -> None:
    """Promise: several real processes may begin the same deployment together."""
    together = Barrier(STARTS, timeout=60)

    def start(_: int) -> str:
        together.wait()
        with program(tmp_path, "--demo") as server:
            together.wait()  # nobody stops before all are there
            return server.greeting

    with ThreadPoolExecutor(STARTS) as pool:
        greetings = list(pool.map(start, range(STARTS)))
    assert all("Try it" in greeting for greeting in greetings)
    assert any("This is the first start" in greeting for greeting in greetings)
    made = [tmp_path / "data", *(path for path in (tmp_path / "data").rglob("*") if path.is_file())]
    assert os.name == "nt" or {path.stat().st_mode & 0o077 for path in made} == {0}
    assert not [path.name for path in made if path.suffix == ".new"]


def assert_good(services: Services, keys: DemoKeys) -> None:
    """Check that keys are good, and that their organisation has both policies."""
    app, auditor = (services.authenticator.identify(key) for key in (keys.app, keys.auditor))
    assert (app.role, app.org_name, app.policy_slot, app.allowed_slots) == (Role.APP, DEMO, 1, (2,))
    assert auditor.role is Role.AUDITOR
    assert [policy.tag_slot for policy in services.control.policies_of(app.org_id)] == [1, 2]
