"""The control endpoint: another process changes the simulated Sage 100, by its own token."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from connector.sandbox.agent import AgentOptions, SimulatedAgent
from tests.sandbox.agent_wire import Wire, serving

ABF = ["01", "ABF"]


async def tell(wire: Wire, order: Any, token: str | None = None) -> tuple[int, dict[str, Any]]:
    """One order to the control endpoint."""
    bearer = {"Authorization": f"Bearer {wire.agent.control_token if token is None else token}"}
    url = wire.agent.control_url
    async with wire.session.post(url, json=order, headers=bearer) as response:
        return response.status, await response.json()


async def done(wire: Wire, **order: Any) -> dict[str, Any]:
    """An order that must succeed."""
    status, answer = await tell(wire, order)
    assert status == 200, answer
    return answer


async def test_records_are_added_changed_and_removed() -> None:
    """Master files can be changed with and without stamps, and cell by cell."""
    async with serving() as wire:
        fields = {"ARDivisionNo": "01", "CustomerNo": "CTL-1", "CustomerName": "Control"}
        await done(wire, do="add", entity="AR_Customer", fields=fields)
        where = {"entity": "AR_Customer", "key": ["01", "CTL-1"]}
        await done(wire, do="change", fields={"City": "Racine"}, stamp=False, **where)
        await done(wire, do="raw", column="DateCreated", text="00000000", **where)
        row = wire.agent.company.row("AR_Customer", ("01", "CTL-1"))
        assert (row["City"], row["DateCreated"]) == ("Racine", "00000000")
        await done(wire, do="remove", **where)
        assert wire.agent.company.find("AR_Customer", ("01", "CTL-1")) is None


async def test_documents_are_posted_and_paid() -> None:
    """Invoices, payments, credits and adjustments answer the key they made."""
    async with serving() as wire:
        invoice = (await done(wire, do="invoice", customer=ABF, total="80"))["key"]
        await done(wire, do="pay", invoice=invoice, amount="30", check_no="12", on="2026-11-20")
        await done(wire, do="adjust", invoice=invoice, amount="-1")
        memo = (await done(wire, do="credit", customer=ABF, amount="9", apply_to=invoice))["key"]
        snapshot = (await done(wire, do="snapshot", entity="AR_Invoice"))["rows"]
        balances = {row["InvoiceNo"]: row["Balance"] for row in snapshot}
        assert balances[invoice[2]] == "40"
        assert balances[memo[2]] == "0"
        assert snapshot == wire.agent.model.rows("AR_Invoice")


async def test_faults_are_scripted_and_released_from_outside() -> None:
    """A fault injected over the control endpoint strikes, and a release ends it."""
    async with serving() as wire:
        fault = {"fault": "soap", "code": "ExclusiveUse", "times": 9, "entity": "AR_Customer"}
        number = (await done(wire, do="fault", fault=fault))["number"]
        assert (await wire.page_call("AR_Customer")).fault[1] == "ExclusiveUse"
        await done(wire, do="release", number=number)
        assert (await wire.page_call("AR_Customer")).status == 200
        await done(wire, do="fault", fault={"fault": "http", "status": 530})
        await done(wire, do="release")
        assert (await wire.page_call("AR_Customer")).status == 200
        assert (await tell(wire, {"do": "release", "number": 99}))[0] == 400
        stats = await done(wire, do="stats")
        assert stats["answers"] == {"ExclusiveUse": 1, "ok": 2}
        assert stats["requests"] == 3


@pytest.mark.parametrize(
    "order",
    [
        {},
        [],
        {"do": "format"},
        {"do": "snapshot", "entity": "GL_Account"},
        {"do": "snapshot", "entity": "AR_Customer", "company": "XXX"},
        {"do": "stats", "surprise": 1},
        {"do": "fault", "fault": {"fault": "soap", "code": "Nope"}},
        {"do": "remove", "entity": "AR_Customer", "key": ["01", "NOBODY"]},
        {"do": "change", "entity": "AR_Customer", "key": ["01"], "fields": {}},
        {"do": "invoice", "customer": ABF, "total": "abc"},
    ],
)
async def test_wrong_orders_are_named(order: Any) -> None:
    """An order that makes no sense is answered 400 with the reason."""
    async with serving() as wire:
        status, answer = await tell(wire, order)
        assert status == 400
        assert len(answer["error"]) > 5


async def test_the_token_guards_the_control_endpoint() -> None:
    """Without the right token nothing is told or done; the agent's own credentials do not help."""
    async with serving() as wire:
        for token in ("", "wrong", wire.agent.api_key):
            assert (await tell(wire, {"do": "stats"}, token))[0] == 401
        async with wire.session.get(wire.agent.control_url) as response:
            assert response.status == 405
        assert wire.agent.calls.requests == 0


async def test_control_is_apart_from_the_service() -> None:
    """The control token opens no door of the service."""
    agent = SimulatedAgent(AgentOptions(customers=1, invoices=0, control_token="tok"))
    async with agent, aiohttp.ClientSession() as session:
        bearer = {"Authorization": "Bearer tok"}
        async with session.get(agent.endpoint + "?wsdl", headers=bearer) as response:
            assert response.status == 401
