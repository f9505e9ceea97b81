"""Every scheme gets in, once per connection, with every form of a name and any password."""

from __future__ import annotations

import asyncio

import pytest

from connector.sage100.agent import Limits
from connector.sage100.auth import Scheme
from connector.sage100.errors import AgentUnreachable
from connector.sandbox.agent import DropConnection, Hold
from tests.sage100.logons import PASSWORD, iis, logging_on, read_pages
from tests.sage100.wire import Waits

NAMES: dict[Scheme, str] = {"negotiate": "Negotiate", "ntlm": "NTLM"}
both = pytest.mark.parametrize("scheme", list(NAMES))


@both
async def test_one_log_on_serves_a_connection(scheme: Scheme) -> None:
    """GetInfo and 200 pages cost one handshake: one request more than there are answers."""
    async with iis() as sim, logging_on(sim, scheme) as agent:
        await agent.get_info()
        for _ in range(200):
            page = await agent.read_page("ABC", "AR_TermsCode", limit=2)
            assert len(page.rows) == 2
        calls = sim.calls
        assert calls.handshakes == {NAMES[scheme]: 1}
        assert calls.logons == {NAMES[scheme]: 1}
        assert calls.requests == agent.calls == 202
        assert not calls.refused
        assert not calls.wrong_logons


async def test_basic_travels_with_every_request() -> None:
    """Basic needs no handshake, whatever else is offered, and is judged each time."""
    async with iis() as sim, logging_on(sim, "basic") as agent:
        await agent.get_info()
        await read_pages(agent, 4)
        assert sim.calls.logons == {"Basic": 5}
        assert sim.calls.requests == agent.calls == 5
        assert not sim.calls.handshakes


@pytest.mark.parametrize("scheme", ["negotiate", "ntlm", "basic"])
@pytest.mark.parametrize(
    ("account", "username"),
    [
        ("ACME\\svc_mlc", "ACME\\svc_mlc"),
        ("ACME\\svc_mlc", "acme\\SVC_mlc"),
        ("ACME\\svc_mlc", "svc_mlc"),
        ("svc_mlc@acme.local", "svc_mlc@acme.local"),
        ("svc_mlc@acme.local", "ACME\\svc_mlc"),
        ("jürgen", "jürgen"),
    ],
)
async def test_every_form_of_a_name(scheme: Scheme, account: str, username: str) -> None:
    """DOMAIN\\user, user@domain and user all get in, with a password that is not ASCII."""
    async with iis(username=account, password=PASSWORD) as sim:
        async with logging_on(sim, scheme, username=username) as agent:
            assert (await agent.get_info()).agent_version
        assert sum(sim.calls.logons.values()) == 1


@both
async def test_a_replaced_connection_logs_on_anew(scheme: Scheme) -> None:
    """A connection that is dropped between pages costs one more handshake, and no page."""
    async with iis() as sim, logging_on(sim, scheme) as agent:
        first = await read_pages(agent, 3)
        sim.inject(DropConnection())
        assert await read_pages(agent, 3) == first
        assert sim.calls.handshakes == {NAMES[scheme]: 2}
        assert sim.calls.logons == {NAMES[scheme]: 2}
        assert not sim.calls.wrong_logons
        assert not sim.calls.refused


@both
async def test_a_connection_that_is_forgotten_logs_on_anew(scheme: Scheme) -> None:
    """A 401 to a request that said nothing of us asks for a log-on and refuses none."""
    async with iis(lasts=5) as sim, logging_on(sim, scheme) as agent:
        await agent.get_info()
        await read_pages(agent, 5)
        await read_pages(agent, 5)
        # 11 answers, 5 to a log-on: three log-ons, each but the first after a 401 that asks for it.
        assert sim.calls.logons == {NAMES[scheme]: 3}
        assert sim.calls.requests == agent.calls == 11 + 3 + 2
        assert not sim.calls.wrong_logons


@both
async def test_a_challenge_is_answered_on_its_own_connection(scheme: Scheme) -> None:
    """When the connection ends after the challenge, the next one gets a first leg, not a later."""
    async with iis(ends_after_challenge=2) as sim, logging_on(sim, scheme) as agent:
        await agent.get_info()
        assert sim.calls.handshakes == {NAMES[scheme]: 3}
        assert sim.calls.logons == {NAMES[scheme]: 1}
        assert not sim.calls.stray_legs
        assert not sim.calls.wrong_logons


@both
async def test_a_proxy_that_keeps_no_connection_is_named(scheme: Scheme) -> None:
    """When every connection ends after the challenge, it stops, having proven nothing to nobody."""
    async with iis(ends_after_challenge=99) as sim, logging_on(sim, scheme, tries=1) as agent:
        with pytest.raises(AgentUnreachable, match="no end") as caught:
            await agent.get_info()
        assert "connections open" in caught.value.remedy
        assert sim.calls.handshakes[NAMES[scheme]] == sim.calls.requests == 8
        assert not sim.calls.logons
        assert not sim.calls.wrong_logons
        assert not sim.calls.stray_legs


@both
async def test_a_lost_answer_to_a_proof_is_asked_again_once(scheme: Scheme) -> None:
    """One connection lost with the proof passes by itself."""
    async with iis(ends_at_proof=1) as sim, logging_on(sim, scheme) as agent:
        await agent.get_info()
        assert sim.calls.logons == {NAMES[scheme]: 2}


@both
@pytest.mark.parametrize("password", [None, "wrong"])
async def test_unanswered_proofs_do_not_lock_the_account(
    scheme: Scheme, password: str | None
) -> None:
    """After two proofs without an answer the next waits half an hour: each may have been wrong."""
    waits = Waits()
    async with (
        iis(ends_at_proof=99, lock_after=3) as sim,
        logging_on(sim, scheme, password=password, waits=waits, tries=9) as agent,
    ):
        with pytest.raises(AgentUnreachable, match="without an answer") as caught:
            await agent.get_info()
        books = sim.calls.wrong_logons if password else sim.calls.logons
        assert books == {NAMES[scheme]: 2}
        assert not caught.value.retryable
        assert not caught.value.stopped
        with pytest.raises(AgentUnreachable, match=r"in \d+ min"):
            await agent.get_info()
        assert books == {NAMES[scheme]: 2}
        assert not sim.account.locked
        waits.now += 1_801
        with pytest.raises(AgentUnreachable):
            await agent.get_info()
        assert books == {NAMES[scheme]: 3}


async def test_a_slow_answer_is_no_lost_proof() -> None:
    """A time-out after the proof counts for nothing: a refusal would have come at once."""
    limits = Limits(idle_s=0.25)
    async with iis() as sim, logging_on(sim, "ntlm", tries=4, limits=limits) as agent:
        held = sim.inject(Hold(times=3))
        assert len(await read_pages(agent, 1)) == 1
        assert sim.calls.logons == {"NTLM": 4}
        held.release()


async def test_a_cancelled_log_on_leaves_nothing_behind() -> None:
    """After a request was given up in the middle the next one begins at the beginning."""
    async with iis() as sim, logging_on(sim, "negotiate") as agent:
        held = sim.inject(Hold())
        task = asyncio.create_task(agent.get_info())
        await asyncio.wait_for(held.reached.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        held.release()
        await agent.get_info()
        assert sim.calls.logons == {"Negotiate": 2}
        assert not sim.calls.stray_legs


async def test_callers_share_a_log_on() -> None:
    """Requests asked for at once queue on one connection, which logs on once."""
    async with iis() as sim, logging_on(sim, "negotiate") as agent:
        await asyncio.gather(*(agent.get_info() for _ in range(5)))
        assert sim.calls.handshakes == {"Negotiate": 1}
        assert sim.calls.most_in_flight == 1
