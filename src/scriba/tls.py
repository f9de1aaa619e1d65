"""TLS without a proxy in front: the certificate and key of the settings, checked before anything starts."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from scriba.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from scriba.settings import Settings

__all__ = ["check_tls", "password_of", "unverified"]


def check_tls(settings: Settings) -> None:
    """See that certificate and key can be read and belong together.

    :raises SettingsError: naming the setting and the file
    """
    certificate, key = settings.tls_cert_file, settings.tls_key_file
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        missing = "tls_cert_file" if certificate is None else "tls_key_file"
        raise SettingsError("TLS needs a certificate and its key.", param=missing, hint=f"Set {missing} as well.")
    _read("tls_cert_file", certificate)
    _read("tls_key_file", key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # An empty password instead of none, or OpenSSL would ask for it on the terminal.
        context.load_cert_chain(certificate, key, password_of(settings) or "")
    except (ssl.SSLError, ValueError) as error:
        raise SettingsError(
            f"The certificate {certificate} and the key {key} cannot be used: {_reason(error)}.",
            param="tls_cert_file",
            hint="Both are PEM, the key belongs to the certificate, and tls_key_password_file holds its password.",
        ) from error


def password_of(settings: Settings) -> str | None:
    """Return the password of the key; None if it has none.

    :raises SettingsError: its file cannot be read
    """
    file = settings.tls_key_password_file
    return None if file is None else _read("tls_key_password_file", file).decode().strip()


def unverified() -> ssl.SSLContext:
    """Return what is needed to ask our own port, whatever name its certificate is for."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _read(setting: str, file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SettingsError(f"The file {file} cannot be read: {error.strerror}.", param=setting) from error


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or str(error) or type(error).__name__
    return str(reason).replace("_", " ").lower()
