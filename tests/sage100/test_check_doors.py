"""The doors of an agent in `check`: one try of a password, and what came instead of a WSDL."""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from connector.check import CheckLine
from connector.sage100 import wsdl
from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials, Scheme
from connector.sage100.auth_certificate import ClientCertificate
from connector.sage100.checks import check_agent
from connector.sage100.retry import ONCE
from connector.sage100.trust import Trust
from connector.sandbox.agent import HttpAnswer, SimulatedAgent, SoapFault
from connector.sandbox.agent.tls_certificates import Authority
from connector.secret import Secret
from tests.sage100 import wire
from tests.sage100.logons import iis, logging_on
from tests.sage100.test_check import WSDL
from tests.sage100.test_logon_certificate import key_of
from tests.sage100.world import instance

SCHEMES: dict[Scheme, str] = {"negotiate": "Negotiate", "ntlm": "NTLM", "basic": "Basic"}
every = pytest.mark.parametrize("scheme", list(SCHEMES))


async def report(agent: Agent, certificate: Path | None = None) -> dict[str, CheckLine]:
    """The report by step; the zone and the clock are as they are."""
    lines = await check_agent(agent, instance(agent.endpoint), certificate=certificate)
    return {line.subject.removeprefix("Sage 100 acme "): line for line in lines}


def untried(lines: dict[str, CheckLine]) -> list[str]:
    """The steps that were not tried."""
    return [name for name, line in lines.items() if not line.tried]


def wrong(lines: dict[str, CheckLine]) -> list[str]:
    """The steps that were tried and are not well, but for the clock, which stands still here."""
    return [name for name, line in lines.items() if line.tried and not line.ok and name != "clock"]


# ---------------------------------------------------------------- the log-on


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        ("negotiate", "ACME\\svc_mlc, let in by Negotiate (NTLM inside)"),
        ("ntlm", "ACME\\svc_mlc, let in by NTLM"),
        ("basic", "ACME\\svc_mlc, sent by Basic and not refused"),
    ],
)
async def test_the_scheme_really_used_and_the_account_are_said(scheme: Scheme, said: str) -> None:
    """One log-on serves the whole check, and its line says by what and as whom."""
    async with iis() as sim, logging_on(sim, scheme) as agent:
        lines = await report(agent)
        assert wrong(lines) == untried(lines) == []
        assert lines["Windows log-on"].detail == said
        assert lines["API key"].detail == "accepted"
        if scheme != "basic":
            assert sim.calls.logons == {SCHEMES[scheme]: 1}
        assert not sim.calls.wrong_logons


@every
async def test_a_refused_log_on_is_tried_exactly_once(
    scheme: Scheme, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever there is to check behind it, a wrong password is sent once, and shows nowhere."""
    caplog.set_level(logging.DEBUG)
    async with iis(lock_after=2) as sim:
        async with logging_on(sim, scheme, password="wr0ng-h0rse") as agent:
            lines = await report(agent)
        assert sum(sim.calls.wrong_logons.values()) == 1
        assert sim.calls.requests == (1 if scheme == "basic" else 2)
        assert not sim.account.locked
        key = sim.api_key
    assert wrong(lines) == ["Windows log-on"]
    refused = lines["Windows log-on"]
    assert refused.detail.startswith("ACME\\svc_mlc: HTTP status 401")
    assert "0xC0000234 locked" in refused.remedy
    assert refused.where == f"WSDL at {sim.endpoint}"
    assert untried(lines)[:3] == ["API key", "WSDL", "agent"]
    assert len(untried(lines)) == len(lines) - 3
    assert all("the log-on was refused" in lines[name].detail for name in untried(lines))
    said = caplog.text + msgspec.json.encode(list(lines.values())).decode()
    assert [secret for secret in ("wr0ng-h0rse", key, "TlRMTVNTUAAD") if secret in said] == []


async def test_a_locked_account_is_not_tried_again_either() -> None:
    """Windows refuses the right password of a locked account like a wrong one: one try."""
    async with iis(lock_after=1) as sim:
        sim.account.admits("NTLM", right=False)
        async with logging_on(sim, "ntlm") as agent:
            lines = await report(agent)
        assert sim.calls.wrong_logons == {"NTLM": 2}
    assert wrong(lines) == ["Windows log-on"]


async def test_a_log_on_that_breaks_off_is_the_log_ons_line() -> None:
    """A connection that ends instead of an answer to the proof: it is not sent a second time."""
    async with iis(ends_at_proof=9) as sim, logging_on(sim, "ntlm") as agent:
        lines = await report(agent)
        assert sum(sim.calls.handshakes.values()) == 1
    assert wrong(lines) == ["Windows log-on"]
    assert not lines["WSDL"].tried


@every
async def test_a_password_is_not_sent_again_over_another_connection(scheme: Scheme) -> None:
    """The WSDL is asked for by GET, which an HTTP library likes to repeat; here it travels once."""
    connections = 0

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        head = await reader.read(65_536)
        connections += bool(head)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/Agent.svc"
        credentials = Credentials(scheme=scheme, username="svc", password=Secret("x"))
        async with Agent(endpoint, credentials=credentials, retry=ONCE) as agent:
            lines = await report(agent)
    assert connections == 1
    assert not lines["agent"].tried


async def test_a_site_that_lets_anybody_in_is_not_believed() -> None:
    """Anonymous Authentication beside Windows': the log-on never comes to its end."""
    async with (
        wire.serve(wire.answer(WSDL)) as site,
        Agent(
            site.endpoint,
            credentials=Credentials(scheme="ntlm", username="svc", password=Secret("x")),
            retry=ONCE,
        ) as agent,
    ):
        lines = await report(agent)
        assert len(site.requests) == 1
    assert wrong(lines) == ["Windows log-on"]
    assert "Anonymous Authentication" in lines["Windows log-on"].remedy


async def test_a_proxy_that_wants_a_log_on_is_named() -> None:
    """407 is not the account's fault."""
    async with iis() as sim, logging_on(sim, "basic") as agent:
        sim.inject(HttpAnswer(status=407, times=9))
        lines = await report(agent)
        assert sim.calls.requests == 1
    assert wrong(lines) == ["Windows log-on"]
    assert "proxy" in lines["Windows log-on"].remedy


async def test_an_agent_without_any_account_is_said_to_have_none() -> None:
    """Nothing configured and nothing asked for: both lines say so."""
    info = wire.info({})
    async with (
        wire.serve(wire.answer(WSDL), wire.answer(info)) as site,
        Agent(site.endpoint, credentials=Credentials(), retry=ONCE) as agent,
    ):
        lines = await report(agent)
    assert "no account is configured" in lines["Windows log-on"].detail
    assert "none is configured" in lines["API key"].detail


# ---------------------------------------------------------------- the agent's own door


@every
async def test_a_wrong_key_is_not_the_accounts_fault(scheme: Scheme) -> None:
    """The log-on's line is well, the key's says what to compare; nothing is asked after it."""
    async with iis() as sim, logging_on(sim, scheme, api_key="another") as agent:
        lines = await report(agent)
        assert sim.calls.refused == {"api_key": 1}
    assert wrong(lines) == ["API key"]
    assert lines["Windows log-on"].ok
    assert "X-API-Key is unknown" in lines["API key"].detail
    assert "agent's own settings" in lines["API key"].remedy
    assert all("own door was shut" in lines[name].detail for name in untried(lines))


async def test_a_403_of_iis_is_told_from_one_of_the_agent() -> None:
    """A page says that IIS refuses the machine or the site's settings do; the key is not meant."""
    async with iis() as sim, logging_on(sim, "negotiate") as agent:
        page = "<html><title>403 - Forbidden: Access is denied.</title></html>"
        sim.inject(HttpAnswer(status=403, body=page, content_type="text/html"))
        lines = await report(agent)
    assert wrong(lines) == ["API key"]
    assert "403 - Forbidden" in lines["API key"].detail
    assert "Domain Restrictions" in lines["API key"].remedy


def files(folder: Path, sim: SimulatedAgent, days: int) -> ClientCertificate:
    """A client certificate as it is configured, for so many days more."""
    issued = sim.tls.authority.client("ml-connector", days=(-1, days))
    issued.write_pair(folder / "client.pem", folder / "client.key")
    return ClientCertificate(folder / "client.pem", key_of(issued))


@pytest.mark.parametrize(("days", "state"), [(90, "ok"), (20, "note"), (5, "wrong")])
async def test_a_client_certificate_takes_the_keys_line(
    days: int, state: str, tmp_path: Path
) -> None:
    """Whose it is and how long it holds; ours ends some day, too."""
    async with iis(tls="good", client_certificates="required") as sim:
        own = files(tmp_path, sim, days)
        trust = Trust(sim.endpoint, ca_bundle=sim.tls.ca_bundle, identity=own)
        async with logging_on(sim, "ntlm", trust=trust) as agent:
            lines = await report(agent, own.certificate)
    line = lines["client certificate"]
    assert "API key" not in lines
    assert "CN=ml-connector" in line.detail
    assert f"{days - 1} days left" in line.detail
    assert line.ok is (state != "wrong")
    assert ("client_key" in line.remedy) is (state != "ok")
    assert lines["agent"].ok


@pytest.mark.parametrize("which", ["missing", "untrusted"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
async def test_a_client_certificate_that_is_not_taken_has_its_remedy(
    which: str, version: str, tmp_path: Path
) -> None:
    """Whether TLS says so in its handshake or after it, the log-on is not tried."""
    async with iis(tls="good", client_certificates="required") as sim:
        sim.tls.context.maximum_version = {
            "1.2": ssl.TLSVersion.TLSv1_2,
            "1.3": ssl.TLSVersion.TLSv1_3,
        }[version]
        own = None
        if which == "untrusted":
            issued = Authority("OTHER").client("stranger")
            issued.write_pair(tmp_path / "client.pem", tmp_path / "client.key")
            own = ClientCertificate(tmp_path / "client.pem", key_of(issued))
        trust = Trust(sim.endpoint, ca_bundle=sim.tls.ca_bundle, identity=own)
        async with logging_on(sim, "ntlm", trust=trust) as agent:
            lines = await report(agent, None if own is None else own.certificate)
        assert sim.calls.requests == 0
    key = "API key" if own is None else "client certificate"
    at = "TLS" if version == "1.2" else key
    assert wrong(lines) == [at]
    assert "client certificate" in lines[at].detail
    assert "SSL Settings" in lines[at].remedy
    assert not lines["Windows log-on"].tried


# ---------------------------------------------------------------- the WSDL


NAMESPACE = b'targetNamespace="urn:ml-connector:sage100-agent:v1"'


@pytest.mark.parametrize(
    ("document", "what", "remedy"),
    [
        (WSDL.replace(NAMESPACE, b'targetNamespace="urn:mas"'), "describes 'urn:mas'", "Another"),
        (WSDL.replace(b"ReadRow", b"ReadAll"), "has no operation ReadRow", "update the agent"),
        (b"<s:Envelope xmlns:s='urn:x'/>", "it is a Envelope", "browser on the server"),
        (b"", "not well-formed", "browser on the server"),
        (b"<a><b></a>", "not well-formed", "endpoint"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "DTD", "endpoint"),
        (
            b'<w:definitions xmlns:w="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:t">'
            b'<w:import namespace="urn:x" location="http://x/?wsdl=1"/></w:definitions>',
            "only refers to other documents",
            "?singleWsdl",
        ),
    ],
    ids=["namespace", "operation", "no WSDL", "nothing", "broken", "DTD", "import"],
)
async def test_what_came_instead_of_the_wsdl_is_said(
    document: bytes, what: str, remedy: str
) -> None:
    """The line of the WSDL names its address and the flaw; the agent is asked all the same."""
    info = wire.info({})
    async with (
        wire.serve(wire.answer(document), wire.answer(info)) as site,
        wire.client(site.endpoint) as agent,
    ):
        lines = await report(agent)
    line = lines["WSDL"]
    assert not line.ok
    assert what in line.detail
    assert remedy in line.remedy
    assert line.where == f"{site.endpoint}?wsdl"
    assert lines["agent"].ok


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (wire.answer(b"<html><title>Agent</title>", content_type="text/html"), "text/html: Agent"),
        (wire.answer(b"gone", 404, "text/plain"), "HTTP status 404, text/plain: gone"),
        (wire.answer(wire.fault("Internal", retryable=True), 500), "HTTP status 500"),
        (wire.answer(b"x" * 5_000_000), "larger than"),
    ],
    ids=["page", "status", "fault", "size"],
)
async def test_an_answer_that_is_no_document_is_the_wsdls_line(answer: Any, what: str) -> None:
    """A page, a status, a fault, too much: said of the WSDL; the agent may do all the same."""
    info = wire.info({})
    async with (
        wire.serve(answer, wire.answer(info)) as site,
        wire.client(site.endpoint) as agent,
    ):
        lines = await report(agent)
    assert wrong(lines)[0] == "WSDL"
    assert what in lines["WSDL"].detail
    assert lines["WSDL"].remedy
    assert lines["agent"].ok


async def test_the_wsdl_is_asked_for_as_everything_is() -> None:
    """GET endpoint?wsdl, with account and key."""
    seen: list[tuple[str, str]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append((request.method, request.query_string))
        return web.Response(body=WSDL, headers={"Content-Type": wire.XML})

    async with wire.serve(handle) as site, wire.client(site.endpoint) as agent:
        assert await agent.read_wsdl() == WSDL
        assert seen == [("GET", "wsdl")]
        assert site.headers[0]["X-API-Key"] == wire.API_KEY
        assert site.headers[0]["Authorization"].startswith("Basic ")
    assert wsdl.flaw_of(WSDL) is None


async def test_a_connection_that_breaks_ends_it() -> None:
    """What cannot be asked once is not asked again."""
    async with iis() as sim, logging_on(sim, "basic") as agent:
        await sim.go_down()
        lines = await report(agent)
    assert wrong(lines) == ["connection"]
    assert not lines["WSDL"].tried


async def test_the_agents_own_refusal_of_its_user_is_not_the_log_on() -> None:
    """LogonFailed of GetInfo: IIS and the key were passed, Sage 100's own user was not."""
    async with iis() as sim, logging_on(sim, "ntlm") as agent:
        sim.inject(SoapFault(code="LogonFailed", operation="GetInfo", times=9))
        lines = await report(agent)
    assert wrong(lines) == ["agent"]
    assert lines["Windows log-on"].ok
    assert lines["API key"].ok
    assert "Sage 100 refused the agent's user" in lines["clock"].detail
