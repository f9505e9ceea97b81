"""Which problem it is, where several would fit, and that the words say what to do about it."""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from connector.sage100.trust_certificate import Certificate, read
from connector.sage100.trust_diagnosis import Finding, failure_of, judge
from connector.sage100.trust_probe import Hello
from connector.sage100.trust_sentences import Failure
from connector.sage100.trust_words import Asked, Problem, remedy
from connector.sandbox.agent.tls_certificates import CLIENT, issue
from tests.sage100.test_trust import listening, refusal

NOW = datetime(2026, 11, 22, 9, 15, tzinfo=UTC)
HOST = "sage.acme.local"
ASKED = Asked(host=HOST, port=443, path="/agent")
BUNDLED = msgspec.structs.replace(ASKED, ca_bundle="acme-root.pem")
NO_ISSUER = Failure(verify_code=20, text="unable to get local issuer certificate")
NAME = Failure(verify_code=62, text="Hostname mismatch")
KEY = ec.generate_private_key(ec.SECP256R1())


@dataclasses.dataclass(frozen=True)
class Who:
    """A distinguished name."""

    cn: str
    o: str = ""
    dc: tuple[str, ...] = ()

    @property
    def name(self) -> x509.Name:
        """As X.509 has it."""
        parts = [x509.NameAttribute(NameOID.COMMON_NAME, self.cn)]
        parts += [x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.o)] if self.o else []
        parts += [x509.NameAttribute(NameOID.DOMAIN_COMPONENT, one) for one in self.dc]
        return x509.Name(parts)


ROOT = Who("ACME Root CA", "ACME")
ISSUING = Who("ACME Issuing CA", "ACME")
AD = Who("acme-DC01-CA", dc=("acme", "local"))
PUBLIC = Who("R11", "Some Public CA")


def certificate(
    who: Who,
    by: Who,
    *names: str,
    web: bool = False,
    days: tuple[int, int] = (-30, 30),
) -> bytes:
    """A certificate in DER; its signature is never looked at here."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(who.name)
        .issuer_name(by.name)
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=days[0]))
        .not_valid_after(NOW + timedelta(days=days[1]))
    )
    if names:
        alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(alternative, critical=False)
    if web:
        place = x509.UniformResourceIdentifier("http://ca.example/r11.cer")
        method = AuthorityInformationAccessOID.CA_ISSUERS
        access = x509.AuthorityInformationAccess([x509.AccessDescription(method, place)])
        builder = builder.add_extension(access, critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def leaf(by: Who = ISSUING, *names: str, **more: Any) -> bytes:
    """A server's certificate."""
    return certificate(Who((names or (HOST,))[0], "ACME"), by, *(names or (HOST,)), **more)


def verdict(
    failure: Failure,
    *sent: bytes,
    asked: Asked = ASKED,
    unnamed: bytes | None = None,
    anchors: tuple[bytes, ...] = (),
    **seen: Any,
) -> Finding:
    """What is said of this evidence."""
    return judge(
        asked,
        failure,
        Hello(**{"certificates": sent, "version": "TLS 1.2", **seen}),
        None if unnamed is None else Hello(certificates=(unnamed,)),
        [read(one) for one in anchors],
        NOW,
    )


@pytest.mark.parametrize(
    ("sent", "anchors", "asked", "problem"),
    [
        # A root of the same company is trusted, and what leads there was not sent.
        ((leaf(),), (certificate(ROOT, ROOT),), BUNDLED, "missing_intermediate"),
        # A public CA never signs with its root, and says where its certificate is.
        ((leaf(PUBLIC, web=True),), (), ASKED, "missing_intermediate"),
        # The CA of an Active Directory signs itself, and IIS sends no root.
        ((leaf(AD, web=True),), (), ASKED, "unknown_ca"),
        ((leaf(AD),), (certificate(ROOT, ROOT),), BUNDLED, "unknown_ca"),
        # The chain is whole up to a CA that nobody here knows.
        ((leaf(), certificate(ISSUING, ROOT)), (), ASKED, "unknown_ca"),
        # Something was sent along, and not what is needed.
        ((leaf(), certificate(PUBLIC, PUBLIC)), (), ASKED, "missing_intermediate"),
        # Its name is trusted, with another key: the CA was renewed.
        ((leaf(),), (certificate(ISSUING, ROOT),), BUNDLED, "unknown_ca"),
        # No certificate at all could be read.
        ((b"nonsense",), (), ASKED, "unknown_ca"),
    ],
)
def test_what_is_missing_between_server_and_trust(
    sent: tuple[bytes, ...], anchors: tuple[bytes, ...], asked: Asked, problem: Problem
) -> None:
    """An unknown CA and a missing intermediate look alike to OpenSSL, and not to us."""
    assert verdict(NO_ISSUER, *sent, anchors=anchors, asked=asked).problem == problem


@pytest.mark.parametrize(
    ("names", "unnamed", "problem", "words"),
    [
        # The NetBIOS name in the certificate, the full name in the address.
        (("sage",), None, "wrong_host", "it names sage."),
        (("sage.acme.com",), leaf(ISSUING, "intranet.acme.com"), "other_site", "intranet.acme.com"),
        (("www.acme.com",), None, "other_site", "it names www.acme.com."),
        (("*.acme.com",), None, "wrong_host", "it names *.acme.com."),
    ],
)
def test_a_wrong_name_or_another_site(
    names: tuple[str, ...], unnamed: bytes | None, problem: Problem, words: str
) -> None:
    """The same machine by another name needs another address; another site needs a binding."""
    found = verdict(NAME, leaf(ISSUING, *names), unnamed=unnamed)
    assert found.problem == problem
    assert words in found.what


def test_the_default_site_answers_for_a_name_without_a_binding() -> None:
    """Shown the same without SNI: IIS has fallen back on its default."""
    shown = leaf(ISSUING, "www.acme.com")
    found = verdict(NAME, shown, unnamed=shown)
    assert found.problem == "other_site"
    assert "no binding for this host name" in found.what
    assert f"Host name = {HOST}" in found.remedy


@pytest.mark.parametrize(
    ("failure", "seen", "problem"),
    [
        (Failure(reason="SSLV3_ALERT_HANDSHAKE_FAILURE"), {"asks": True}, "client_certificate"),
        (Failure(reset=True), {"asks": True}, "client_certificate"),
        (Failure(reason="TLSV1_ALERT_UNKNOWN_CA"), {"asks": True}, "client_certificate"),
        (Failure(reason="TLSV13_ALERT_CERTIFICATE_REQUIRED"), {}, "client_certificate"),
        (Failure(reason="SSLV3_ALERT_HANDSHAKE_FAILURE"), {}, "no_cipher"),
        (Failure(reason="UNSUPPORTED_PROTOCOL"), {}, "old_tls"),
        (Failure(reason="TLSV1_ALERT_INTERNAL_ERROR"), {"alert": 70}, "old_tls"),
        (Failure(reset=True), {"version": "TLS 1.0"}, "old_tls"),
        (Failure(reset=True), {}, "reset"),
        (Failure(verify_code=66, text="EE certificate key too weak"), {}, "unsuitable"),
        (Failure(verify_code=68, text="CA signature digest algorithm too weak"), {}, "unsuitable"),
        (Failure(reason="EE_KEY_TOO_SMALL"), {}, "unsuitable"),
        (Failure(verify_code=23, text="certificate revoked"), {}, "unclear"),
    ],
)
def test_the_server_s_behaviour_tells(
    failure: Failure, seen: dict[str, Any], problem: Problem
) -> None:
    """Alerts, versions and requests of the server decide where no certificate is to blame."""
    found = verdict(failure, leaf(), **seen)
    assert found.problem == problem
    assert found.certificate is not None


def test_every_flaw_is_named_at_once() -> None:
    """OpenSSL stops at the first; the administrator hears of all and mends them once."""
    found = verdict(NO_ISSUER, leaf(AD, "other.acme.local", days=(-60, -2)))
    assert found.problem == "unknown_ca"
    assert f"Besides, it does not name {HOST}." in found.what
    assert "Besides, it expired on 2026-11-20" in found.what
    assert "clock: 2026-11-22 09:15 UTC" in found.what


def test_what_is_no_certificate_is_shown_by_its_digest() -> None:
    """Even nonsense has a fingerprint by which it can be recognised."""
    found = verdict(NO_ISSUER, b"nonsense")
    assert "no certificate, sha256:" in found.what
    assert found.certificate == Certificate(fingerprint=read(b"nonsense").fingerprint)


def test_a_hostile_name_stays_short_and_on_one_line() -> None:
    """What a certificate says gets into logs: no control characters, no endless names."""
    shown = certificate(Who("x\r\n\x1b[31m" + "y" * 40, "z" * 60), ISSUING, *["a" * 60] * 300)
    found = verdict(NAME, shown)
    assert found.what.isprintable()
    assert len(found.what) < 1_500
    assert found.certificate is not None
    assert len(found.certificate.names) == 100


@pytest.mark.parametrize("problem", get_args(Problem))
@pytest.mark.parametrize("shown", [None, read(leaf()), read(b"nonsense")])
@pytest.mark.parametrize(
    "asked", [ASKED, BUNDLED, msgspec.structs.replace(ASKED, pin="sha256:00", presents=True)]
)
def test_every_problem_has_its_remedy(
    problem: Problem, shown: Certificate | None, asked: Asked
) -> None:
    """Whatever is known, a remedy is a sentence, and none of them is to trust less."""
    text = remedy(problem, asked, shown)
    assert len(text) > 80
    assert text.endswith(".")
    assert "None" not in text
    assert "verify" not in text.lower()
    places = ("IIS Manager", "certlm.msc", "PowerShell", "registry", "gpedit", "clock")
    assert any(place in text for place in places)


def test_what_is_no_handshake_is_left_to_others() -> None:
    """A time-out or a refused connection says nothing about certificates."""
    assert failure_of(TimeoutError()) is None
    assert failure_of(ConnectionRefusedError()) is None
    assert failure_of(ConnectionResetError()) == Failure(reset=True, text="connection reset")
    deep = ValueError("outer")
    deep.__cause__ = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    assert failure_of(deep) is not None


# ---------------------------------------------------------------- over real sockets


async def test_a_certificate_for_clients_is_not_one_for_servers() -> None:
    """The wrong purpose is named, and where to choose another certificate."""
    async with listening() as sim:
        ca = sim.tls.authority.intermediate
        wrong = await asyncio.to_thread(issue, "localhost", ("localhost",), by=ca, use=CLIENT)
        sim.tls.show(wrong)
        error = await refusal(sim)
        assert sim.tls.application_bytes == 0
    assert error.problem == "unsuitable"
    assert "server authentication" in error.remedy


async def test_an_expired_ca_is_told_from_an_expired_server() -> None:
    """The dates that are wrong are those of the CA above, and so is the name in the sentence."""
    async with listening() as sim:
        old = await asyncio.to_thread(
            issue, "Old Issuing CA", by=sim.tls.authority.root, is_authority=True, days=(-90, -2)
        )
        sim.tls.show(await asyncio.to_thread(issue, "localhost", ("localhost",), by=old))
        error = await refusal(sim)
    assert error.problem == "expired"
    assert "The CA certificate CN=Old Issuing CA" in error.what


async def test_old_cipher_suites_are_told_from_a_missing_certificate() -> None:
    """A server that speaks TLS 1.2 with old suites only is told which ones are needed."""
    async with listening() as sim:
        sim.tls.context.maximum_version = ssl.TLSVersion.TLSv1_2
        for site in sim.tls._sites.values():
            site.set_ciphers("ECDHE-ECDSA-CAMELLIA128-SHA256")
        error = await refusal(sim)
        assert sim.tls.application_bytes == 0
    assert error.problem == "no_cipher"
    assert "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" in error.remedy
