"""A party's key and certificate: made by itself, pinned by the others through the terms. No authority stands between them."""

from __future__ import annotations

import datetime
import hashlib
import os
import ssl
from pathlib import Path

from seatrial.contracts.parties import Terms
from seatrial.errors import MissingPackage, StoreError, StudyError

KEY, CERTIFICATE = "party.key", "party.crt"
_STEP = "`seatrial party keys FOLDER --name NAME` makes a key and a certificate"


def make(folder: Path, name: str, days: int = 365) -> Path:
    """Write a private key (readable by its owner alone) and a certificate that is good for `days`; returns the certificate's file.

    Raises `StoreError` where one is already, `MissingPackage` without the package `cryptography`.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise MissingPackage(
            "keys need cryptography, which isn't installed", next_step="pip install 'seatrial[secure]'"
        ) from error
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    try:
        called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    except ValueError as error:
        raise StudyError(
            f"no certificate can hold this name: {error}", next_step="a name has 1 to 64 letters"
        ) from error
    certificate = (
        x509.CertificateBuilder(called, called, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    content = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(folder / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
            opened.write(content)
        (folder / CERTIFICATE).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    except OSError as error:
        raise StoreError(
            f"{folder / KEY} can't be written: {error.strerror}", next_step="name a folder without a key"
        ) from error
    return folder / CERTIFICATE


def fingerprint(certificate: str) -> str:
    """SHA-256 of a certificate (PEM), in hex. Raises `StudyError` for what is none."""
    try:
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.strip())).hexdigest()
    except ValueError as error:
        raise StudyError("this is no certificate (PEM)", next_step=_STEP) from error


def check(terms: Terms, role: str, folder: Path) -> None:
    """Whether the key in this folder is the one that the terms name for this role. Raises `StudyError`."""
    try:
        own = (folder / CERTIFICATE).read_text()
        if not (folder / KEY).is_file():
            raise FileNotFoundError(2, "there is no key", str(folder / KEY))
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(f"{folder} holds no key and certificate", next_step=_STEP) from error
    if fingerprint(own) != fingerprint(terms.card(role).certificate):
        raise StudyError(
            f"the certificate in {folder} isn't the one that the terms name for this role",
            next_step="name the folder of that key with `--keys`, or agree on new terms",
        )


def context(terms: Terms, folder: Path, server: bool) -> ssl.SSLContext:
    """TLS 1.3 that shows this party's certificate and takes those of the terms alone."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False  # a party is who holds its key, wherever it is
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    made.load_verify_locations(cadata="\n".join(card.certificate for card in terms.parties))
    return made


def called(certificate: str) -> str:
    """The name in a certificate (PEM), as its owner declared it. Raises `StudyError` for what is none."""
    fingerprint(certificate)
    try:
        from cryptography import x509
    except ImportError as error:
        raise MissingPackage("certificates need cryptography, which isn't installed", next_step="pip install 'seatrial[secure]'") from error  # fmt: skip
    names = x509.load_pem_x509_certificate(certificate.encode()).subject.get_attributes_for_oid(
        x509.NameOID.COMMON_NAME
    )
    return str(names[0].value) if names else "nameless"
