"""Log-ons over TLS: bound to the server's certificate, and a certificate of our own for the key."""

from __future__ import annotations

import hashlib
import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from connector.config.settings import AuthSettings, Sage100Settings, TlsSettings
from connector.errors import Misconfigured
from connector.opening import agent_of
from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials, Scheme
from connector.sage100.auth_certificate import ClientCertificate
from connector.sage100.auth_handshake import bindings_of
from connector.sage100.errors import LogonRefused, TlsRefused
from connector.sage100.retry import ONCE
from connector.sage100.trust import Trust
from connector.sandbox.agent import SimulatedAgent
from connector.sandbox.agent.tls_certificates import DAY, Authority, Issued
from connector.secret import Secret
from tests.sage100.logons import iis, logging_on, read_pages
from tests.sage100.wire import NOW

both = pytest.mark.parametrize("scheme", ["negotiate", "ntlm"])


def key_of(issued: Issued) -> Secret:
    """The private key as PEM text."""
    pem = issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Secret(pem.decode())


def shown(issued: Issued, folder: Path) -> ClientCertificate:
    """This certificate as the configuration gives it: a file, and a secret."""
    path = folder / "client.pem"
    chain = [one.public_bytes(Encoding.PEM) for one in issued.above[:-1]]
    path.write_bytes(b"".join([issued.pem, *chain]))
    return ClientCertificate(path, key_of(issued))


def with_certificate(
    sim: SimulatedAgent, certificate: ClientCertificate | None, scheme: Scheme = "negotiate"
) -> Agent:
    """A client without an API key."""
    trust = Trust(sim.endpoint, ca_bundle=sim.tls.ca_bundle, identity=certificate)
    credentials = Credentials(
        scheme=scheme,
        username=sim.username,
        password=Secret(sim.password),
        certificate=certificate,
    )
    return Agent(sim.endpoint, credentials=credentials, trust=trust, retry=ONCE)


@both
async def test_a_log_on_is_bound_to_the_certificate(scheme: Scheme) -> None:
    """A server that demands extended protection lets us in: the log-on names its certificate."""
    async with iis(tls="good", extended_protection=True) as sim:
        trust = Trust(sim.endpoint, ca_bundle=sim.tls.ca_bundle)
        async with logging_on(sim, scheme, trust=trust) as agent:
            await read_pages(agent, 5)
        assert sum(sim.calls.handshakes.values()) == sum(sim.calls.logons.values()) == 1


@both
async def test_a_log_on_bound_to_another_certificate_is_refused(
    scheme: Scheme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody in between would pass on is worth nothing elsewhere."""
    other = Authority("OTHER").server("localhost")
    der = other.certificate.public_bytes(Encoding.DER)
    monkeypatch.setattr(
        "connector.sage100.auth_logon.bindings_of", lambda certificate: bindings_of(der)
    )
    async with iis(tls="good", extended_protection=True) as sim:
        trust = Trust(sim.endpoint, ca_bundle=sim.tls.ca_bundle)
        async with logging_on(sim, scheme, trust=trust) as agent:
            with pytest.raises(LogonRefused):
                await agent.get_info()
        assert not sim.calls.logons


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_certificate_takes_the_place_of_the_key(
    version: ssl.TLSVersion, tmp_path: Path
) -> None:
    """With a certificate of the server's CA and the Windows log-on no API key is needed."""
    async with iis(tls="good", client_certificates="required") as sim:
        sim.tls.context.maximum_version = version
        certificate = shown(sim.tls.authority.client("ml-connector"), tmp_path)
        async with with_certificate(sim, certificate) as agent:
            await agent.get_info()
            await read_pages(agent, 3)
        assert sim.calls.logons == {"Negotiate": 1}
        assert not sim.calls.refused


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("scheme", ["negotiate", "basic"])
@pytest.mark.parametrize("which", ["missing", "untrusted"])
async def test_without_a_trusted_certificate_nothing_is_said(
    which: str, scheme: Scheme, version: ssl.TLSVersion, tmp_path: Path
) -> None:
    """A missing or untrusted certificate ends it before the log-on; the error says which, and how
    to mend it."""
    certificate = None
    if which == "untrusted":
        certificate = shown(Authority("OTHER").client("stranger"), tmp_path)
    async with iis(tls="good", client_certificates="required") as sim:
        sim.tls.context.maximum_version = version
        async with with_certificate(sim, certificate, scheme) as agent:
            with pytest.raises(TlsRefused) as caught:
                await agent.get_info()
        assert caught.value.problem == "client_certificate"
        assert "client_certificate" in caught.value.remedy or which == "untrusted"
        assert sim.calls.requests == 0
        assert not sim.calls.wrong_logons


def test_the_key_is_written_to_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL is given the key in memory, under a name that is gone with the call."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    issued = Authority().client("ml-connector")
    seen: list[str] = []

    class Watched(ssl.SSLContext):
        def load_cert_chain(  # type: ignore[override]
            self, certfile: Path, keyfile: str, password: Callable[[], str]
        ) -> None:
            seen.append(os.path.realpath(keyfile))
            super().load_cert_chain(certfile, keyfile, password)

    context = Watched(ssl.PROTOCOL_TLS_CLIENT)
    shown(issued, tmp_path)(context)
    assert seen[0].startswith("/memfd:")
    assert [path.name for path in tmp_path.iterdir()] == ["client.pem"]


def test_where_memory_has_no_files_the_key_is_deleted_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere the file is readable by us alone, and gone when the context has read it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    modes: list[int] = []

    class Watched(ssl.SSLContext):
        def load_cert_chain(  # type: ignore[override]
            self, certfile: Path, keyfile: str, password: Callable[[], str]
        ) -> None:
            modes.append(os.stat(keyfile).st_mode & 0o777)
            super().load_cert_chain(certfile, keyfile, password)

    shown(Authority().client("ml-connector"), tmp_path)(Watched(ssl.PROTOCOL_TLS_CLIENT))
    assert modes == [0o600]
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda given, _: ClientCertificate(given.certificate, Secret("none")), "no PEM"),
        (lambda given, _: ClientCertificate(Path(__file__), given.key), "no PEM"),
        (lambda given, _: ClientCertificate(Path("/none"), given.key), "No such file"),
        (
            lambda given, other: ClientCertificate(given.certificate, key_of(other)),
            "not that of the certificate",
        ),
        (
            lambda given, other: ClientCertificate(
                given.certificate,
                Secret(
                    other.key.private_bytes(
                        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
                    ).decode()
                ),
            ),
            "encrypted",
        ),
    ],
)
def test_what_cannot_be_shown_is_named(
    spoil: Callable[[ClientCertificate, Issued], ClientCertificate], why: str, tmp_path: Path
) -> None:
    """No PEM, no file, the wrong key, a pass phrase: each is told apart, and no key is shown."""
    authority = Authority()
    spoiled = spoil(shown(authority.client("one"), tmp_path), authority.client("two"))
    with pytest.raises(Misconfigured, match=why) as caught:
        spoiled(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    assert "client_key" in caught.value.where
    assert "PRIVATE" not in f"{caught.value} {caught.value!r} {spoiled!r}"


Digest = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
SIGNED_WITH = bytes.fromhex("2a864886f70d0101")  # RSA with …
SHA256, SHA1, MD5 = b"\x0b", b"\x05", b"\x04"  # … these


def signed(digest: Digest | None) -> bytes:
    """A certificate (DER) signed with this hash; None: with Ed25519, which names none."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
    if digest is None:
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        key = rsa.generate_private_key(65_537, 2_048)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + DAY)
    )
    return builder.sign(key, digest).public_bytes(Encoding.DER)


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_bindings_use_the_hash_of_the_signature(digest: Digest) -> None:
    """RFC 5929: the certificate is hashed as its issuer did."""
    der = signed(digest)
    hashing = hashes.Hash(digest)
    hashing.update(der)
    assert bindings_of(der) == b"tls-server-end-point:" + hashing.finalize()


@pytest.mark.parametrize("weak", [SHA1, MD5])
def test_bindings_use_no_weak_hash(weak: bytes) -> None:
    """A certificate signed with SHA-1 or MD5 is hashed with SHA-256."""
    der = signed(hashes.SHA256()).replace(SIGNED_WITH + SHA256, SIGNED_WITH + weak)
    assert bindings_of(der) == b"tls-server-end-point:" + hashlib.sha256(der).digest()


def test_bindings_are_not_invented() -> None:
    """Ed25519 names no hash, and for that nothing is defined."""
    assert bindings_of(signed(None)) is None


def test_no_bindings_without_a_certificate() -> None:
    """Plain HTTP inside this machine has nothing to bind to, nor has what is no certificate."""
    assert bindings_of(None) is None
    assert bindings_of(b"none") is None


@pytest.mark.parametrize("scheme", ["negotiate", "ntlm", "basic"])
async def test_what_is_configured_is_what_is_sent(scheme: Scheme, tmp_path: Path) -> None:
    """[sage100.auth] with a scheme, an account and a client certificate gets in, on every door."""
    async with iis(tls="good", client_certificates="required") as sim:
        certificate = shown(sim.tls.authority.client("ml-connector"), tmp_path)
        settings = Sage100Settings(
            name="acme",
            endpoint=sim.endpoint,
            companies=("ABC",),
            timezone="America/Chicago",
            currency="USD",
            auth=AuthSettings(
                scheme=scheme,
                username=sim.username,
                password=Secret(sim.password),
                client_certificate=certificate.certificate,
                client_key=certificate.key,
            ),
            tls=TlsSettings(ca_bundle=sim.tls.ca_bundle),
        )
        async with agent_of(settings) as agent:
            assert (await agent.get_info()).agent_version
        assert [name.lower() for name in sim.calls.logons] == [scheme]
