"""What a certificate says of itself, as far as one needs it to say why it was refused.

Read for messages only: whom to trust is decided by OpenSSL in the handshake. The bytes come from
somebody who is not trusted, so every text is cut to a length and nothing here raises.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import warnings
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec
from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

_MOST_NAMES: Final = 100
_LONGEST: Final = 200  # characters of a name
_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffc]+")


# Odd certificates, as some old CAs' are, are what this is for; nobody needs to be warned.
warnings.filterwarnings(
    "ignore", category=CryptographyDeprecationWarning, module=re.escape(__name__)
)


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate. `fingerprint`: "sha256:HEX" of its DER form, as a pin names it.

    `names`: its DNS names and addresses; without any (`common_name` alone) it names no host.
    `company`: what issuer names share inside one company: organization and domain components.
    `readable` False: it is no proper certificate, and only the fingerprint is known.
    """

    fingerprint: str
    readable: bool = False
    subject: str = ""
    issuer: str = ""
    common_name: str = ""
    names: tuple[str, ...] = ()
    not_before: datetime | None = None
    not_after: datetime | None = None
    self_issued: bool = False
    subject_key: bytes = b""  # the names' DER, to be compared
    issuer_key: bytes = b""
    company: frozenset[str] = frozenset()  # of the subject
    issuing_company: frozenset[str] = frozenset()
    issuer_on_the_web: bool = False  # it says where its issuer's certificate can be fetched

    @property
    def is_by_domain(self) -> bool:
        """Whether the issuer is named as Active Directory names things."""
        return any(part.startswith("dc=") for part in self.issuing_company)

    def covers(self, host: str) -> bool:
        """Whether it names this host (a name or an address)."""
        return any(matches(name, host) for name in self.names)


def fingerprint(der: bytes) -> str:
    """`sha256:` and 64 lower-case hexadecimal digits."""
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


def read(der: bytes) -> Certificate:
    """What the certificate says. Never raises."""
    mark = fingerprint(der)
    try:
        return _read(x509.load_der_x509_certificate(der), mark)
    except Exception:  # noqa: BLE001 - the parser's errors are many, and all mean the same
        return Certificate(fingerprint=mark)


def matches(name: str, host: str) -> bool:
    """Whether a certificate's name means this host; `*.` stands for one label (RFC 9525)."""
    name, host = name.casefold().rstrip("."), host.casefold().rstrip(".")
    if is_address(host):
        return is_address(name) and ipaddress.ip_address(name) == ipaddress.ip_address(host)
    if name.startswith("*."):
        label, dot, parent = host.partition(".")
        return bool(label and dot) and parent == name[2:]
    return name == host


def is_address(host: str) -> bool:
    """Whether this is an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _read(found: x509.Certificate, mark: str) -> Certificate:
    names: list[str] = []
    web = False
    for extension in found.extensions:
        value = extension.value
        if isinstance(value, x509.SubjectAlternativeName):
            names += value.get_values_for_type(x509.DNSName)
            names += [str(one) for one in value.get_values_for_type(x509.IPAddress)]
        elif isinstance(value, x509.AuthorityInformationAccess):
            web = any(
                one.access_method == AuthorityInformationAccessOID.CA_ISSUERS
                and str(one.access_location.value).startswith("http")
                for one in value
            )
    return Certificate(
        fingerprint=mark,
        readable=True,
        subject=_clean(found.subject.rfc4514_string()),
        issuer=_clean(found.issuer.rfc4514_string()),
        common_name=_clean(_first(found.subject, NameOID.COMMON_NAME)),
        names=tuple(_clean(name) for name in names[:_MOST_NAMES]),
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
        self_issued=found.subject == found.issuer,
        subject_key=found.subject.public_bytes(),
        issuer_key=found.issuer.public_bytes(),
        company=_company(found.subject),
        issuing_company=_company(found.issuer),
        issuer_on_the_web=web,
    )


def _company(name: x509.Name) -> frozenset[str]:
    organizations = _all(name, NameOID.ORGANIZATION_NAME)
    domain = ".".join(_all(name, NameOID.DOMAIN_COMPONENT))
    return frozenset(
        [*(f"o={one.casefold()}" for one in organizations), *([f"dc={domain}"] if domain else [])]
    )


def _all(name: x509.Name, kind: x509.ObjectIdentifier) -> Iterable[str]:
    return [str(one.value) for one in name.get_attributes_for_oid(kind)]


def _first(name: x509.Name, kind: x509.ObjectIdentifier) -> str:
    return next(iter(_all(name, kind)), "")


def _clean(text: str) -> str:
    text = _UNPRINTABLE.sub(" ", text).strip()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
