"""Windows log-ons at the agent: real tokens, one connection, books, locks; seen with raw HTTP."""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import aiohttp
import msgspec
import pytest
import spnego
from spnego.channel_bindings import GssChannelBindings

from connector.sandbox.agent import AgentOptions, LogonOptions
from connector.sandbox.agent.auth_account import Account, spellings
from tests.sandbox.agent_wire import Wire, basic, envelope, serving

Name = Literal["NTLM", "Negotiate"]
PASSWORD = "pä:ß€"
USER = "ACME\\svc"
both = pytest.mark.parametrize("name", ["NTLM", "Negotiate"])
INFO = envelope("<a:GetInfo/>")
ACTION = '"urn:ml-connector:sage100-agent:v1/GetInfo"'


class Said(msgspec.Struct):
    """One answer, as far as log-ons go."""

    status: int
    offers: list[str]

    def token(self, name: str) -> bytes | None:
        """What follows the scheme's name."""
        for offer in self.offers:
            scheme, _, token = offer.partition(" ")
            if scheme == name and token:
                return base64.b64decode(token)
        return None


class Client:
    """One connection to the agent, which says what the test tells it to."""

    def __init__(self, wire: Wire, session: aiohttp.ClientSession) -> None:
        self.wire = wire
        self.session = session

    async def ask(self, authorization: str | None = None) -> Said:
        """GetInfo."""
        sent = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": ACTION}
        sent["X-API-Key"] = self.wire.api_key or ""
        if authorization is not None:
            sent["Authorization"] = authorization
        async with self.session.post(self.wire.agent.endpoint, data=INFO, headers=sent) as answer:
            await answer.read()
            return Said(answer.status, answer.headers.getall("WWW-Authenticate", []))

    async def leg(self, name: str, token: bytes | None) -> Said:
        """GetInfo with a token."""
        return await self.ask(f"{name} {base64.b64encode(token or b'').decode()}")

    async def log_on(self, context: spnego.ContextProxy, name: str) -> Said:
        """Every leg of a log-on; the last answer, its token checked."""
        said = await self.leg(name, context.step())
        challenge = said.token(name)
        assert (said.status, challenge is not None) == (401, True), said
        said = await self.leg(name, context.step(challenge))
        proof = said.token(name)
        if said.status == 200 and proof is not None:
            context.step(proof)
            assert context.complete
        return said


@asynccontextmanager
async def connected(wire: Wire, **how: Any) -> AsyncIterator[Client]:
    """A connection of its own, kept alive."""
    connector = aiohttp.TCPConnector(limit=1, **how)
    async with aiohttp.ClientSession(connector=connector) as session:
        yield Client(wire, session)


@asynccontextmanager
async def iis(**logon: Any) -> AsyncIterator[Wire]:
    """An agent behind an IIS that offers everything."""
    options = LogonOptions(**{"schemes": ("Negotiate", "NTLM", "Basic"), **logon})
    async with serving(username=USER, password=PASSWORD, logon=options) as wire:
        yield wire


def context_of(
    name: Name, username: str = USER, password: str = PASSWORD, **more: Any
) -> spnego.ContextProxy:
    """The client's side, in pure Python."""
    use = spnego.NegotiateOptions
    return spnego.client(
        username,
        password,
        hostname="localhost",
        service="HTTP",
        protocol=name.lower(),
        options=use.use_ntlm if name == "NTLM" else use.use_negotiate,
        **more,
    )


async def test_offers_stand_one_to_a_header_in_the_order_of_iis() -> None:
    """A request that says nothing is told every scheme, and counted as refused, not as wrong."""
    async with iis() as wire, connected(wire) as client:
        said = await client.ask()
        assert (said.status, said.offers) == (401, ["Negotiate", "NTLM", 'Basic realm="sage100"'])
        assert wire.agent.calls.refused == {"windows": 1}
        assert not wire.agent.calls.wrong_logons


@both
async def test_a_log_on_is_good_for_its_connection(name: Name) -> None:
    """After the legs requests say nothing more; another connection has to log on by itself."""
    async with iis() as wire, connected(wire) as one, connected(wire) as other:
        assert (await one.log_on(context_of(name), name)).status == 200
        for _ in range(3):
            assert (await one.ask()).status == 200
        assert (await other.ask()).status == 401
        calls = wire.agent.calls
        assert (calls.handshakes, calls.logons) == ({name: 1}, {name: 1})
        assert calls.operations["GetInfo"] == 4


async def test_negotiate_proves_the_server() -> None:
    """The answer to the last leg carries a token that only the account's server can make."""
    async with iis() as wire, connected(wire) as client:
        context = context_of("Negotiate")
        said = await client.log_on(context, "Negotiate")
        assert said.token("Negotiate")
        assert context.complete


@both
async def test_a_challenge_comes_alone(name: Name) -> None:
    """The answer to a first leg names the scheme in use and its challenge, and is no refusal."""
    async with iis() as wire, connected(wire) as client:
        said = await client.leg(name, context_of(name).step())
        assert [offer.partition(" ")[0] for offer in said.offers] == [name]
        assert not wire.agent.calls.refused


@both
async def test_a_later_leg_on_another_connection_is_refused(name: Name) -> None:
    """The answer to one connection's challenge is worth nothing on another."""
    async with iis() as wire, connected(wire) as one, connected(wire) as other:
        context = context_of(name)
        said = await one.leg(name, context.step())
        proof = context.step(said.token(name))
        refused = await other.leg(name, proof)
        assert refused.status == 401
        assert len(refused.offers) == 3
        calls = wire.agent.calls
        assert (calls.stray_legs, calls.refused) == ({name: 1}, {"windows": 1})
        assert not calls.wrong_logons
        assert (await one.leg(name, proof)).status == 200


@both
async def test_a_proof_is_good_once(name: Name) -> None:
    """A proof that was recorded opens nothing: it answers a challenge that is gone."""
    async with iis() as wire, connected(wire) as client:
        context = context_of(name)
        said = await client.leg(name, context.step())
        proof = context.step(said.token(name))
        assert (await client.leg(name, proof)).status == 200
        assert (await client.leg(name, proof)).status == 401
        assert (await client.ask()).status == 401


@both
@pytest.mark.parametrize(
    ("username", "password"), [(USER, "wrong"), ("ACME\\nobody", PASSWORD), (USER, PASSWORD + " ")]
)
async def test_a_wrong_log_on_is_refused_and_counted(
    name: Name, username: str, password: str
) -> None:
    """A wrong password or an unknown user gets every offer again, and stands in the books."""
    async with iis() as wire, connected(wire) as client:
        said = await client.log_on(context_of(name, username, password), name)
        assert (said.status, len(said.offers)) == (401, 3)
        assert (await client.ask()).status == 401
        assert wire.agent.calls.wrong_logons == {name: 1}
        assert not wire.agent.calls.logons


@both
async def test_wrong_log_ons_lock_the_account(name: Name) -> None:
    """After the third the right password is refused by every scheme, until it is unlocked."""
    async with iis(lock_after=3) as wire, connected(wire) as client:
        account = wire.agent.account
        for _ in range(2):
            await client.log_on(context_of(name, password="wrong"), name)
        assert (await client.log_on(context_of(name), name)).status == 200
        locked = [account.locked]  # a right one between them starts the count again
        for _ in range(3):
            await client.log_on(context_of(name, password="wrong"), name)
        assert [*locked, account.locked] == [False, True]
        assert (await client.log_on(context_of(name), name)).status == 401
        assert (await client.ask(basic(USER, PASSWORD))).status == 401
        account.unlock()
        assert (await client.ask(basic(USER, PASSWORD))).status == 200


async def test_basic_is_one_of_the_schemes() -> None:
    """Basic beside the others: its own books, and no state on the connection."""
    async with iis(lock_after=9) as wire, connected(wire) as client:
        assert (await client.ask(basic(USER, "wrong"))).status == 401
        assert (await client.ask(basic(USER, PASSWORD))).status == 200
        assert (await client.ask()).status == 401
        calls = wire.agent.calls
        assert (calls.logons, calls.wrong_logons) == ({"Basic": 1}, {"Basic": 1})


@both
async def test_a_log_on_may_wear_out(name: Name) -> None:
    """With `lasts` the connection is asked to log on again, and may do so on the spot."""
    async with iis(lasts=2) as wire, connected(wire) as client:
        assert (await client.log_on(context_of(name), name)).status == 200
        assert (await client.ask()).status == 200
        assert (await client.ask()).status == 401
        assert (await client.log_on(context_of(name), name)).status == 200
        assert wire.agent.calls.logons == {name: 2}


@pytest.mark.parametrize(
    "authorization",
    ["NTLM", "NTLM !", "NTLM AAAA", "NTLM TlRMTVNTUAABAAAA", "Negotiate YII=", "Negotiate YAA="],
)
async def test_rubbish_is_refused(authorization: str) -> None:
    """What is no token is refused with every offer, and held against nobody."""
    async with iis() as wire, connected(wire) as client:
        said = await client.ask(authorization)
        assert (said.status, len(said.offers)) == (401, 3)
        assert not wire.agent.calls.wrong_logons


@both
async def test_only_what_is_offered_is_taken(name: Name) -> None:
    """A scheme that is not offered is refused like no log-on at all."""
    async with iis(schemes=("Basic",)) as wire, connected(wire) as client:
        said = await client.leg(name, context_of(name).step())
        assert (said.status, said.offers) == (401, ['Basic realm="sage100"'])
        assert not wire.agent.calls.handshakes


@both
@pytest.mark.parametrize("bound", [True, False])
async def test_extended_protection(name: Name, bound: bool) -> None:
    """A log-on has to name its connection's certificate; a missing one is no wrong password."""
    options = LogonOptions(schemes=(name,), extended_protection=True)
    async with serving(username=USER, password=PASSWORD, logon=options, tls="good") as wire:
        listener = wire.agent.tls
        digest = bytes.fromhex(listener.served.fingerprint.partition(":")[2])
        bindings = GssChannelBindings(application_data=b"tls-server-end-point:" + digest)
        context = context_of(name, channel_bindings=bindings if bound else None)
        tls = ssl.create_default_context(cafile=listener.ca_bundle)
        async with connected(wire, ssl=tls) as client:
            said = await client.log_on(context, name)
        assert said.status == (200 if bound else 401)
        assert not wire.agent.calls.wrong_logons


def test_no_trace_in_the_environment() -> None:
    """Accounts are lent to the library for a step; afterwards neither variable nor file is left."""
    account = Account(USER, PASSWORD)
    assert "NTLM_USER_FILE" not in os.environ
    with account.lent():
        path = os.environ["NTLM_USER_FILE"]
        assert os.stat(path).st_mode & 0o077 == 0
        with open(path, encoding="utf-8") as file:
            assert PASSWORD not in file.read()
    assert "NTLM_USER_FILE" not in os.environ
    assert not os.path.exists(path)


@pytest.mark.parametrize(
    ("name", "forms"),
    [
        ("svc", {"svc"}),
        ("ACME\\Svc", {"svc", "acme\\svc", "svc@acme"}),
        ("svc@ACME.local", {"svc", "acme\\svc", "acme.local\\svc", "svc@acme.local"}),
    ],
)
def test_the_forms_of_a_name(name: str, forms: set[str]) -> None:
    """Windows takes an account by its domain's short and long name, and by its own."""
    assert spellings(name) == forms


@pytest.mark.parametrize(
    "wrong", [{"schemes": ()}, {"schemes": ("NTLM", "NTLM")}, {"lock_after": 0}, {"lasts": 0}]
)
def test_options_that_make_no_sense(wrong: dict[str, Any]) -> None:
    """No scheme, one twice, a lock before the first attempt: refused when built."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AgentOptions(logon=LogonOptions(**wrong))
