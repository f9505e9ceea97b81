"""Both doors of the agent, on every request: the Windows log-on and the agent's key."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from connector.sandbox.agent.auth import BasicScheme, ConnectionState, Verdict, WindowsDoor
from connector.sandbox.agent.auth_account import Account
from tests.sandbox.agent_wire import Wire, basic, serving


async def ask(wire: Wire) -> tuple[int, str, dict[str, str]]:
    """GetInfo, with whatever credentials the wire has."""
    answer = await wire.call("GetInfo", "")
    return answer.status, answer.body.decode()[:60], answer.headers


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Basic",
        "Basic !!!",
        "Basic " + "A" * 5000,
        "Bearer x",
        "Negotiate YII=",
        basic("svc_mlconnector", "wrong"),
        basic("Svc_Mlconnector ", "wrong"),
        basic("svc_mlconnector", ""),
    ],
)
async def test_without_the_windows_logon_it_is_401(authorization: str | None) -> None:
    """A missing, odd or wrong log-on is refused with a challenge, and counted."""
    async with serving() as wire:
        wire.authorization = authorization
        status, _, headers = await ask(wire)
        assert status == 401
        assert headers["WWW-Authenticate"] == 'Basic realm="sage100"'
        assert wire.agent.calls.refused == {"windows": 1}
        assert not wire.agent.calls.operations


@pytest.mark.parametrize("api_key", [None, "", "wrong", "é"])
async def test_without_the_key_it_is_403(api_key: str | None) -> None:
    """A right log-on with a missing or unknown key is refused in plain text, and counted."""
    async with serving() as wire:
        wire.api_key = api_key
        status, text, headers = await ask(wire)
        assert status == 403
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert "X-API-Key" in text
        assert wire.agent.calls.refused == {"api_key": 1}


async def test_the_windows_door_comes_first() -> None:
    """Without either credential the answer is 401: IIS stands before the agent."""
    async with serving() as wire:
        wire.authorization = wire.api_key = None
        assert (await ask(wire))[0] == 401
        assert wire.agent.calls.refused == {"windows": 1}


async def test_every_request_is_checked_even_on_one_connection() -> None:
    """Basic and key are asked for anew on a kept-alive connection, for the WSDL as well."""
    async with serving() as wire:
        assert (await ask(wire))[0] == 200
        good, wire.authorization = wire.authorization, None
        assert (await ask(wire))[0] == 401
        assert (await wire.send(b"", method="GET", query="?wsdl")).status == 401
        wire.authorization, wire.api_key = good, None
        assert (await wire.send(b"", method="GET", query="?wsdl")).status == 403
        assert wire.agent.calls.requests == 4
        assert wire.agent.calls.refused == {"windows": 2, "api_key": 1}


async def test_given_credentials_are_used_and_others_are_made_up() -> None:
    """Credentials come from the options; those left out differ from agent to agent."""
    async with serving(password="pass: wörd", api_key="key") as wire:
        assert (wire.agent.password, wire.agent.api_key) == ("pass: wörd", "key")
        assert (await ask(wire))[0] == 200
    async with serving() as one, serving() as two:
        assert one.agent.password != two.agent.password
        assert one.agent.api_key != two.agent.api_key
        one.api_key = two.agent.api_key
        assert (await ask(one))[0] == 403


async def test_calls_are_counted_by_what_they_were() -> None:
    """Operations, entities, answers and rows are counted; the log tells how each was asked."""
    async with serving() as wire:
        await wire.call("GetInfo", "")
        await wire.everything("AR_Customer", limit=40, since="20261121")
        await wire.row_call("AR_Customer", ("01", "NOBODY"))
        await wire.send(b"", method="GET", query="?wsdl")
        calls = wire.agent.calls
        assert calls.operations["GetInfo"] == calls.operations["ReadRow"] == 1
        assert calls.operations["WSDL"] == 1
        assert calls.entities == {"AR_Customer": calls.operations["ReadPage"] + 1}
        assert calls.answers["NotFound"] == 1
        assert calls.most_in_flight == 1
        assert calls.in_flight == 0
        page = calls.log[1]
        assert (page.operation, page.entity, page.company) == ("ReadPage", "AR_Customer", "ABC")
        assert (page.changed_since, page.limit, page.continued) == ("20261121", 40, False)
        assert calls.rows == sum(call.rows for call in calls.log) > 0


class ThreeLegs:
    """A scheme in the manner of NTLM: it challenges once, then trusts the connection."""

    name = "Legs"

    def challenge(self) -> str:
        return "Legs"

    def authenticate(self, credentials: str, connection: ConnectionState) -> Verdict:
        if credentials == "hello":
            connection["challenged"] = True
            return Verdict(granted=False, challenges=("Legs prove",), pending=True)
        known = credentials == "proof" and "challenged" in connection
        connection["known"] = known
        return Verdict(granted=known, reason="no proof")

    def remembers(self, connection: ConnectionState) -> bool:
        return bool(connection.get("known"))


def test_the_windows_door_takes_schemes_that_keep_state_on_the_connection() -> None:
    """A scheme of several legs fits beside Basic and lets later requests of its connection in."""
    door = WindowsDoor([ThreeLegs(), BasicScheme(Account("user", "pass"), "r")])

    def knock(connection: ConnectionState, authorization: str | None) -> Verdict:
        headers = {} if authorization is None else {"Authorization": authorization}
        return door.check(CIMultiDictProxy(CIMultiDict(headers)), connection)

    one: ConnectionState = {}
    other: ConnectionState = {}
    assert knock(one, None).challenges == ("Legs", 'Basic realm="r"')
    assert knock(one, "legs proof").challenges == ("Legs", 'Basic realm="r"')
    first = knock(one, "Legs hello")
    assert (first.granted, first.pending, first.challenges) == (False, True, ("Legs prove",))
    assert not knock(other, "Legs proof").granted
    assert knock(one, "Legs proof").granted
    assert knock(one, None).granted
    assert not knock(other, None).granted
    assert knock(other, basic("user", "pass")).granted
