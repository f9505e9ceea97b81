"""The TLS listener of the simulated agent, seen with nothing but Python's own ssl."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from connector.sandbox.agent import AgentOptions
from connector.sandbox.agent.tls import OTHER_SITES, TlsProfile
from tests.sandbox.agent_wire import Wire, serving

LIMIT_S = 10.0


async def look(
    wire: Wire, context: ssl.SSLContext, name: str | None = "localhost"
) -> tuple[bytes, str]:
    """Shake hands, and hang up: the leaf in DER, and the TLS version."""
    port = int(wire.agent.endpoint.split(":")[2].split("/")[0])
    async with asyncio.timeout(LIMIT_S):
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=name or ""
        )
        try:
            tls = writer.get_extra_info("ssl_object")
            return tls.getpeercert(binary_form=True), tls.version()
        finally:
            writer.close()
            await writer.wait_closed()


def trusting(wire: Wire) -> ssl.SSLContext:
    """A client that trusts the test CA."""
    return ssl.create_default_context(cafile=wire.agent.tls.ca_bundle)


def blind() -> ssl.SSLContext:
    """A client that trusts everything, to see what is shown."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def names_of(der: bytes) -> list[str]:
    """The DNS names of a certificate."""
    found = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return found.value.get_values_for_type(x509.DNSName)


async def test_the_service_is_the_same_behind_tls() -> None:
    """With the test CA as its bundle an ordinary client reads pages, and the bytes are counted."""
    async with serving(tls="good") as wire:
        tls = wire.agent.tls
        assert wire.agent.endpoint.startswith("https://localhost:")
        assert wire.agent.announcement.ca_bundle == str(tls.ca_bundle)
        wire.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trusting(wire)))
        async with wire.session:
            assert len((await wire.page("AR_Customer", limit=5)).rows) == 5
        assert tls.handshakes == 1
        assert tls.application_bytes > 200
        assert tls.server_names == ["localhost"]


@pytest.mark.parametrize(
    ("profile", "reason"),
    [
        ("unknown-ca", "unable to get local issuer certificate"),
        ("self-signed", "self-signed certificate"),
        ("expired", "certificate has expired"),
        ("not-yet-valid", "certificate is not yet valid"),
        ("wrong-host", "Hostname mismatch"),
        ("other-site", "Hostname mismatch"),
        ("missing-intermediate", "unable to get local issuer certificate"),
        ("tls1.0", "alert|unsupported protocol|version"),
        ("tls1.1", "alert|unsupported protocol|version"),
    ],
)
async def test_each_flaw_is_one_that_a_strict_client_refuses(
    profile: TlsProfile, reason: str
) -> None:
    """Every flawed profile ends the handshake of a client that trusts the CA, for that reason."""
    async with serving(tls=profile) as wire:
        with pytest.raises(ssl.SSLError, match=f"(?i){reason}"):
            await look(wire, trusting(wire))
        assert wire.agent.tls.application_bytes == 0


@pytest.mark.parametrize(
    ("profile", "version"),
    [("tls1.0", "TLSv1"), ("tls1.1", "TLSv1.1"), ("tls1.3", "TLSv1.3"), ("good", "TLSv1.3")],
)
async def test_a_version_is_all_it_speaks(profile: TlsProfile, version: str) -> None:
    """A version profile speaks that version with a client that would take any."""
    async with serving(tls=profile) as wire:
        assert (await look(wire, blind()))[1] == version


@pytest.mark.parametrize(
    ("profile", "with_name", "without"),
    [
        ("sni", "localhost", OTHER_SITES[0]),
        ("other-site", OTHER_SITES[1], OTHER_SITES[0]),
        ("good", "localhost", "localhost"),
    ],
)
async def test_the_name_asked_for_chooses_the_certificate(
    profile: TlsProfile, with_name: str, without: str
) -> None:
    """As in IIS: the site by SNI, and another one for a client that sends no name."""
    async with serving(tls=profile) as wire:
        assert names_of((await look(wire, blind()))[0])[0] == with_name
        assert names_of((await look(wire, blind(), None))[0])[0] == without


async def test_a_certificate_may_end_soon() -> None:
    """Valid today, and for less than a month: what a client accepts and an operator has to know."""
    async with serving(tls="ends-soon") as wire:
        shown, _ = await look(wire, trusting(wire))
        ends = x509.load_der_x509_certificate(shown).not_valid_after_utc
        assert timedelta(days=14) < ends - datetime.now(UTC) < timedelta(days=30)


async def test_a_certificate_is_renewed_while_it_runs() -> None:
    """The next connection sees what `use` has put in place, and `served` names it."""
    async with serving(tls="expired") as wire:
        with pytest.raises(ssl.SSLCertVerificationError):
            await look(wire, trusting(wire))
        fresh = wire.agent.tls.use("good")
        shown, _ = await look(wire, trusting(wire))
        assert x509.load_der_x509_certificate(shown) == fresh.certificate
        assert wire.agent.tls.served is fresh


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_certificate_is_demanded(version: ssl.TLSVersion) -> None:
    """Required means that only a certificate of the CA gets as far as a request."""
    async with serving(tls="good", client_certificates="required") as wire:
        for certificate, welcome in ((None, False), (wire.agent.tls.client(), True)):
            context = trusting(wire)
            context.minimum_version = context.maximum_version = version
            if certificate is not None:
                context.load_cert_chain(certificate)
            connector = aiohttp.TCPConnector(ssl=context)
            async with aiohttp.ClientSession(connector=connector) as session:
                wire.session = session
                if welcome:
                    assert (await wire.call("GetInfo", "")).status == 200
                else:
                    with pytest.raises(aiohttp.ClientError):
                        await wire.call("GetInfo", "")
                    assert wire.agent.calls.requests == 0


def modes(folder: Path) -> set[int]:
    """The permissions of the files in a folder; nothing when it is not there."""
    return {path.stat().st_mode & 0o777 for path in folder.glob("*")}


async def test_the_files_are_gone_with_the_agent() -> None:
    """Keys live in a folder of the agent's own, readable by its user only, until it stops."""
    async with serving(tls="good") as wire:
        folder = wire.agent.tls.ca_bundle.parent
        assert modes(folder) == {0o600}
    assert modes(folder) == set()


def test_client_certificates_need_tls() -> None:
    """Options that cannot work together are refused when built."""
    with pytest.raises(ValueError, match="tls profile"):
        AgentOptions(client_certificates="required")
