"""What `check` says of an agent's certificate."""

from __future__ import annotations

import asyncio

import pytest

from connector.sage100.checks import check_agent
from connector.sage100.trust_words import Problem
from connector.sandbox.agent import SimulatedAgent
from connector.sandbox.agent.tls import TlsProfile
from tests.sage100.conftest import connect
from tests.sage100.test_trust import FLAWS, client, listening
from tests.sage100.world import instance


@pytest.mark.parametrize(("profile", "problem", "words"), FLAWS)
async def test_a_refused_certificate_is_a_line_with_the_same_words(
    profile: TlsProfile, problem: Problem, words: list[str]
) -> None:
    """One line: what is wrong with facts and addresses, and the remedy; nothing else is tried."""
    async with listening(profile) as sim, client(sim) as agent:
        (line,) = await check_agent(agent, instance(agent.endpoint))
        assert agent.calls == 1
    assert not line.ok
    assert sim.endpoint in line.subject
    assert sim.tls.served.fingerprint in line.detail
    assert [word for word in words if word not in f"{line.detail} {line.remedy}"] == []
    assert line.detail
    assert line.remedy, problem


async def test_a_trusted_certificate_is_a_line_of_its_own() -> None:
    """Names, end and fingerprint are shown, so that a renewal can be planned and a pin be made."""
    async with listening() as sim, client(sim) as agent:
        lines = await check_agent(agent, instance(agent.endpoint))
        served = sim.tls.served
    line = lines[0]
    assert line.ok
    assert line.subject == "Sage 100 acme TLS"
    assert served.fingerprint in line.detail
    assert f"{served.certificate.not_valid_after_utc:%Y-%m-%d}" in line.detail
    assert "localhost" in line.detail


async def test_a_certificate_that_ends_soon_is_said_before_it_does() -> None:
    """Within two weeks of its end nobody has renewed it: not well, with the way to renew it."""
    async with listening() as sim, client(sim) as agent:
        soon = await asyncio.to_thread(sim.tls.authority.server, "localhost", days=(-80, 5))
        sim.tls.show(soon)
        line, let_in, *_ = await check_agent(agent, instance(agent.endpoint))
    assert not line.ok
    assert "4 days left" in line.detail
    assert "Renew" in line.remedy
    assert let_in.ok


async def test_a_refused_log_on_does_not_hide_that_tls_is_well() -> None:
    """TLS comes before the log-on: its line is there when only the latter fails."""
    async with listening() as sim:
        sim_password, sim.password = sim.password, "wrong"
        async with client(sim) as agent:
            tls, refused = await check_agent(agent, instance(agent.endpoint))
        sim.password = sim_password
    assert tls.ok
    assert not refused.ok


async def test_an_agent_without_tls_has_no_such_line(sim: SimulatedAgent) -> None:
    """On the loopback, plain HTTP has no certificate to speak of."""
    async with connect(sim) as agent:
        lines = await check_agent(agent, instance(agent.endpoint))
    assert [line.subject for line in lines if "TLS" in line.subject] == []
    assert lines
