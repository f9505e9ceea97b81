"""Answers as an agent would write them, by hand, and a web server that gives them.

Nothing here comes from the client, so that what the client reads has been written by another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from xml.sax.saxutils import escape

import msgspec
from aiohttp import web
from lxml import etree

from connector.sage100.agent import Agent, Limits
from connector.sage100.auth import Credentials
from connector.sage100.retry import Retry, Waiting
from connector.secret import Secret

NS = "urn:ml-connector:sage100-agent:v1"
PATH = "/Sage100Agent/AgentService.svc"
XML = "text/xml; charset=utf-8"
PASSWORD = "correct horse"
API_KEY = "key-0123456789"
NOW = datetime(2026, 11, 22, 9, 15, 2)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def envelope(inner: str) -> bytes:
    """A SOAP envelope around a body."""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f'<s:Body xmlns:a="{NS}">{inner}</s:Body></s:Envelope>'
    ).encode()


def page(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    next: str | None = None,  # noqa: A002 - the contract's word
    complete: bool | None = None,
    capped: bool = False,
    time: str = "2026-11-22T09:15:03",
    operation: str = "ReadPage",
) -> bytes:
    """A page; complete unless there is a next one."""
    cells = "".join(
        "<a:Row>" + "".join(f"<a:V>{escape(cell)}</a:V>" for cell in row) + "</a:Row>"
        for row in rows
    )
    following = "" if next is None else f"<a:Next>{escape(next)}</a:Next>"
    done = next is None if complete is None else complete
    return envelope(
        f"<a:{operation}Response><a:Page><a:Columns>{' '.join(columns)}</a:Columns>{cells}"
        f"{following}<a:Complete>{str(done).lower()}</a:Complete><a:Scanned>{len(rows)}</a:Scanned>"
        f"<a:ScanLimitReached>{str(capped).lower()}</a:ScanLimitReached>"
        f"<a:ServerTime>{time}</a:ServerTime></a:Page></a:{operation}Response>"
    )


def info(
    entities: dict[str, tuple[str, str]],
    *,
    companies: Sequence[str] = ("ABC",),
    zone: str = "America/Chicago",
    time: str = "2026-11-22T09:15:02",
) -> bytes:
    """GetInfo: entity to (key columns, all columns), blank-separated."""
    described = "".join(
        f"<a:Entity><a:Name>{name}</a:Name><a:Key>{key}</a:Key><a:Columns>"
        + "".join(f'<a:Column name="{c}" type="string" length="20"/>' for c in columns.split())
        + "</a:Columns></a:Entity>"
        for name, (key, columns) in entities.items()
    )
    coded = "".join(
        f"<a:Company><a:Code>{code}</a:Code><a:Name>{code} Inc.</a:Name>"
        "<a:Currency>USD</a:Currency><a:AgingBasis>DueDate</a:AgingBasis>"
        "<a:AgingLimits>30 60 90 120</a:AgingLimits></a:Company>"
        for code in companies
    )
    return envelope(
        "<a:GetInfoResponse><a:Info><a:AgentVersion>1.0.0</a:AgentVersion>"
        "<a:Sage100Version>7.30</a:Sage100Version><a:Edition>Premium</a:Edition>"
        f"<a:ServerTime>{time}</a:ServerTime><a:TimeZone>{zone}</a:TimeZone>"
        f"<a:Companies>{coded}</a:Companies><a:Entities>{described}</a:Entities>"
        "</a:Info></a:GetInfoResponse>"
    )


def fault(code: str, *, retryable: bool, after_s: int | None = None, message: str = "why") -> bytes:
    """A SOAP fault of the contract."""
    wait = "" if after_s is None else f"<a:RetryAfterSeconds>{after_s}</a:RetryAfterSeconds>"
    return envelope(
        "<s:Fault><faultcode>s:Server</faultcode><faultstring>failed</faultstring><detail>"
        f"<a:AgentFault><a:Code>{code}</a:Code><a:Message>{message}</a:Message>"
        f"<a:Retryable>{str(retryable).lower()}</a:Retryable>{wait}</a:AgentFault>"
        "</detail></s:Fault>"
    )


def answer(body: bytes, status: int = 200, content_type: str = XML) -> Handler:
    """A handler that always gives this answer."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers={"Content-Type": content_type})

    return handle


@contextlib.asynccontextmanager
async def serve_raw(response: bytes) -> AsyncIterator[str]:
    """The endpoint of a server that sends these very bytes to whoever connects, and hangs up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"Envelope>")
        writer.write(response)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{PATH}"


class Served(msgspec.Struct):
    """A running server: its endpoint, and what was asked of it."""

    endpoint: str
    requests: list[bytes] = []
    headers: list[dict[str, str]] = []

    def asked(self, index: int) -> dict[str, str]:
        """The elements of one request's operation, by local name."""
        root = etree.fromstring(self.requests[index])
        operation = root[0][0]
        return {etree.QName(child).localname: child.text or "" for child in operation}


@contextlib.asynccontextmanager
async def serve(*handlers: Handler) -> AsyncIterator[Served]:
    """Serve on the loopback: the first request to the first handler, …, the rest to the last."""
    served = Served("")

    async def handle(request: web.Request) -> web.StreamResponse:
        index = min(len(served.requests), len(handlers) - 1)
        served.requests.append(await request.read())
        served.headers.append(dict(request.headers))
        return await handlers[index](request)

    app = web.Application(client_max_size=1024 * 1024)
    app.router.add_route("*", PATH, handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        served.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
        yield served
    finally:
        await runner.cleanup()


class Waits:
    """Time that passes only when somebody sleeps; every wait is noted."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        """Note the wait and let the clock go on by it."""
        self.slept.append(seconds)
        self.now += seconds

    def waiting(self) -> Waiting:
        """Without chance: the jitter gives the longest wait."""
        return Waiting(sleep=self.sleep, jitter=lambda value: value, clock=lambda: self.now)


def client(
    endpoint: str,
    *,
    waits: Waits | None = None,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    retry: Retry = Retry(),  # noqa: B008 - frozen
    columns: dict[str, str] | None = None,
) -> Agent:
    """A client with credentials whose waits take no time."""
    return Agent(
        endpoint,
        credentials=Credentials(
            username="ACME\\svc", password=Secret(PASSWORD), api_key=Secret(API_KEY)
        ),
        columns=columns,
        limits=limits,
        retry=retry,
        waiting=(waits or Waits()).waiting(),
    )
