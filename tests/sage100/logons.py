"""A simulated agent behind an IIS that asks for Windows log-ons, and clients of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from connector.sage100.agent import Agent, Limits
from connector.sage100.auth import Credentials, Scheme
from connector.sage100.retry import Retry
from connector.sandbox.agent import AgentOptions, LogonOptions, ManualClock, SimulatedAgent
from connector.secret import Secret
from tests.sage100.wire import NOW, Waits

PASSWORD = "pä: ß€ word"
ALL = ("Negotiate", "NTLM", "Basic")


@contextlib.asynccontextmanager
async def iis(
    *,
    username: str = "ACME\\svc_mlc",
    password: str = PASSWORD,
    tls: Any = None,
    client_certificates: Any = "ignored",
    **logon: Any,
) -> AsyncIterator[SimulatedAgent]:
    """A small company behind an IIS that offers Negotiate, NTLM and Basic unless told otherwise."""
    options = AgentOptions(
        customers=10,
        invoices=20,
        vendors=2,
        details=False,
        today=NOW.date(),
        username=username,
        password=password,
        tls=tls,
        client_certificates=client_certificates,
        logon=LogonOptions(**{"schemes": ALL, **logon}),
    )
    async with SimulatedAgent(options, clock=ManualClock(NOW)) as agent:
        yield agent


def logging_on(
    sim: SimulatedAgent,
    scheme: Scheme,
    *,
    username: str | None = None,
    password: str | None = None,
    api_key: str | None = None,
    tries: int = 3,
    waits: Waits | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    **more: Any,
) -> Agent:
    """A client with the account of this agent, unless told otherwise; its waits take no time."""
    return Agent(
        sim.endpoint,
        credentials=Credentials(
            scheme=scheme,
            username=username or sim.username,
            password=Secret(password or sim.password),
            api_key=Secret(api_key or sim.api_key),
        ),
        limits=limits,
        retry=Retry(tries=tries),
        waiting=(waits or Waits()).waiting(),
        **more,
    )


async def read_pages(agent: Agent, count: int) -> list[tuple[str, ...]]:
    """So many pages of one row each; their rows."""
    rows: list[tuple[str, ...]] = []
    after = ""
    for _ in range(count):
        page = await agent.read_page("ABC", "AR_TermsCode", after=after, limit=1)
        rows += page.rows
        after = page.next or ""
    return rows
