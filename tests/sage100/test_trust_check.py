"""What `check` says of an agent's certificate."""

from __future__ import annotations

import asyncio

import pytest

from connector.check import CheckLine
from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials
from connector.sage100.checks import check_agent
from connector.sage100.trust import Trust
from connector.sage100.trust_words import Problem
from connector.sandbox.agent import SimulatedAgent
from connector.sandbox.agent.tls import TlsProfile
from tests.sage100.conftest import connect
from tests.sage100.test_trust import FLAWS, client, listening
from tests.sage100.world import instance


async def lines_of(agent: Agent) -> dict[str, CheckLine]:
    """The report by step, without the instance's name."""
    lines = await check_agent(agent, instance(agent.endpoint))
    return {line.subject.removeprefix("Sage 100 acme "): line for line in lines}


@pytest.mark.parametrize(("profile", "problem", "words"), FLAWS)
async def test_a_refused_certificate_is_a_line_with_the_same_words(
    profile: TlsProfile, problem: Problem, words: list[str]
) -> None:
    """The line of TLS: what is wrong with facts and addresses, and the remedy; nothing is sent."""
    async with listening(profile) as sim, client(sim) as agent:
        lines = await lines_of(agent)
        assert (agent.calls, sim.calls.requests, sim.tls.application_bytes) == (0, 0, 0)
        fingerprint = sim.tls.served.fingerprint
    line = lines["TLS"]
    assert not line.ok
    assert sim.endpoint in line.where
    assert fingerprint in line.detail
    assert [word for word in words if word not in f"{line.detail} {line.remedy}"] == []
    assert line.detail
    assert line.remedy, problem
    assert [name for name, one in lines.items() if one.ok] == ["DNS", "connection"]
    assert all("TLS failed" in one.detail for one in lines.values() if not one.tried)


async def test_a_trusted_certificate_is_a_line_of_its_own() -> None:
    """Version, names, issuer, end and fingerprint are shown, to plan a renewal or make a pin."""
    async with listening() as sim, client(sim) as agent:
        line = (await lines_of(agent))["TLS"]
        served = sim.tls.served
    assert line.ok
    assert not line.remedy
    assert served.fingerprint in line.detail
    assert f"{served.certificate.not_valid_after_utc:%Y-%m-%d}" in line.detail
    for said in ("TLS 1.3", "localhost", "issued by CN=ACME Issuing CA", "89 days left"):
        assert said in line.detail


@pytest.mark.parametrize(("days", "left"), [(5, 4), (14, 13)])
async def test_a_certificate_that_ends_soon_is_said_before_it_does(days: int, left: int) -> None:
    """Within two weeks of its end nobody has renewed it: not well, with the way to renew it."""
    async with listening() as sim, client(sim) as agent:
        soon = await asyncio.to_thread(sim.tls.authority.server, "localhost", days=(-80, days))
        sim.tls.show(soon)
        lines = await lines_of(agent)
    line = lines["TLS"]
    assert not line.ok
    assert f"{left} days left" in line.detail
    assert "Renew" in line.remedy
    assert lines["agent"].ok


async def test_a_certificate_that_ends_within_a_month_is_a_note() -> None:
    """Well as it is, and yet with a remedy: a renewal by hand wants to be planned."""
    async with listening("ends-soon") as sim, client(sim) as agent:
        line = (await lines_of(agent))["TLS"]
    assert line.ok
    assert "19 days left" in line.detail
    assert "Renew" in line.remedy


async def test_a_pinned_certificate_is_met_too() -> None:
    """With a pin and no CA the same line says the same; another certificate is refused there."""
    async with listening("self-signed") as sim:
        async with client(sim, pin=sim.tls.served.fingerprint) as agent:
            lines = await lines_of(agent)
            assert sim.tls.served.fingerprint in lines["TLS"].detail
            assert lines["TLS"].ok
            assert lines["agent"].ok
        async with client(sim, pin="sha256:" + "0" * 64) as agent:
            lines = await lines_of(agent)
            assert "not the pinned one" in lines["TLS"].detail
            assert not lines["agent"].tried


async def test_a_refused_log_on_does_not_hide_that_tls_is_well() -> None:
    """TLS comes before the log-on: its line is there when only the latter fails."""
    async with listening() as sim:
        sim_password, sim.password = sim.password, "wrong"
        async with client(sim) as agent:
            lines = await lines_of(agent)
        sim.password = sim_password
    assert lines["TLS"].ok
    assert not lines["Windows log-on"].ok


async def test_a_server_that_hangs_up_in_the_handshake_is_named() -> None:
    """No certificate bound to the port: the line of TLS says so, and where to look."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        trust = Trust(f"https://127.0.0.1:{port}/Agent.svc")
        async with Agent(trust.endpoint, credentials=Credentials(), trust=trust) as agent:
            lines = await lines_of(agent)
    assert not lines["TLS"].ok
    assert "netsh http show sslcert" in lines["TLS"].remedy
    assert not lines["WSDL"].tried


async def test_an_agent_without_tls_has_no_such_line(sim: SimulatedAgent) -> None:
    """On the loopback, plain HTTP has no certificate to speak of."""
    async with connect(sim) as agent:
        lines = await check_agent(agent, instance(agent.endpoint))
    assert [line.subject for line in lines if "TLS" in line.subject] == []
    assert lines
