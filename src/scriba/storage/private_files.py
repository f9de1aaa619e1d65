"""Files that only their owner can read, the deployment secret first of all: it signs and seals the logs.

Every file appears whole or not at all, whatever is interrupted, and outlives a power cut.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from scriba.domain.secret import Secret
from scriba.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["make_secret", "read_secret", "sync_folder", "write_private"]

_SECRET_BYTES: Final = 32
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.ENOSYS})
"""How a file system says that it has no hard links."""


def read_secret(path: Path) -> Secret[bytes] | None:
    """Read the deployment secret; None if there is no file.

    :raises SettingsError: the file holds something else, or others may read it
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise _no_secret(path) from None
    except OSError as error:
        raise SettingsError(f"The deployment secret {path} cannot be read: {error}.") from error
    if os.name != "nt" and mode & 0o077:
        raise SettingsError(f"Others may read the deployment secret {path}.", hint=f"Run: chmod 600 {path}")
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) < _SECRET_BYTES:
        raise _no_secret(path)
    return Secret(secret)


def make_secret(path: Path) -> Secret[bytes]:
    """Make a deployment secret in a new file that only its owner can read (mode 0600).

    Of several processes that do so at once, all get the secret of the one whose file was there first.

    :raises SettingsError: there is a file already that holds no secret
    """
    with _fresh(path, secrets.token_bytes(_SECRET_BYTES).hex() + "\n") as fresh:
        try:
            os.link(fresh, path)  # unlike a rename it never replaces a file
        except FileExistsError:
            pass
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            fresh.replace(path)  # whoever comes last wins here; both read the file below
    if (secret := read_secret(path)) is None:
        raise SettingsError(f"The deployment secret {path} was taken away while it was made.", hint="Start again.")
    return secret


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read (mode 0600), in place of the one that is there."""
    with _fresh(path, text) as fresh:
        fresh.replace(path)


@contextmanager
def _fresh(path: Path, text: str) -> Iterator[Path]:
    """Write a file beside `path`, under a name of its own, for the block to put in place."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    try:
        _write(fresh, text)
        yield fresh
        sync_folder(path.parent)
    finally:
        fresh.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:  # a full disk names no file by itself
        raise OSError(error.errno, error.strerror, str(path)) from error


def sync_folder(folder: Path) -> None:
    """Make the new name itself durable, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _no_secret(path: Path) -> SettingsError:
    return SettingsError(
        f"The file {path} does not hold a deployment secret: it needs 64 hexadecimal digits or more.",
        hint="Put it back from a backup. If no log was begun with it yet, delete the file: the next start makes a new "
        "one, or `scriba init` on PostgreSQL.",
    )
