"""Certificates for the embedded mode: a CA of our own, made at first start, and the server certificate it signs."""

import datetime as dt
import ipaddress
import os
import socket
import ssl
from pathlib import Path

import httpx2
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bailee.foundation.clock import Clock
from bailee.foundation.errors import ConfigurationError
from bailee.foundation.settings import Settings

_CA_DAYS = 3650
_SERVER_DAYS = 90
_RENEW_DAYS = 30


class Certificates(msgspec.Struct, frozen=True):
    """PEM files. `ca_file` is what clients trust; empty for the system's store."""

    certificate: Path
    private_key: Path
    ca_file: Path | None


def ensure_certificates(settings: Settings, clock: Clock) -> Certificates:
    """The supplied certificate, or ours: made when missing, renewed 30 days before its end.

    Raises ConfigurationError.
    """
    web = settings.web
    if web.certificate:
        supplied = Certificates(
            Path(web.certificate), Path(web.private_key), Path(web.ca_file) if web.ca_file else None
        )
        for file in (supplied.certificate, supplied.private_key):
            if not file.is_file():
                raise ConfigurationError(f"{file} is named in the settings and cannot be read.")
        return supplied
    directory = settings.data / "tls"
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    own = Certificates(directory / "server.pem", directory / "server.key", directory / "ca.pem")
    names = _names(settings)
    if not (directory / "ca.key").exists():
        _make_ca(directory, clock)
    if _must_renew(own.certificate, names, clock):
        _make_server(directory, names, clock)
    return own


def own_endpoint(settings: Settings, certificates: Certificates) -> httpx2.AsyncClient:
    """A client of our own HTTPS endpoint, as a customer sees it: verified, and through no proxy."""
    trust = ssl.create_default_context()
    if certificates.ca_file is not None:
        trust.load_verify_locations(certificates.ca_file)
    return httpx2.AsyncClient(base_url=settings.base_url, verify=trust, timeout=30, trust_env=False)


def _names(settings: Settings) -> list[str]:
    host = settings.base_url.removeprefix("https://").split("/")[0].rsplit(":", 1)[0].strip("[]")
    own = {"localhost", "127.0.0.1", "::1", host, socket.gethostname()}
    return sorted(own | ({settings.web.host} - {"0.0.0.0", "::"}))  # noqa: S104  compared with, not bound to


def _make_ca(directory: Path, clock: Clock) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bailee local CA")])
    now = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=_CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(sign_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _write(directory / "ca.pem", certificate.public_bytes(serialization.Encoding.PEM), 0o644)
    _write(directory / "ca.key", _pem(key), 0o600)


def _make_server(directory: Path, names: list[str], clock: Clock) -> None:
    ca = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
    ca_key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
    if not isinstance(ca_key, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"{directory / 'ca.key'} is not the key that Bailee made.")
    key = ec.generate_private_key(ec.SECP256R1())
    now = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bailee")]))
        .issuer_name(ca.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=_SERVER_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    _write(directory / "server.key", _pem(key), 0o600)
    chain = certificate.public_bytes(serialization.Encoding.PEM) + ca.public_bytes(serialization.Encoding.PEM)
    _write(directory / "server.pem", chain, 0o644)


def _must_renew(path: Path, names: list[str], clock: Clock) -> bool:
    if not path.exists():
        return True
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    held = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    missing = {_general_name(name) for name in names} - set(held)
    return bool(missing) or certificate.not_valid_after_utc < clock.now() + dt.timedelta(days=_RENEW_DAYS)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
