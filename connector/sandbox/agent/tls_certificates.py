"""Certificates for the simulated agent, made at start and gone with it.

An authority here is what a company has: a root, an intermediate that signs, and what they issue.
Every flaw a real server's certificate has (dates, names, self-signed) is an argument of `issue`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = dt.timedelta(days=1)
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH


class Issued(msgspec.Struct, frozen=True):
    """A certificate with its key; `above` are the certificates of its issuers, nearest first."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    above: tuple[x509.Certificate, ...] = ()

    def __repr__(self) -> str:
        return f"Issued({self.certificate.subject.rfc4514_string()!r})"

    @property
    def pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        """As a pin names it: `sha256:` and the digest of the DER form."""
        der = self.certificate.public_bytes(Encoding.DER)
        return f"sha256:{hashlib.sha256(der).hexdigest()}"

    def write(self, path: Path, *, chain: bool = True) -> Path:
        """One PEM file: key, certificate and, with `chain`, those of the issuers but the root."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        sent = [one.public_bytes(Encoding.PEM) for one in self.above[:-1]] if chain else []
        return private(path, b"".join([key, self.pem, *sent]))

    def write_pair(self, certificate: Path, key: Path) -> None:
        """The same in two files, as clients are configured: with the chain, and the key alone."""
        sent = [one.public_bytes(Encoding.PEM) for one in self.above[:-1]]
        private(certificate, b"".join([self.pem, *sent]))
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        private(key, pem)


def private(path: Path, content: bytes) -> Path:
    """A new file in the place of any other, that only its owner can read."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
    return path


def issue(
    common_name: str,
    names: Sequence[str] = (),
    *,
    by: Issued | None = None,
    is_authority: bool = False,
    use: x509.ObjectIdentifier = SERVER,
    days: tuple[int, int] = (-1, 90),
) -> Issued:
    """A certificate for `names` (host names and addresses), signed `by` another or by itself.

    `days` are its first and last day, from now.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(common_name)
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    start, end = (now + day * DAY for day in days)
    signer = key if by is None else by.key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if names:
        kinds = x509.SubjectAlternativeName([_general(name) for name in names])
        builder = builder.add_extension(kinds, critical=False)
    if not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    above = () if by is None else (by.certificate, *by.above)
    return Issued(builder.sign(signer, hashes.SHA256()), key, above)


class Authority:
    """A company's own CA: a root that clients are given, and the intermediate that issues."""

    def __init__(self, company: str = "ACME") -> None:
        self.root = issue(f"{company} Root CA", is_authority=True, days=(-30, 3650))
        self.intermediate = issue(
            f"{company} Issuing CA", by=self.root, is_authority=True, days=(-20, 1825)
        )

    def server(self, *names: str, days: tuple[int, int] = (-1, 90)) -> Issued:
        """A server's certificate; the first name is its common name too."""
        return issue(names[0], names, by=self.intermediate, days=days)

    def client(self, common_name: str, days: tuple[int, int] = (-1, 90)) -> Issued:
        """A client's certificate."""
        return issue(common_name, by=self.intermediate, use=CLIENT, days=days)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Simulated ACME"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
