"""TLS without a proxy in front."""

from __future__ import annotations

import json
import ssl
import urllib.request
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.running import program, settings_in

from scriba.errors import SettingsError
from scriba.tls import check_tls

if TYPE_CHECKING:
    from pathlib import Path

PASSWORD = "open sesame"


class Pair(NamedTuple):
    """A certificate for 127.0.0.1 and its key, in files."""

    certificate: Path
    key: Path


def make_pair(folder: Path, password: str = "", name: str = "server") -> Pair:
    """Make a certificate that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encryption = serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
    folder.mkdir(parents=True, exist_ok=True)
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    return pair


@pytest.mark.parametrize(("password", "workers"), [(PASSWORD, 1), ("", 2)])
def test_the_server_answers_https(tmp_path: Path, password: str, workers: int) -> None:
    """The greeting names the address, and a client that trusts the certificate gets its answer there."""
    pair = make_pair(tmp_path, password)
    environ = {}
    if password:
        (tmp_path / "password").write_text(password + "\n")
        environ["SCRIBA_TLS_KEY_PASSWORD_FILE"] = str(tmp_path / "password")
    options = ("--tls-cert", str(pair.certificate), "--tls-key", str(pair.key), "--workers", str(workers))
    with program(tmp_path / "run", *options, environ=environ) as running:
        assert running.url.startswith("https://127.0.0.1:")
        context = ssl.create_default_context(cafile=str(pair.certificate))
        with urllib.request.urlopen(f"{running.url}/readyz", context=context, timeout=20) as answer:
            assert json.load(answer)["ready"] is True


def settings_error(folder: Path, toml: str) -> SettingsError:
    """Return the error that these settings are refused with."""
    with pytest.raises(SettingsError) as caught:
        check_tls(settings_in(folder / "run", toml))
    return caught.value


def test_one_without_the_other(tmp_path: Path) -> None:
    """Certificate and key go together, and the error names what is missing."""
    pair = make_pair(tmp_path)
    assert settings_error(tmp_path, f'tls_cert_file = "{pair.certificate}"').param == "tls_key_file"
    assert settings_error(tmp_path, f'tls_key_file = "{pair.key}"').param == "tls_cert_file"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """It is named with its setting."""
    pair = make_pair(tmp_path)
    error = settings_error(tmp_path, f'tls_cert_file = "{tmp_path}/gone.crt"\ntls_key_file = "{pair.key}"')
    assert error.param == "tls_cert_file"
    assert "gone.crt" in error.message


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    """Another key, no certificate, or a wrong password: one sentence and what to look at."""
    pair, other = make_pair(tmp_path), make_pair(tmp_path, PASSWORD, "other")
    (tmp_path / "text.crt").write_text("no certificate")
    for certificate, key in (
        (pair.certificate, other.key),
        (other.certificate, pair.key),
        (tmp_path / "text.crt", pair.key),
    ):
        error = settings_error(tmp_path, f'tls_cert_file = "{certificate}"\ntls_key_file = "{key}"')
        assert str(certificate) in error.message
        assert str(key) in error.message
        assert error.hint
        assert "\n" not in str(error)
