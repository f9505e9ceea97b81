"""Speaks the agent contract over a real socket with nothing but aiohttp and lxml.

The tests must not use the connector's client: a simulator and a client proven against each other
only could be wrong together. This is the contract's page read a second time, independently.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

import aiohttp
import msgspec
from lxml import etree

from connector.sandbox.agent import AgentOptions, ManualClock, Model, SimulatedAgent, build_model

NS = "urn:ml-connector:sage100-agent:v1"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
A = f"{{{NS}}}"
NOW = datetime(2026, 11, 22, 9, 15, 3, 250_000)
SMALL = AgentOptions(customers=60, invoices=240, vendors=12)


def small_model(seed: int = 1, **changes: Any) -> Model:
    """A small seeded model at a fixed moment."""
    options = msgspec.structs.replace(SMALL, seed=seed, **changes)
    return build_model(options, ManualClock(NOW))


class Answer(msgspec.Struct):
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def root(self) -> etree._Element:
        """The body as XML."""
        return etree.fromstring(self.body)

    @property
    def payload(self) -> etree._Element:
        """The element inside the SOAP Body."""
        return self.root[0][0]

    @property
    def fault(self) -> tuple[str, str | None]:
        """(faultcode, AgentFault code or None)."""
        assert self.status == 500, self.body[:500]
        assert self.payload.tag == f"{{{SOAP}}}Fault"
        code = self.payload.findtext("faultcode")
        assert code is not None
        return code, self.payload.findtext(f"detail/{A}AgentFault/{A}Code")


class Page(msgspec.Struct):
    """A ReadPage or ReadRow result."""

    columns: list[str]
    rows: list[dict[str, str]]
    following: str | None
    complete: bool
    scanned: int
    capped: bool
    server_time: str


class Wire:
    """A client session towards one agent."""

    def __init__(self, agent: SimulatedAgent, session: aiohttp.ClientSession) -> None:
        self.agent = agent
        self.session = session
        self.authorization: str | None = basic(agent.username, agent.password)
        self.api_key: str | None = agent.api_key

    async def send(
        self,
        body: bytes,
        *,
        method: str = "POST",
        query: str = "",
        action: str | None = None,
        content_type: str = "text/xml; charset=utf-8",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Any HTTP request to the agent's endpoint."""
        sent = {"Content-Type": content_type}
        if action is not None:
            sent["SOAPAction"] = action
        if self.api_key is not None:
            sent["X-API-Key"] = self.api_key
        if self.authorization is not None:
            sent["Authorization"] = self.authorization
        async with self.session.request(
            method,
            self.agent.endpoint + query,
            data=body,
            headers=sent | (headers or {}),
        ) as response:
            return Answer(response.status, dict(response.headers), await response.read())

    async def call(self, operation: str, inner: str, **more: Any) -> Answer:
        """A well-formed SOAP call with this content of the operation's element."""
        action = f'"{NS}/{operation}"'
        return await self.send(
            envelope(f"<a:{operation}>{inner}</a:{operation}>"), action=action, **more
        )

    async def page_call(
        self,
        entity: str,
        *,
        company: str = "ABC",
        columns: str | None = None,
        since: str | None = None,
        after: str | None = None,
        limit: int | str = 500,
        **more: Any,
    ) -> Answer:
        """A ReadPage call."""
        optional = (("Columns", columns), ("ChangedSince", since), ("After", after))
        inner = (
            f"<a:CompanyCode>{escape(company)}</a:CompanyCode><a:Entity>{escape(entity)}</a:Entity>"
        )
        for name, text in optional:
            if text is not None:
                inner += f"<a:{name}>{escape(text)}</a:{name}>"
        return await self.call("ReadPage", f"{inner}<a:Limit>{limit}</a:Limit>", **more)

    async def page(self, entity: str, **arguments: Any) -> Page:
        """A page that must succeed."""
        return read(await self.page_call(entity, **arguments))

    async def everything(self, entity: str, limit: int = 500, **arguments: Any) -> list[Page]:
        """Every page of a pass, from the start to the end."""
        pages = [await self.page(entity, limit=limit, **arguments)]
        while pages[-1].following is not None:
            pages.append(
                await self.page(entity, limit=limit, after=pages[-1].following, **arguments)
            )
        return pages

    async def row_call(self, entity: str, key: Sequence[str], company: str = "ABC") -> Answer:
        """A ReadRow call."""
        parts = "".join(f"<a:V>{escape(part)}</a:V>" for part in key)
        return await self.call(
            "ReadRow",
            f"<a:CompanyCode>{company}</a:CompanyCode><a:Entity>{entity}</a:Entity>"
            f"<a:Key>{parts}</a:Key>",
        )


def basic(username: str, password: str) -> str:
    """An Authorization header of the Basic scheme."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def envelope(inner: str) -> bytes:
    """A SOAP 1.1 envelope; the prefix `a` is bound."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<soap:Envelope xmlns:soap="{SOAP}" xmlns:a="{NS}"><soap:Body>{inner}</soap:Body>'
        "</soap:Envelope>"
    ).encode()


def read(answer: Answer) -> Page:
    """The page of a successful answer, checked against the contract's shape."""
    assert answer.status == 200, answer.body[:500]
    page = answer.payload.find(f"{A}Page")
    assert page is not None
    columns = (page.findtext(f"{A}Columns") or "").split()
    rows = [[value.text or "" for value in row] for row in page.iterfind(f"{A}Row")]
    return Page(
        columns=columns,
        rows=[dict(zip(columns, cells, strict=True)) for cells in rows],
        following=page.findtext(f"{A}Next"),
        complete=page.findtext(f"{A}Complete") == "true",
        scanned=int(page.findtext(f"{A}Scanned") or -1),
        capped=page.findtext(f"{A}ScanLimitReached") == "true",
        server_time=page.findtext(f"{A}ServerTime") or "",
    )


@asynccontextmanager
async def serving(
    model: Model | None = None, clock: ManualClock | None = None, **changes: Any
) -> AsyncIterator[Wire]:
    """A small agent at a fixed moment, and a session towards it."""
    options = msgspec.structs.replace(SMALL, **changes)
    agent = SimulatedAgent(options, clock=clock or ManualClock(NOW), model=model)
    async with agent, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield Wire(agent, session)
