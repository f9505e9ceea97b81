"""Whom the client trusts, over real sockets: every flaw refused, said why, and nothing sent."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials
from connector.sage100.errors import TlsRefused
from connector.sage100.retry import Retry
from connector.sage100.trust import Trust
from connector.sage100.trust_words import Problem
from connector.sandbox.agent import AgentOptions, SimulatedAgent
from connector.sandbox.agent.tls import TlsProfile
from connector.secret import Secret
from tests.sage100.wire import NOW, Waits

SMALL = AgentOptions(customers=3, invoices=0, vendors=0, details=False, today=NOW.date())


@contextlib.asynccontextmanager
async def listening(profile: TlsProfile = "good", **more: Any) -> AsyncIterator[SimulatedAgent]:
    """A small agent behind TLS."""
    fields = {name: getattr(SMALL, name) for name in SMALL.__struct_fields__}
    async with SimulatedAgent(AgentOptions(**{**fields, "tls": profile, **more})) as sim:
        yield sim


def client(
    sim: SimulatedAgent, *, host: str = "localhost", waits: Waits | None = None, **trust: Any
) -> Agent:
    """A client of it that trusts the test CA, or what it is told."""
    endpoint = sim.endpoint.replace("localhost", host)
    trust = trust or {"ca_bundle": sim.tls.ca_bundle}
    return Agent(
        endpoint,
        credentials=Credentials(
            username=sim.username, password=Secret(sim.password), api_key=Secret(sim.api_key)
        ),
        trust=Trust(endpoint, **trust),
        retry=Retry(tries=2),
        waiting=(waits or Waits()).waiting(),
    )


async def refusal(sim: SimulatedAgent, **how: Any) -> TlsRefused:
    """Why this client does not trust it."""
    async with client(sim, **how) as agent:
        with pytest.raises(TlsRefused) as caught:
            await agent.get_info()
    return caught.value


FLAWS: list[tuple[TlsProfile, Problem, list[str]]] = [
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
