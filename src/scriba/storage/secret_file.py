"""The file of the deployment secret, which signs and seals the logs and is never in the database."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Final

from scriba.domain.secret import Secret
from scriba.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["make_secret", "read_secret"]

_SECRET_BYTES: Final = 32


def read_secret(path: Path) -> Secret[bytes] | None:
    """Read the deployment secret; None if there is no file.

    :raises SettingsError: the file holds something else, or others may read it
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text("ascii").strip()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The deployment secret {path} cannot be read: {error}.") from error
    if os.name != "nt" and mode & 0o077:
        raise SettingsError(f"Others may read the deployment secret {path}.", hint=f"Run: chmod 600 {path}")
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) < _SECRET_BYTES:
        raise SettingsError(
            f"The file {path} does not hold a deployment secret: it needs 64 hexadecimal digits or more."
        )
    return Secret(secret)


def make_secret(path: Path) -> Secret[bytes]:
    """Make a deployment secret in a new file that only its owner can read (mode 0600).

    :raises FileExistsError: there is one already
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    secret = secrets.token_bytes(_SECRET_BYTES)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return Secret(secret)
