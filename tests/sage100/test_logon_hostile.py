"""Servers that are not IIS, or no longer: what the client believes, and what it still sends."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from typing import Literal

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st
from spnego._spnego import unpack_token

from connector.sage100.agent import Agent
from connector.sage100.auth import Credentials, Scheme
from connector.sage100.auth_handshake import Handshake, HandshakeBroken
from connector.sage100.auth_logon import about_offers, names_in, token_for
from connector.sage100.errors import AgentUnreachable, BadAnswer, LogonRefused, NotTrusted
from connector.sage100.retry import ONCE
from connector.sandbox.agent import Calls, Conduct, LogonOptions
from connector.sandbox.agent.auth_account import Account
from connector.sandbox.agent.auth_handshake import HandshakeScheme
from connector.secret import Secret
from tests.sage100 import wire
from tests.sage100.logons import PASSWORD

INFO = wire.info({"AR_TermsCode": ("TermsCode", "TermsCode")})
NAMES: dict[Scheme, str] = {"negotiate": "Negotiate", "ntlm": "NTLM"}
both = pytest.mark.parametrize("scheme", list(NAMES))

Spoil = Callable[[str], str | None]


def credentials(scheme: Scheme) -> Credentials:
    """Whose they are does not matter here."""
    return Credentials(scheme=scheme, username="ACME\\svc", password=Secret(PASSWORD))


def client(endpoint: str, scheme: Scheme) -> Agent:
    """A client that asks once."""
    return Agent(
        endpoint,
        credentials=credentials(scheme),
        retry=ONCE,
        waiting=wire.Waits().waiting(),
    )


def door_of(scheme: Scheme) -> HandshakeScheme:
    """The server's side of a scheme, with our account."""
    account = Account("ACME\\svc", PASSWORD)
    name: Literal["NTLM", "Negotiate"] = "NTLM" if scheme == "ntlm" else "Negotiate"
    return HandshakeScheme(name, account, Calls(), LogonOptions(), Conduct())


def iis(
    scheme: Scheme,
    *,
    challenge: Spoil = lambda said: said,
    proof: Spoil = lambda said: said,
    admits: bool = True,
    page: str = "",
) -> wire.Handler:
    """An IIS whose challenges and proofs of itself go through a hand that may spoil them."""
    door = door_of(scheme)
    states: dict[object, dict[object, object]] = {}

    async def handle(request: web.Request) -> web.StreamResponse:
        await request.read()
        state = states.setdefault(request.transport, {})
        token = request.headers.get("Authorization", "").partition(" ")[2]
        verdict = door.authenticate(token, state)
        said = verdict.challenges[0] if verdict.challenges else NAMES[scheme]
        spoiled = (proof if verdict.granted else challenge)(said)
        shown = {} if spoiled is None else {"WWW-Authenticate": spoiled}
        if verdict.granted and admits:
            return web.Response(body=INFO, headers={"Content-Type": wire.XML, **shown})
        return web.Response(status=401, text=page, headers=shown)

    return handle


def changed(said: str) -> str:
    """The last byte of a token, changed."""
    name, _, token = said.partition(" ")
    given = bytearray(base64.b64decode(token))
    given[-5] ^= 1  # of the checksum: what follows is a number that is always 0
    return f"{name} {base64.b64encode(given).decode()}"


@both
async def test_what_proves_the_server_is_taken(scheme: Scheme) -> None:
    """The bench itself: nothing spoiled, the client is let in and believes it."""
    async with wire.serve(iis(scheme)) as served, client(served.endpoint, scheme) as agent:
        await agent.get_info()
        assert len(served.requests) == 2


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda said: None, "without completing"),
        (lambda said: "Negotiate", "without completing"),
        (lambda said: "Negotiate oQcwBaADCgEA", "proves nothing"),  # accept-completed, no checksum
        (lambda said: "Negotiate AAAA", "did not prove"),
        (lambda said: "Negotiate !!", "without completing|did not prove"),
        (changed, "did not prove"),
    ],
)
async def test_a_server_that_proves_nothing_is_not_believed(spoil: Spoil, why: str) -> None:
    """Negotiate proves both sides: without the server's part its answer is not used."""
    handler = iis("negotiate", proof=spoil)
    async with wire.serve(handler) as served, client(served.endpoint, "negotiate") as agent:
        with pytest.raises(NotTrusted, match=why) as caught:
            await agent.get_info()
        assert not caught.value.stopped
        assert "prox" in caught.value.remedy


@both
async def test_a_server_that_asks_for_nothing_is_not_believed(scheme: Scheme) -> None:
    """Whoever lets everybody in does not do what the contract says; the remedy names the switch."""
    async with (
        wire.serve(wire.answer(INFO)) as served,
        client(served.endpoint, scheme) as agent,
    ):
        with pytest.raises(NotTrusted, match="without completing") as caught:
            await agent.get_info()
        assert "Anonymous Authentication" in caught.value.remedy


@both
async def test_a_proof_is_sent_once_whatever_comes_back(scheme: Scheme) -> None:
    """A server that challenges for ever gets one proof: the second challenge is a refusal."""
    handler = iis(scheme, admits=False, proof=lambda said: f"{NAMES[scheme]} TlRMTVNTUAAC")
    async with wire.serve(handler) as served, client(served.endpoint, scheme) as agent:
        for _ in range(3):
            with pytest.raises(LogonRefused):
                await agent.get_info()
        assert len(served.requests) == 2


@both
@pytest.mark.parametrize(
    "token", ["!!!", "AAAA", "TlRMTVNTUAACAAAA", "oYIBCjCCAQag", "TlRMTVNTUAADAAAA", "oQcwBaADCgEC"]
)
async def test_a_challenge_that_is_none_is_named(scheme: Scheme, token: str) -> None:
    """Rubbish for a challenge ends the log-on before any proof, and is not a refusal of ours."""
    handler = iis(scheme, challenge=lambda said: f"{NAMES[scheme]} {token}")
    async with wire.serve(handler) as served, client(served.endpoint, scheme) as agent:
        with pytest.raises((BadAnswer, LogonRefused)) as caught:
            await agent.get_info()
        # What is not even base64 counts as no challenge: the scheme alone, which is a refusal.
        assert isinstance(caught.value, LogonRefused) == (token == "!!!")
        assert len(served.requests) == 1


@both
async def test_scheme_names_have_no_case(scheme: Scheme) -> None:
    """RFC 9110: `ntlm` is NTLM."""

    def lower(said: str) -> str:
        name, space, token = said.partition(" ")
        return f"{name.lower()}{space}{token}"

    async with (
        wire.serve(iis(scheme, challenge=lower, proof=lower)) as served,
        client(served.endpoint, scheme) as agent,
    ):
        await agent.get_info()


@both
async def test_a_long_page_with_a_challenge(scheme: Scheme) -> None:
    """IIS sends a page with its 401; it is read, so that the connection can be used on."""
    handler = iis(scheme, page="x" * 60_000)
    async with wire.serve(handler) as served, client(served.endpoint, scheme) as agent:
        await agent.get_info()
        assert len(served.requests) == 2


@both
async def test_an_endless_page_with_a_challenge(scheme: Scheme) -> None:
    """A page without end costs the connection, not our memory, and no proof is sent."""
    handler = iis(scheme, page="x" * 3_000_000)
    async with wire.serve(handler) as served, client(served.endpoint, scheme) as agent:
        with pytest.raises(AgentUnreachable, match="no end"):
            await agent.get_info()
        assert len(served.requests) == 8


@pytest.mark.parametrize(
    ("offers", "names", "token"),
    [
        (["Negotiate", "NTLM"], ["Negotiate", "NTLM"], None),
        (["Negotiate, NTLM"], ["Negotiate", "NTLM"], None),
        (["NTLM TlRM=="], ["NTLM"], "TlRM=="),
        (["Negotiate, NTLM TlRM"], ["Negotiate", "NTLM"], "TlRM"),
        (['Basic realm="a, NTLM b"'], ["Basic"], None),
        (['Digest qop="auth", nonce="x", NTLM'], ["Digest", "NTLM"], None),
        (["", " ,", "=", "NTLMx AAAA"], ["NTLMx"], None),
        ([], [], None),
    ],
)
def test_offers_are_read(offers: list[str], names: list[str], token: str | None) -> None:
    """Schemes come one to a value or as a list, with a token or with parameters."""
    assert names_in(offers) == names
    assert token_for("ntlm", offers) == token


def test_what_is_said_of_offers_is_short() -> None:
    """A server cannot make our errors long."""
    assert len("".join(about_offers("ntlm", ["X" * 5_000] * 5_000))) < 400


def challenge_of(scheme: Scheme) -> bytes:
    """A real challenge."""
    first = Handshake(credentials(scheme), "localhost", None).begin()
    verdict = door_of(scheme).authenticate(first.partition(" ")[2], {})
    return base64.b64decode(verdict.challenges[0].partition(" ")[2])


CHALLENGES = {scheme: challenge_of(scheme) for scheme in NAMES}


@both
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_challenge_breaks_the_client(scheme: Scheme, data: st.DataObject) -> None:
    """Whatever stands in a challenge is answered or refused, never anything else."""
    real = CHALLENGES[scheme]
    given_bytes = bytearray(data.draw(st.one_of(st.binary(max_size=200), st.just(real))))
    for _ in range(data.draw(st.integers(0, 4))):
        if given_bytes:
            at = data.draw(st.integers(0, len(given_bytes) - 1))
            given_bytes[at] = data.draw(st.integers(0, 255))
    given_bytes = given_bytes[: data.draw(st.integers(0, len(given_bytes)))] or given_bytes
    handshake = Handshake(credentials(scheme), "localhost", None)
    handshake.begin()
    said = NAMES[scheme]
    with contextlib.suppress(HandshakeBroken):
        said = handshake.answer(base64.b64encode(bytes(given_bytes)).decode())
    assert said.startswith(NAMES[scheme])


def test_a_server_that_answers_negotiate_with_bare_ntlm() -> None:
    """Some servers take SPNEGO and go on without it; then there is no proof to wait for."""
    ours = Handshake(credentials("negotiate"), "localhost", None)
    first = unpack_token(base64.b64decode(ours.begin().partition(" ")[2])).mech_token
    theirs = door_of("ntlm")
    state: dict[object, object] = {}
    challenge = theirs.authenticate(base64.b64encode(first).decode(), state).challenges[0]
    tried = [ours.tried]
    proof = ours.answer(challenge.partition(" ")[2])
    assert [*tried, ours.tried] == [False, True]
    assert theirs.authenticate(proof.partition(" ")[2], state).granted
    assert ours.finish(None)


@both
async def test_tickets_that_are_none_do_no_harm(
    scheme: Scheme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A ticket cache without tickets leaves NTLM, with one proof of the password."""
    monkeypatch.setenv("KRB5CCNAME", "FILE:/nowhere/tickets")
    async with wire.serve(iis(scheme)) as served, client(served.endpoint, scheme) as agent:
        await agent.get_info()
        assert len(served.requests) == 2
