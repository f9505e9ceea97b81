"""Certificates for the simulated agent, made at start and gone with it.

An authority here is what a company has: a root, an intermediate that signs, and what they issue.
Every flaw a real server's certificate has (dates, names, self-signed) is an argument of `issue`.
Files of them take the place of their like only: a real company's ca.pem is never written over.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from connector.sandbox.agent.private_files import Unfit, private

DAY = dt.timedelta(days=1)
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
_COMPANY: Final = "Simulated ACME"  # by which our certificates are known again


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
        return place(path, b"".join([key, self.pem, *sent]))

    def write_pair(self, certificate: Path, key: Path) -> None:
        """The same in two files, as clients are configured: with the chain, and the key alone.

        Raises Unfit for a key that is not that of our certificate beside it, and changes nothing.
        """
        if not _is_free(key) and not _is_key_of(key, certificate):
            raise _not_ours(key)
        sent = [one.public_bytes(Encoding.PEM) for one in self.above[:-1]]
        place(certificate, b"".join([self.pem, *sent]))
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        private(key, pem)


def place(path: Path, content: bytes) -> Path:
    """Write a file of certificates, in the place of one of ours only. Raises Unfit."""
    if not _is_free(path) and not _ours(path):
        raise _not_ours(path)
    return private(path, content)


def _is_free(path: Path) -> bool:
    """Whether nothing is lost there."""
    try:
        return path.stat().st_size == 0
    except OSError:
        return not path.is_symlink()


def _ours(path: Path) -> list[x509.Certificate]:
    """The certificates in a file; none when any of them is not of the made-up company."""
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        return []
    made = [one.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME) for one in found]
    return found if all([name.value for name in names] == [_COMPANY] for names in made) else []


def _is_key_of(key: Path, certificate: Path) -> bool:
    try:
        public = load_pem_private_key(key.read_bytes(), None).public_key()
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return any(one.public_key() == public for one in _ours(certificate))


def _not_ours(path: Path) -> Unfit:
    remedy = "Name another folder, or move that file away."
    return Unfit("this file was not made by a simulated agent: it is left as it is", path, remedy)


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
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _COMPANY),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
