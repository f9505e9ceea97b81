"""A SOAP client that knows nothing but the WSDL gets along with the agent.

zeep builds requests from the WSDL alone and reads answers by its schema, so what passes here would
pass for a client written by somebody else. It is synchronous and works in a thread, while the
agent serves on the loop. It gives an empty element as None: Sage 100 does not tell the two apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest
import requests
import zeep
from zeep.exceptions import Fault

from connector.sandbox.agent import SimulatedAgent, maintenance
from tests.sandbox.agent_wire import NOW, NS, Wire, serving

T = TypeVar("T")
TIMEOUT_S = 20
CHANGED = "20261122"


@contextmanager
def client(agent: SimulatedAgent, password: str | None = None) -> Iterator[zeep.Client]:
    """A client of what the agent describes; it logs on for the WSDL as for every call."""
    with requests.Session() as session:
        session.trust_env = False
        session.auth = (agent.username, password or agent.password)
        session.headers["X-API-Key"] = agent.api_key
        untyped: Any = zeep  # it says that it has types, and has few
        transport = untyped.Transport(
            session=session, timeout=TIMEOUT_S, operation_timeout=TIMEOUT_S
        )
        yield untyped.Client(f"{agent.endpoint}?wsdl", transport=transport)


async def asked(wire: Wire, ask: Callable[[zeep.Client], T]) -> T:
    """What `ask` gets from a client of its own, in a thread."""

    def work() -> T:
        with client(wire.agent) as soap:
            return ask(soap)

    return await asyncio.to_thread(work)


def everything(soap: zeep.Client, **arguments: Any) -> list[Any]:
    """Every page of a pass over a company's entity, from the start to the end."""
    pages = [soap.service.ReadPage(CompanyCode="ABC", **arguments)]
    while pages[-1].Next is not None:
        pages.append(soap.service.ReadPage(CompanyCode="ABC", After=pages[-1].Next, **arguments))
    return pages


def cells(pages: list[Any]) -> list[tuple[str, ...]]:
    """The rows of all pages, the empty cells as text again."""
    return [tuple(value or "" for value in row.V) for page in pages for row in page.Row]


async def test_it_reads_what_the_agent_says_of_itself() -> None:
    """GetInfo comes as typed values: the time as a time, companies, entities and their columns."""
    async with serving() as wire:
        info = await asked(wire, lambda soap: soap.service.GetInfo())
        assert info.ServerTime == NOW.replace(microsecond=0)
        assert info.TimeZone == wire.agent.options.time_zone
        assert [company.Code for company in info.Companies.Company] == ["ABC"]
        said = {
            entity.Name: (
                tuple(entity.Key.split()),
                [(column.name, column.type, column.length) for column in entity.Columns.Column],
            )
            for entity in info.Entities.Entity
        }
        assert said == {
            entity.name: (
                entity.key,
                [(column.name, column.type, column.length) for column in entity.columns],
            )
            for entity in wire.agent.model.entities()
        }


async def test_it_reads_every_row_page_by_page() -> None:
    """Following Next to the end gives the file's rows, in order, once each, with every cell."""
    async with serving() as wire:
        table = wire.agent.company.tables["AR_Invoice"]
        pages = await asked(wire, lambda soap: everything(soap, Entity="AR_Invoice", Limit=37))
        assert cells(pages) == list(table)
        assert len(pages) == -(-len(table) // 37) > 2
        assert {tuple(page.Columns.split()) for page in pages} == {table.entity.names}
        assert [page.Complete for page in pages] == [False] * (len(pages) - 1) + [True]
        assert sum(page.Scanned for page in pages) == len(table)
        assert {page.ScanLimitReached for page in pages} == {False}


async def test_it_reads_what_changed_and_only_the_columns_it_names() -> None:
    """ChangedSince leaves rows stamped since, or not at all; Columns the key and those named."""
    async with serving() as wire:
        table = wire.agent.company.tables["AR_Customer"]
        first, *_, last = table
        for row in (first, last):
            changes = {"Comment": "Called <twice> & again"}
            maintenance.change_customer(wire.agent.company, row[:2], changes)
        pages = await asked(
            wire,
            lambda soap: everything(
                soap,
                Entity="AR_Customer",
                Columns="Comment DateUpdated",
                ChangedSince=CHANGED,
                Limit=1,
            ),
        )
        at = table.entity.index
        changed = [
            (*row[:2], row[at["Comment"]], row[at["DateUpdated"]])
            for row in table
            if not (stamps := {row[at["DateCreated"]], row[at["DateUpdated"]]} - {""})
            or max(stamps) >= CHANGED
        ]
        assert {tuple(page.Columns.split()) for page in pages} == {
            ("ARDivisionNo", "CustomerNo", "Comment", "DateUpdated")
        }
        assert cells(pages) == changed
        assert {row[:2] for row in (first, last)} <= {row[:2] for row in changed}
        assert len(changed) < len(table)


async def test_it_reads_one_row_by_its_key() -> None:
    """ReadRow gives the one row with this key, whole."""
    async with serving() as wire:
        wanted = list(wire.agent.company.tables["AR_CustomerContact"])[3]
        key = {"V": list(wanted[:3])}
        page = await asked(
            wire,
            lambda soap: soap.service.ReadRow(
                CompanyCode="ABC", Entity="AR_CustomerContact", Key=key
            ),
        )
        assert cells([page]) == [wanted]
        assert (page.Next, page.Complete, page.Scanned) == (None, True, 1)


async def test_it_gets_a_typed_fault() -> None:
    """An unknown company is a SOAP fault whose detail the WSDL's schema can read."""

    def ask(soap: Any) -> tuple[Fault, Any]:
        with pytest.raises(Fault) as caught:
            soap.service.ReadPage(CompanyCode="ZZZ", Entity="AR_Customer", Limit=500)
        detail = caught.value.detail[0]
        return caught.value, soap.get_element(f"{{{NS}}}AgentFault").parse(detail, soap.wsdl.types)

    async with serving() as wire:
        fault, detail = await asked(wire, ask)
        assert fault.code == "soap:Client"
        assert (detail.Code, detail.Retryable, detail.RetryAfterSeconds) == (
            "InvalidCompany",
            False,
            None,
        )
        assert detail.Message == fault.message
        assert "ZZZ" in fault.message


async def test_the_wsdl_is_for_those_who_may_ask() -> None:
    """With a wrong password not even the WSDL is to be had: 401, as for every call."""

    def ask(agent: SimulatedAgent) -> int:
        with pytest.raises(requests.HTTPError) as caught, client(agent, password="wrong"):
            pass
        assert caught.value.response is not None
        return caught.value.response.status_code

    async with serving() as wire:
        assert await asyncio.to_thread(ask, wire.agent) == 401
