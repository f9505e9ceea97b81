"""The client against the simulated agent, over real sockets."""

from __future__ import annotations

import asyncio

import pytest

from connector.sage100.agent import Agent
from connector.sage100.errors import (
    AgentError,
    AgentMisfit,
    BadAnswer,
    Call,
    CutShort,
    LogonRefused,
    RecordNotFound,
)
from connector.sandbox.agent import (
    DoctypeXml,
    DropConnection,
    Hold,
    HttpAnswer,
    MalformedXml,
    SimulatedAgent,
    SoapFault,
    TruncatedBody,
)
from connector.sandbox.agent.faults import AnyFault
from tests.sage100 import wire
from tests.sage100.conftest import connect
from tests.sage100.wire import NOW

CALL = Call("http://127.0.0.1:1/x", "GetInfo")


async def all_rows(agent: Agent, entity: str, limit: int) -> list[tuple[str, ...]]:
    """Every row of an entity, page by page."""
    rows: list[tuple[str, ...]] = []
    after: str | None = ""
    while after is not None:
        page = await agent.read_page("ABC", entity, after=after, limit=limit)
        rows += page.rows
        after = page.next
    assert page.complete
    return rows


async def test_the_agent_describes_itself(agent: Agent) -> None:
    """Clock, zone, companies and every entity of the contract."""
    info = await agent.get_info()
    assert info.server_time == NOW
    assert info.time_zone == "America/Chicago"
    assert [company.code for company in info.companies] == ["ABC"]
    entity = info.entity("AR_Invoice")
    assert entity is not None
    assert entity.key == ("ARDivisionNo", "CustomerNo", "InvoiceNo", "HeaderSeqNo", "InvoiceType")


@pytest.mark.parametrize("limit", [7, 500])
async def test_pages_give_every_row_as_sage_holds_it(
    agent: Agent, sim: SimulatedAgent, limit: int
) -> None:
    """All rows, all columns, in the order of the agent, whatever the page size."""
    for entity in ("AR_Customer", "AR_Invoice"):
        expected = [tuple(row.values()) for row in sim.company.rows(entity)]
        assert await all_rows(agent, entity, limit) == expected


async def test_only_the_columns_asked_for_come_and_the_key(agent: Agent) -> None:
    """The agent adds the key; the page says which columns it has."""
    page = await agent.read_page("ABC", "AR_Customer", columns=["CustomerName"], limit=1)
    assert page.columns == ("ARDivisionNo", "CustomerNo", "CustomerName")


async def test_changed_since_travels(agent: Agent, sim: SimulatedAgent) -> None:
    """The date filter is the agent's; the request carries it."""
    page = await agent.read_page("ABC", "AR_Customer", changed_since="20991231")
    assert page.rows == []
    assert sim.calls.log[-1].changed_since == "20991231"


async def test_one_row_by_its_key(agent: Agent, sim: SimulatedAgent) -> None:
    """ReadRow gives the one row, and says when there is none."""
    row = next(sim.company.rows("AR_Customer"))
    page = await agent.read_row("ABC", "AR_Customer", (row["ARDivisionNo"], row["CustomerNo"]))
    assert page.rows == [tuple(row.values())]
    with pytest.raises(RecordNotFound):
        await agent.read_row("ABC", "AR_Customer", ("99", "NOBODY"))


async def test_one_request_at_a_time(agent: Agent, sim: SimulatedAgent) -> None:
    """However many callers there are, the agent never has two requests at once."""
    pages = [agent.read_page("ABC", "AR_Customer", limit=5) for _ in range(8)]
    await asyncio.gather(*pages)
    assert sim.calls.operations["ReadPage"] == 8
    assert sim.calls.most_in_flight == 1


@pytest.mark.parametrize(
    ("fault", "attempts"),
    [
        (SoapFault(code="Internal", times=2), 3),
        (SoapFault(code="SessionBusy", times=1), 2),
        (HttpAnswer(status=502, times=2), 3),
        (HttpAnswer(status=503, times=1), 2),
        (DropConnection(times=2), 3),
        (TruncatedBody(times=2), 3),
        (MalformedXml(times=1), 2),
    ],
)
async def test_what_passes_is_survived(
    agent: Agent, sim: SimulatedAgent, fault: AnyFault, attempts: int
) -> None:
    """Faults that pass are tried again until the answer comes."""
    sim.inject(fault)
    page = await agent.read_page("ABC", "AR_Customer", limit=5)
    assert len(page.rows) == 5
    assert agent.calls == attempts


@pytest.mark.parametrize(
    ("fault", "kind", "attempts"),
    [
        (SoapFault(code="Internal", times=9), AgentError, 3),
        (TruncatedBody(times=9, share=0.9), CutShort, 3),
        (DoctypeXml(times=9), BadAnswer, 1),
        (SoapFault(code="UnknownColumn", times=9), AgentMisfit, 1),
        (SoapFault(code="LogonFailed", times=9), LogonRefused, 1),
        (HttpAnswer(status=200, body="<html>hi</html>", content_type="text/xml"), AgentError, 1),
    ],
)
async def test_what_does_not_pass_is_handed_on(
    agent: Agent, sim: SimulatedAgent, fault: AnyFault, kind: type[AgentError], attempts: int
) -> None:
    """The rest ends after its number of attempts, and no more."""
    sim.inject(fault)
    with pytest.raises(kind):
        await agent.read_page("ABC", "AR_Customer")
    assert agent.calls == attempts


async def test_wrong_credentials_cost_one_request(sim: SimulatedAgent) -> None:
    """A wrong password is tried once, ever, by this client."""
    async with connect(sim, password="wrong") as agent:
        for _ in range(4):
            with pytest.raises(LogonRefused, match="401"):
                await agent.get_info()
    assert sim.calls.requests == 1


async def test_a_cancelled_request_leaves_the_client_usable(
    agent: Agent, sim: SimulatedAgent
) -> None:
    """Cancelling while the agent thinks frees the turn and the connection."""
    held = sim.inject(Hold())
    task = asyncio.create_task(agent.get_info())
    async with asyncio.timeout(5):
        await held.reached.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        held.release()
        assert (await agent.get_info()).edition == "Premium"
    assert task.cancelled()


async def test_renamed_columns_are_canonical_above_the_client() -> None:
    """Names of the agent's own are used on the wire and nowhere else, entity by entity."""
    described = wire.info(
        {
            "AR_Customer": ("Div CustomerNumber", "Div CustomerNumber DateLastUpdated"),
            "AR_TermsCode": ("TermsCode", "TermsCode DateUpdated"),
        }
    )
    customers = wire.page(("Div", "CustomerNumber", "DateLastUpdated"), [("01", "ABF", "20261121")])
    terms = wire.page(("TermsCode", "DateUpdated"), [("00", "")])
    names = {
        "ARDivisionNo": "Div",
        "CustomerNo": "CustomerNumber",
        "DateUpdated": "DateLastUpdated",
    }
    handlers = (wire.answer(described), wire.answer(customers), wire.answer(terms))
    async with (
        wire.serve(*handlers) as served,
        wire.client(served.endpoint, columns=names) as agent,
    ):
        info = await agent.get_info()
        entity = info.entity("AR_Customer")
        assert entity is not None
        assert entity.key == ("ARDivisionNo", "CustomerNo")
        wanted = ("ARDivisionNo", "CustomerNo", "DateUpdated")
        page = await agent.read_page("ABC", "AR_Customer", columns=wanted)
        assert page.columns == wanted
        page = await agent.read_page("ABC", "AR_TermsCode", columns=("TermsCode", "DateUpdated"))
        assert page.columns == ("TermsCode", "DateUpdated")
    assert served.asked(1)["Columns"] == "Div CustomerNumber DateLastUpdated"
    assert served.asked(2)["Columns"] == "TermsCode DateUpdated"


async def test_two_columns_of_one_name_are_refused() -> None:
    """A rename onto a name that the agent uses too would mix two columns up."""
    described = wire.info({"AR_Customer": ("CustomerNo", "CustomerNo CustomerNumber")})
    async with (
        wire.serve(wire.answer(described)) as served,
        wire.client(served.endpoint, columns={"CustomerNo": "CustomerNumber"}) as agent,
    ):
        with pytest.raises(AgentMisfit, match="CustomerNo and CustomerNumber"):
            await agent.get_info()


async def test_a_page_without_a_column_asked_for_is_refused() -> None:
    """A column that was left out would look like one that has become empty."""
    body = wire.page(("TermsCode",), [("00",)])
    async with wire.serve(wire.answer(body)) as served, wire.client(served.endpoint) as agent:
        with pytest.raises(BadAnswer, match="TermsCodeDesc"):
            await agent.read_page("ABC", "AR_TermsCode", columns=("TermsCode", "TermsCodeDesc"))


async def test_every_request_carries_both_credentials_and_the_action() -> None:
    """Windows account, agent key and SOAPAction go with every request."""
    async with (
        wire.serve(wire.answer(wire.page(("A",), []))) as served,
        wire.client(served.endpoint) as agent,
    ):
        await agent.read_page("ABC", "E")
        await agent.read_page("ABC", "E")
    for sent in served.headers:
        assert sent["X-API-Key"] == wire.API_KEY
        assert sent["Authorization"].startswith("Basic ")
        assert sent["SOAPAction"] == f'"{wire.NS}/ReadPage"'
        assert sent["Content-Type"] == "text/xml; charset=utf-8"
