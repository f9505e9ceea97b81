"""The way to an agent's server: its name, and a connection to its port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

import pytest

from connector.check import CheckLine
from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials
from connector.sage100.check_reach import Resolve, resolve
from connector.sage100.checks import check_agent
from connector.sandbox.agent import SimulatedAgent
from tests.sage100.conftest import connect
from tests.sage100.world import instance


def finding(*addresses: str, problem: OSError | None = None) -> Resolve:
    """A resolver that knows these addresses, or fails."""

    async def find(host: str, port: int) -> Sequence[str]:
        if problem is not None:
            raise problem
        return addresses

    return find


async def lines_of(endpoint: str, resolver: Resolve) -> dict[str, CheckLine]:
    """The report by step; nobody has to be there."""
    async with Agent(endpoint, credentials=Credentials()) as agent:
        lines = await check_agent(agent, instance(endpoint), resolver=resolver)
        assert agent.calls == 0 or lines[1].ok
    return {line.subject.removeprefix("Sage 100 acme "): line for line in lines}


async def test_a_name_is_looked_up_as_every_program_does() -> None:
    """The system's resolver is asked, and each address is told once."""
    assert "127.0.0.1" in await resolve("localhost", 443)
    assert list(await resolve("127.0.0.1", 443)) == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("problem", "detail", "remedy"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "Name or service not known"),
            "there is no host sage.acme.test (Name or service not known)",
            ["nslookup sage.acme.test", "[[sage100]] endpoint", "hosts"],
        ),
        (
            socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
            "no name server answered when asked for sage.acme.test",
            ["resolv.conf", "sage.acme.test", "VPN"],
        ),
    ],
)
async def test_a_name_without_address_is_named_with_its_remedy(
    problem: OSError, detail: str, remedy: list[str]
) -> None:
    """No such host, and no name server that answers, are two things; the rest is not tried."""
    lines = await lines_of("https://sage.acme.test/Agent.svc", finding(problem=problem))
    assert not lines["DNS"].ok
    assert detail in lines["DNS"].detail
    assert [word for word in remedy if word not in lines["DNS"].remedy] == []
    rest = [line for name, line in lines.items() if name != "DNS"]
    assert len(rest) == 25
    assert {(line.tried, line.detail) for line in rest} == {
        (False, "not tried, since the host has no address")
    }
    assert "TLS" in lines


async def test_every_address_is_tried(sim: SimulatedAgent) -> None:
    """One that answers is enough; of the others it is said, since a client may meet them first."""
    async with connect(sim) as agent:
        told = instance(agent.endpoint)
        host = agent.endpoint.replace("127.0.0.1", "localhost")
        lines = await check_agent(agent, told, resolver=finding("127.0.0.1", "127.0.0.2"))
    assert host
    assert "127.0.0.1 is an address" in lines[0].detail
    lines_by_name = await lines_of(host, finding("127.0.0.1", "127.255.255.255"))
    assert lines_by_name["DNS"].detail == "localhost is 127.0.0.1, 127.255.255.255"
    connection = lines_by_name["connection"]
    assert connection.ok
    assert "of 127.0.0.1 answers (but 127.255.255.255: " in connection.detail


async def test_a_port_where_nobody_listens_is_refused() -> None:
    """The machine is there and the site is not: IIS is where to look; TLS is not tried."""
    with socket.socket() as taken:  # bound and not listening: nobody else gets the port
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        lines = await lines_of(f"https://localhost:{port}/Agent.svc", finding("127.0.0.1"))
    connection = lines["connection"]
    assert not connection.ok
    assert connection.detail == f"none to port {port}: 127.0.0.1: refused"
    assert "Sites → the agent's site → Start" in connection.remedy
    assert f':{port}"' in connection.remedy
    assert lines["TLS"].detail == "not tried, since there is no connection"


@pytest.mark.parametrize(
    ("problem", "detail", "remedy"),
    [
        (TimeoutError(), "no answer in 10 s", "Test-NetConnection localhost -Port 8443"),
        (OSError(113, "No route to host"), "No route to host", "VPN or the route"),
    ],
)
async def test_a_firewall_and_a_missing_route_are_told_apart(
    problem: OSError, detail: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silence is a firewall or a wrong address; no route is the network in between."""

    async def nowhere(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(asyncio, "open_connection", nowhere)
    lines = await lines_of("https://localhost:8443/Agent.svc", finding("127.0.0.1"))
    assert not lines["connection"].ok
    assert detail in lines["connection"].detail
    assert remedy in lines["connection"].remedy
