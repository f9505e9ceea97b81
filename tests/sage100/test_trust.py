"""Whom the client trusts, over real sockets: every flaw refused, said why, and nothing sent."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from connector.opening import agent_of
from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials
from connector.sage100.errors import AgentError, AgentUnreachable, TlsRefused
from connector.sage100.retry import Retry
from connector.sage100.trust import Trust
from connector.sage100.trust_words import Problem
from connector.sandbox.agent import AgentOptions, SimulatedAgent
from connector.sandbox.agent.tls import TlsProfile
from connector.sandbox.agent.tls_certificates import Authority, issue
from connector.secret import Secret
from tests.config.sample import changed, load
from tests.sage100.wire import NOW, Waits

SMALL = AgentOptions(customers=3, invoices=0, vendors=0, details=False, today=NOW.date())


@contextlib.asynccontextmanager
async def listening(profile: TlsProfile = "good", **more: Any) -> AsyncIterator[SimulatedAgent]:
    """A small agent behind TLS."""
    fields = {name: getattr(SMALL, name) for name in SMALL.__struct_fields__}
    async with SimulatedAgent(AgentOptions(**{**fields, "tls": profile, **more})) as sim:
        yield sim


def client(
    sim: SimulatedAgent, *, host: str = "localhost", trust: Trust | None = None, **more: Any
) -> Agent:
    """A client of it that trusts the test CA, or what it is told."""
    endpoint = sim.endpoint.replace("localhost", host)
    trust = trust or Trust(endpoint, **(more or {"ca_bundle": sim.tls.ca_bundle}))
    return Agent(
        trust.endpoint,
        credentials=Credentials(
            username=sim.username, password=Secret(sim.password), api_key=Secret(sim.api_key)
        ),
        trust=trust,
        retry=Retry(tries=2),
        waiting=Waits().waiting(),
    )


async def refusal(sim: SimulatedAgent, **how: Any) -> TlsRefused:
    """Why this client does not trust it."""
    async with client(sim, **how) as agent:
        with pytest.raises(TlsRefused) as caught:
            await agent.get_info()
    return caught.value


FLAWS: list[tuple[TlsProfile, Problem, list[str]]] = [
    ("unknown-ca", "unknown_ca", ["UMBRELLA Root CA", "Certification Path", "add it to"]),
    ("self-signed", "self_signed", ["certlm.msc", "ca_bundle", "pin ="]),
    ("expired", "expired", ["clock", "Renew", "Bindings…"]),
    ("not-yet-valid", "not_yet_valid", ["clock", "NTP"]),
    ("wrong-host", "wrong_host", ["localhost.acme.test", "endpoint = "]),
    ("common-name-only", "wrong_host", ["RFC 9525", "-DnsName localhost"]),
    ("missing-intermediate", "missing_intermediate", ["Intermediate Certification", "iisreset"]),
    ("tls1.0", "old_tls", ["TLS 1.0", "SCHANNEL"]),
    ("tls1.1", "old_tls", ["TLS 1.1", "SCHANNEL"]),
    ("other-site", "other_site", ["www.acme.test", "Require Server Name Indication"]),
]


@pytest.mark.parametrize(("profile", "problem", "words"), FLAWS)
async def test_each_flaw_is_named_and_nothing_is_sent(
    profile: TlsProfile, problem: Problem, words: list[str]
) -> None:
    """The error has the flaw, the facts of the certificate, the remedy, and no byte was sent."""
    async with listening(profile) as sim:
        error = await refusal(sim)
        assert error.problem == problem
        text = str(error)
        assert [word for word in words if word not in text] == []
        assert f"{sim.endpoint}?wsdl" in error.what
        assert "localhost" in error.what
        assert sim.tls.served.fingerprint in error.what
        assert "issued by" in error.what
        assert sim.tls.application_bytes == 0
        assert sim.calls.requests == 0
    assert not error.retryable
    assert not error.stopped


# ---------------------------------------------------------------- what is trusted


@pytest.mark.parametrize(
    ("profile", "host"),
    [
        ("good", "localhost"),
        ("good", "127.0.0.1"),
        ("sni", "localhost"),
        ("tls1.3", "localhost"),
    ],
)
async def test_a_bundle_is_trusted(profile: TlsProfile, host: str) -> None:
    """With the CA's certificate the agent is read, by name and by an address it names."""
    async with listening(profile) as sim, client(sim, host=host) as agent:
        assert (await agent.get_info()).edition == "Premium"
        assert len((await agent.read_page("ABC", "AR_Customer")).rows) == 3
        assert sim.tls.handshakes == 1  # one connection, verified once, is kept


@pytest.mark.parametrize(
    ("profile", "listed"),
    [
        ("self-signed", ["served"]),
        ("good", ["served"]),
        ("good", ["intermediate"]),
        ("missing-intermediate", ["root", "intermediate"]),
        ("missing-intermediate", ["intermediate"]),
    ],
)
async def test_whatever_a_bundle_lists_is_trusted(
    profile: TlsProfile, listed: list[str], tmp_path: Path
) -> None:
    """A root, the issuing CA or the certificate itself, as the remedies say, none needs another."""
    async with listening(profile) as sim:
        ca = sim.tls.authority
        known = {"served": sim.tls.served, "root": ca.root, "intermediate": ca.intermediate}
        bundle = tmp_path / "bundle.pem"
        bundle.write_bytes(b"".join(known[one].pem for one in listed))
        async with client(sim, ca_bundle=bundle) as agent:
            assert (await agent.get_info()).edition == "Premium"
        came = sim.tls.application_bytes
        sim.tls.show(await asyncio.to_thread(issue, "localhost", ("localhost",)))
        assert (await refusal(sim, ca_bundle=bundle)).problem == "self_signed"
        assert sim.tls.application_bytes == came


@pytest.mark.parametrize("profile", ["good", "self-signed", "missing-intermediate", "tls1.3"])
@pytest.mark.parametrize("spelling", [str, str.upper])
async def test_a_pin_is_trusted(profile: TlsProfile, spelling: Callable[[str], str]) -> None:
    """The pinned certificate needs no CA, whoever signed it, however its digits are written."""
    async with listening(profile) as sim:
        digits = spelling(sim.tls.served.fingerprint.removeprefix("sha256:"))
        async with client(sim, pin=f"sha256:{digits}") as agent:
            assert (await agent.get_info()).edition == "Premium"
            assert len((await agent.read_page("ABC", "AR_Customer")).rows) == 3


@pytest.mark.parametrize(
    ("profile", "problem"),
    [
        ("expired", "expired"),
        ("not-yet-valid", "not_yet_valid"),
        ("wrong-host", "wrong_host"),
        ("common-name-only", "wrong_host"),
        ("other-site", "other_site"),
        ("tls1.1", "old_tls"),
    ],
)
async def test_a_pin_excuses_no_other_flaw(profile: TlsProfile, problem: Problem) -> None:
    """Dates, host name and version are checked as ever: a pin replaces the CA and nothing else."""
    async with listening(profile) as sim:
        error = await refusal(sim, pin=sim.tls.served.fingerprint)
        assert error.problem == problem
        assert sim.tls.application_bytes == 0


@pytest.mark.parametrize("bundled", [False, True])
async def test_another_certificate_than_the_pinned_is_refused(bundled: bool) -> None:
    """Both fingerprints are shown, and what to do when it was renewed on purpose, and when not."""
    async with listening() as sim:
        pin = f"sha256:{'ab' * 32}"
        trust = {"ca_bundle": sim.tls.ca_bundle} if bundled else {}
        error = await refusal(sim, pin=pin, **trust)
        assert error.problem == "pin_mismatch"
        assert pin in error.what
        assert sim.tls.served.fingerprint in error.what
        assert f'pin = "{sim.tls.served.fingerprint}"' in error.remedy
        assert "do not change the pin" in error.remedy
        assert sim.tls.application_bytes == 0


async def test_a_certificate_that_changes_under_a_pin_is_refused() -> None:
    """What was once right is compared again in every handshake, and heals when it is back."""
    async with listening() as sim:
        pinned = sim.tls.served
        async with client(sim, pin=pinned.fingerprint) as agent:
            await agent.get_info()
        trust = Trust(sim.endpoint, pin=pinned.fingerprint)
        async with client(sim, trust=trust) as agent:
            await agent.get_info()
        came = sim.tls.application_bytes
        await asyncio.to_thread(sim.tls.use, "good")
        async with client(sim, trust=trust) as agent:
            with pytest.raises(TlsRefused) as caught:
                await agent.get_info()
        assert caught.value.problem == "pin_mismatch"
        assert sim.tls.application_bytes == came
        await asyncio.to_thread(sim.tls.show, pinned)
        async with client(sim, trust=trust) as agent:
            await agent.get_info()


async def test_a_certificate_signed_by_the_pinned_one_is_not_the_pinned_one() -> None:
    """A pin names one certificate: the key behind it makes no second one that passes."""
    async with listening() as sim:
        pinned = await asyncio.to_thread(issue, "localhost", ("localhost",), is_authority=True)
        trust = Trust(sim.endpoint, pin=pinned.fingerprint)
        await asyncio.to_thread(sim.tls.show, pinned)
        async with client(sim, trust=trust) as agent:
            await agent.get_info()
        came = sim.tls.application_bytes
        child = await asyncio.to_thread(issue, "localhost", ("localhost",), by=pinned)
        await asyncio.to_thread(sim.tls.show, child)
        async with client(sim, trust=trust) as agent:
            with pytest.raises(TlsRefused) as caught:
                await agent.get_info()
        assert caught.value.problem == "pin_mismatch"
        assert sim.tls.application_bytes == came


# ---------------------------------------------------------------- other refusals


async def test_a_ca_that_nobody_named_is_not_trusted(tmp_path: Path) -> None:
    """Neither this machine's CAs nor another company's bundle: which CA is missing is said."""
    other = tmp_path / "other.pem"
    other.write_bytes((await asyncio.to_thread(Authority, "OTHER")).root.pem)
    async with listening() as sim:
        for trust in ({"ca_bundle": other}, {"ca_bundle": None}):
            error = await refusal(sim, **trust)
            assert error.problem == "unknown_ca"
            assert "ACME Root CA" in error.what
            assert "Certification Path" in error.remedy
            assert "ca_bundle" in error.remedy or str(other) in error.remedy
        assert sim.tls.application_bytes == 0


async def test_an_address_gets_the_default_sites_certificate() -> None:
    """An address carries no server name: said so, with the name to use instead."""
    async with listening("sni") as sim:
        error = await refusal(sim, host="127.0.0.1")
        assert error.problem == "wrong_host"
        assert "no server name (SNI)" in error.what
        assert 'endpoint = "https://intranet.acme.test:' in error.remedy
        assert sim.tls.application_bytes == 0


@pytest.mark.parametrize("profile", ["good", "tls1.3"])
async def test_a_client_certificate_that_is_demanded_is_asked_for(profile: TlsProfile) -> None:
    """Without one the server ends the handshake; the remedy names our keys and IIS's setting."""
    async with listening(profile, client_certificates="required") as sim:
        error = await refusal(sim)
        assert error.problem == "client_certificate"
        assert "client_certificate and client_key" in error.remedy
        assert "SSL Settings" in error.remedy
        assert sim.calls.requests == 0


async def test_our_own_certificate_travels_with_either_kind_of_trust() -> None:
    """`identity` is handed the context of all connections, with a bundle and with a pin."""
    async with listening(client_certificates="required") as sim:
        ours = await asyncio.to_thread(sim.tls.client)

        def present(context: ssl.SSLContext) -> None:
            context.load_cert_chain(ours)

        kinds = ({"ca_bundle": sim.tls.ca_bundle}, {"pin": sim.tls.served.fingerprint})
        for kind in kinds:
            async with client(sim, identity=present, **kind) as agent:
                assert (await agent.get_info()).edition == "Premium"


@pytest.mark.parametrize("profile", ["good", "tls1.3"])
async def test_a_client_certificate_of_another_ca_is_refused_as_ours(
    profile: TlsProfile, tmp_path: Path
) -> None:
    """Ours was shown and not accepted: the server's trust in its issuer is what to look at."""
    other = (await asyncio.to_thread(Authority, "OTHER")).client("ml-connector")
    ours = other.write(tmp_path / "ours.pem")
    async with listening(profile, client_certificates="required") as sim:
        trust = {"ca_bundle": sim.tls.ca_bundle, "identity": lambda c: c.load_cert_chain(ours)}
        error = await refusal(sim, **trust)
        assert error.problem == "client_certificate"
        assert "another client certificate than ours" in error.what
        assert "Trusted Root Certification Authorities" in error.remedy
        assert sim.calls.requests == 0


async def test_the_configuration_s_trust_reaches_the_connection(tmp_path: Path) -> None:
    """`pin` and `ca_bundle` of the file are what the service's own client goes by."""
    async with listening() as sim:
        (tmp_path / "root.pem").write_bytes(sim.tls.authority.root.pem)
        right, wrong = sim.tls.served.fingerprint, f"sha256:{'ab' * 32}"
        lines = {
            f'pin = "{right}"': None,
            'ca_bundle = "root.pem"': None,
            f'pin = "{wrong}"': "pin_mismatch",
            "": "unknown_ca",
        }
        for line, problem in lines.items():
            text = changed("[sage100.tls]", f"[sage100.tls]\n{line}")
            text = changed(
                "https://sage.acme.local/Sage100Agent/AgentService.svc", sim.endpoint, text
            )
            (settings,) = load(tmp_path, text).sage100
            async with agent_of(settings) as agent:
                with pytest.raises(AgentError) as caught:
                    await agent.get_info()
            assert caught.value.code == (problem or "401")  # the sample's password is wrong


async def test_plain_http_on_the_port_is_named() -> None:
    """HTTPS to a port that is bound to http says which port, and where to add a binding."""
    async with listening() as tls, SimulatedAgent(SMALL) as plain:
        endpoint = plain.endpoint.replace("http:", "https:")
        async with client(tls, trust=Trust(endpoint, ca_bundle=tls.tls.ca_bundle)) as agent:
            with pytest.raises(TlsRefused) as caught:
                await agent.get_info()
        assert caught.value.problem == "plain_http"
        assert "HTTP/1." in caught.value.what
        assert "type https" in caught.value.remedy
        assert plain.calls.requests == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_server_that_hangs_up_in_the_handshake_is_tried_again(host: str) -> None:
    """It may be starting, so it is retried; else the bindings, keys and firewalls are named."""
    greeted = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal greeted
        await reader.read(5)
        greeted += 1
        writer.transport.abort()

    async with raw(hang_up) as port, listening() as sim:
        endpoint = f"https://{host}:{port}/agent"
        async with client(sim, trust=Trust(endpoint, ca_bundle=sim.tls.ca_bundle)) as agent:
            with pytest.raises(TlsRefused) as caught:
                await agent.get_info()
        error = caught.value
    assert error.problem == "reset"
    assert error.retryable
    assert error.attempts == 2
    assert greeted >= 4  # twice by the client, and each time to see what is shown
    assert "netsh http show sslcert" in error.remedy
    assert ("Server Name Indication" in error.remedy) == (host == "127.0.0.1")
    assert f"Asked for {host} at port {port}" in error.what


async def test_a_handshake_that_fails_without_a_known_reason_shows_openssls_words() -> None:
    """What no rule knows is still an error with the server's log as its remedy."""

    async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(5)
        writer.write(b"\x15\x03\x03\x00\x02\x02\x50")  # fatal: internal error
        writer.close()
        await writer.wait_closed()

    async with raw(alert) as port, listening() as sim:
        endpoint = f"https://localhost:{port}/agent"
        async with client(sim, trust=Trust(endpoint, ca_bundle=sim.tls.ca_bundle)) as agent:
            with pytest.raises(TlsRefused, match="alert internal error") as caught:
                await agent.get_info()
    assert caught.value.problem == "unclear"
    assert "eventvwr.msc" in caught.value.remedy


async def test_nobody_listening_is_no_question_of_trust() -> None:
    """A pin has to see the certificate first; a port that is closed is unreachable as ever."""
    async with listening() as sim:
        pin = sim.tls.served.fingerprint
        endpoint = sim.endpoint
    async with listening() as other:
        for trust in (Trust(endpoint, pin=pin), Trust(endpoint, ca_bundle=other.tls.ca_bundle)):
            async with client(other, trust=trust) as agent:
                with pytest.raises(AgentUnreachable) as caught:
                    await agent.get_info()
            assert not isinstance(caught.value, TlsRefused)


@contextlib.asynccontextmanager
async def raw(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """The port of a server without TLS."""
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
