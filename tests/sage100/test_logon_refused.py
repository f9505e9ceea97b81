"""A refused log-on is final: one attempt, no way round it, nothing said of our secrets."""

from __future__ import annotations

import base64
import logging
import traceback
from typing import Any

import pytest

from connector.errors import ConnectorError
from connector.sage100.auth import Credentials, Scheme
from connector.sage100.checks import check_agent
from connector.sage100.errors import LogonRefused
from connector.sandbox.agent import HttpAnswer
from connector.secret import Secret
from eventstore import EventStore
from tests.sage100.logons import PASSWORD, iis, logging_on, read_pages
from tests.sage100.world import World, failures, instance, rounds

NAMES: dict[Scheme, str] = {"negotiate": "Negotiate", "ntlm": "NTLM", "basic": "Basic"}
every = pytest.mark.parametrize("scheme", list(NAMES))


@every
async def test_a_wrong_password_is_tried_once(scheme: Scheme) -> None:
    """One attempt reaches the server; whoever asks again gets the same refusal, and no request."""
    async with iis() as sim, logging_on(sim, scheme, password="wrong") as agent:
        for _ in range(5):
            with pytest.raises(LogonRefused, match="401") as caught:
                await agent.get_info()
        assert caught.value.stopped
        assert not caught.value.retryable
        assert "unlock the account" in caught.value.remedy
        assert sim.calls.wrong_logons == {NAMES[scheme]: 1}
        assert sim.calls.requests == (1 if scheme == "basic" else 2)
        assert not sim.calls.logons


@every
async def test_an_unknown_user_is_tried_once(scheme: Scheme) -> None:
    """A name that Windows does not know is refused like a wrong password."""
    async with iis() as sim, logging_on(sim, scheme, username="ACME\\nobody") as agent:
        for _ in range(2):
            with pytest.raises(LogonRefused):
                await agent.get_info()
        assert sim.calls.wrong_logons == {NAMES[scheme]: 1}


@every
async def test_rounds_stop_and_say_what_to_do(
    scheme: Scheme, store: EventStore, world: World
) -> None:
    """Every PollFailed carries the remedy; later rounds send nothing; no account is locked."""
    async with iis(lock_after=2) as sim, logging_on(sim, scheme, password="wrong") as agent:
        running = rounds(agent, store, world)
        outcomes = await running.run_once()
        asked = sim.calls.requests
        for _ in range(4):
            await running.run_once()
        assert all(one.stopped for one in outcomes)
        logged = await failures(store)
        assert all(one.stopped and "unlock the account" in one.remedy for one in logged)
        assert all(one.category == "logon" and not one.retryable for one in logged)
        assert sim.calls.requests == asked
        assert sim.calls.wrong_logons == {NAMES[scheme]: 1}
        assert not sim.account.locked


@every
async def test_a_locked_account_is_tried_once(scheme: Scheme) -> None:
    """The right password of a locked account is refused, and not tried again."""
    async with iis(lock_after=1) as sim:
        sim.account.admits("Basic", right=False)
        assert sim.account.locked
        sim.calls.wrong_logons.clear()
        async with logging_on(sim, scheme) as agent:
            for _ in range(2):
                with pytest.raises(LogonRefused):
                    await agent.get_info()
        assert sim.calls.wrong_logons == {NAMES[scheme]: 1}


@every
async def test_a_password_changed_meanwhile_is_tried_once(scheme: Scheme) -> None:
    """A log-on that was good and is refused after the connection was replaced stops as well."""
    async with iis(lasts=3) as sim, logging_on(sim, scheme) as agent:
        await agent.get_info()
        sim.account.change_password("another")
        with pytest.raises(LogonRefused):
            await read_pages(agent, 9)
        with pytest.raises(LogonRefused):
            await agent.get_info()
        assert sim.calls.wrong_logons == {NAMES[scheme]: 1}


@pytest.mark.parametrize(
    ("scheme", "offered", "listed", "instead"),
    [
        ("negotiate", ("Basic",), "Basic", 'scheme = "basic"'),
        ("negotiate", ("NTLM", "Basic"), "NTLM, Basic", 'scheme = "ntlm" or'),
        ("ntlm", ("Negotiate",), "Negotiate", 'scheme = "negotiate"'),
        ("basic", ("Negotiate", "NTLM"), "Negotiate, NTLM", 'scheme = "negotiate" or'),
    ],
)
async def test_a_scheme_that_is_not_offered_is_named(
    scheme: Scheme, offered: Any, listed: str, instead: str
) -> None:
    """The error says what is offered, what is configured, what to change; that is all we try."""
    async with iis(schemes=offered) as sim, logging_on(sim, scheme) as agent:
        for _ in range(2):
            with pytest.raises(LogonRefused) as caught:
                await agent.get_info()
        error = caught.value
        assert (
            f"asks for: {listed}; configured is scheme = {scheme!r}".replace("'", '"') in error.what
        )
        assert "does not offer" in error.what
        assert instead in error.remedy
        assert "IIS" in error.remedy
        assert sim.calls.requests == 1
        assert not sim.calls.logons
        assert not sim.calls.wrong_logons


@every
async def test_a_wrong_key_after_a_good_log_on(scheme: Scheme) -> None:
    """The agent's 403 comes after the log-on, is told from it, and stops the client."""
    async with iis() as sim, logging_on(sim, scheme, api_key="other-key") as agent:
        for _ in range(3):
            with pytest.raises(LogonRefused, match="X-API-Key is unknown") as caught:
                await agent.get_info()
        assert caught.value.code == "403"
        assert sim.calls.logons == {NAMES[scheme]: 1}
        assert sim.calls.refused["api_key"] == 1
        assert not sim.calls.wrong_logons


@every
@pytest.mark.parametrize("right", [True, False])
async def test_nothing_is_said_of_our_secrets(
    scheme: Scheme, right: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """No log line, error or repr holds the password, the key or a token, at any level."""
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    async with iis() as sim:
        secret = PASSWORD if right else "Wr0ng-h0rse"
        async with logging_on(sim, scheme, password=secret) as agent:
            sim.inject(HttpAnswer(status=404, body="no such thing", content_type="text/plain"))
            with pytest.raises(ConnectorError) as caught:
                await agent.get_info()
            texts += traceback.format_exception(caught.value)
            texts += [repr(caught.value), repr(agent), repr(agent._logon), caplog.text]
        key = sim.api_key
    said = "\n".join(texts)
    assert ("404" if right else "401") in said
    basic = base64.b64encode(f"ACME\\svc_mlc:{secret}".encode()).decode()
    for hidden in (secret, basic, key, "TlRMTVNTUAAD", "oYIC"):  # how the proofs begin
        assert hidden not in said


async def test_an_echoed_token_is_taken_out() -> None:
    """A page that shows our own request back shows none of its tokens in the error."""
    async with iis() as sim, logging_on(sim, "ntlm") as agent:
        await agent.get_info()
        token = agent._logon._sent[-1].partition(" ")[2]
        assert token.startswith("TlRMTVNTUAAD")
        call = agent._logon.hiding(agent.call("GetInfo"))
        assert call.excerpt(f"you said {token}!") == "you said •••!"


async def test_check_reports_the_refusal() -> None:
    """`check` shows what the server asks for, and the remedy, after one attempt."""
    async with iis(schemes=("Negotiate",)) as sim, logging_on(sim, "ntlm") as agent:
        lines = await check_agent(agent, instance(agent.endpoint))
        [refused] = [line for line in lines if line.tried and not line.ok]
        assert refused.subject == "Sage 100 acme Windows log-on"
        assert "asks for: Negotiate" in refused.detail
        assert "negotiate" in refused.remedy
        assert sim.calls.requests == 1


def test_only_basic_cannot_carry_a_colon() -> None:
    """A colon in a name is refused for Basic alone."""
    for scheme in ("ntlm", "negotiate"):
        assert Credentials(scheme=scheme, username="a:b", password=Secret("x")).by_connection
    assert not Credentials().by_connection
