"""Secret files appear whole or not at all, for their owner alone, and once however many make them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from scriba.errors import SettingsError
from scriba.storage.private_files import make_secret, read_secret, write_private

if TYPE_CHECKING:
    from pathlib import Path

    from scriba.domain.secret import Secret

MAKERS = 8


def test_of_many_who_make_a_secret_all_get_the_same(tmp_path: Path) -> None:
    """Promise: first starts at the same moment never seal with two secrets, and none of them fails."""
    path = tmp_path / "data" / "deployment.secret"
    together = Barrier(MAKERS)

    def make(_: int) -> Secret[bytes]:
        together.wait()
        return make_secret(path)

    with ThreadPoolExecutor(MAKERS) as pool:
        made = {secret.reveal() for secret in pool.map(make, range(MAKERS))}
    kept = read_secret(path)
    assert kept is not None
    assert made == {kept.reveal()}
    assert list(path.parent.iterdir()) == [path]


def test_a_secret_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    """Promise: no later process puts its own secret in place of the one that the logs are sealed with."""
    path = tmp_path / "deployment.secret"
    first = make_secret(path)
    assert make_secret(path) == first


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: Scriba starts on network shares, too; any other error is told."""
    path = tmp_path / "deployment.secret"

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    code = errno.EIO
    with pytest.raises(OSError, match=os.strerror(code)):
        make_secret(path)
    assert list(tmp_path.iterdir()) == []
    code = errno.EPERM
    assert make_secret(path) == read_secret(path)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promise: no half secret bricks the next start, and the error names the file."""
    path = tmp_path / "deployment.secret"

    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match=r"No space.*deployment\.secret"):
            make_secret(path)
    assert list(tmp_path.iterdir()) == []
    assert make_secret(path) == read_secret(path)


def test_a_killed_process_leaves_no_half_secret(tmp_path: Path) -> None:
    """Promise: whenever the first start is interrupted, the next one makes the secret."""
    path = tmp_path / "deployment.secret"
    program = (
        "import os, sys, pathlib; from scriba.storage.private_files import make_secret;"
        "os.fsync = lambda _: os._exit(9); make_secret(pathlib.Path(sys.argv[1]))"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 9
    assert read_secret(path) is None
    assert make_secret(path) == read_secret(path)


@pytest.mark.parametrize("content", [b"", b"\xff"])
def test_a_file_without_a_secret_names_the_way_out(tmp_path: Path, content: bytes) -> None:
    """Promise: somebody who has logged nothing yet learns that the file may go."""
    path = tmp_path / "deployment.secret"
    path.write_bytes(content)
    path.chmod(0o600)
    for open_ in (read_secret, make_secret):
        with pytest.raises(SettingsError, match=r"64 hexadecimal digits.*backup.*delete the file"):
            open_(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_the_owner_gets_at_the_files(tmp_path: Path) -> None:
    """Promise: folder and files are made for their owner alone, also where a file is replaced."""
    path = tmp_path / "data" / "admin.key"
    write_private(path, "first")
    path.chmod(0o644)
    write_private(path, "second")
    assert path.read_text() == "second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
