"""One agent, asked over SOAP: one request at a time, every answer bounded in size and time.

    async with Agent(endpoint, credentials=…) as agent:
        info = await agent.get_info()
        page = await agent.read_page("ABC", "AR_Customer", columns=…, changed_since="20261121")

Sage 100 behind the agent has one session, so requests queue here. What may pass is tried again
(`retry`). A refused log-on is final: this client asks nothing more and repeats the refusal, so
that no caller can lock an account by trying again, not even another client with the same account,
and `remember` makes it so for those to come (`refusals`). How to log on is the business of
`auth_logon`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Final, TypeVar

import aiohttp
import msgspec

from connector.connecting import why_not
from connector.sage100 import auth, envelope
from connector.sage100.auth_logon import Logon, about_offers, names_in
from connector.sage100.body import Unpacker
from connector.sage100.contract import MAX_LIMIT, AgentInfo, Operation, Page
from connector.sage100.endpoint import endpoint_of
from connector.sage100.errors import (
    AgentError,
    AgentTimeout,
    AgentUnreachable,
    BadAnswer,
    Call,
    CutShort,
    LogonRefused,
    NotTheAgent,
    told_wait_s,
)
from connector.sage100.naming import Naming, learn, translate_info, translate_page
from connector.sage100.page_size import PageSizes
from connector.sage100.parse import AnswerReader
from connector.sage100.refusals import Refusals
from connector.sage100.retry import Retry, Waiting, persist
from connector.sage100.trust import Trust
from eventstore.types import EventStore

T = TypeVar("T")
log: Final = logging.getLogger(__name__)

_PASSING: Final = frozenset({408, 425, 429, 502, 503, 504, *range(520, 531)})  # 52x, 530: tunnels
_REFUSED: Final = frozenset({401, 403, 407})
_TITLE: Final = re.compile(rb"<title[^>]*>(.{1,200}?)</title", re.IGNORECASE | re.DOTALL)
_WSDL_BYTES: Final = 4 * 1024 * 1024  # unpacked
_SHOWN_BYTES: Final = 2_048  # read of an answer that is not the agent's, for the message


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how much one answer may take. `idle_s` allows for IIS's cold start."""

    total_s: float = 300.0
    idle_s: float = 120.0
    connect_s: float = 20.0
    body_bytes: int = 64 * 1024 * 1024  # unpacked


class Agent:
    """A connection to one agent."""

    def __init__(
        self,
        endpoint: str,
        *,
        credentials: auth.Credentials,
        name: str = "",
        turn: asyncio.Lock | None = None,
        refusals: Refusals | None = None,
        columns: Mapping[str, str] | None = None,
        trust: Trust | None = None,
        limits: Limits = Limits(),  # noqa: B008 - frozen
        retry: Retry = Retry(),  # noqa: B008 - frozen
        waiting: Waiting = Waiting(),  # noqa: B008 - frozen
    ) -> None:
        """`name`: its instance's. `turn`: shared with other clients of the same agent, `refusals`
        with those that have the same account there. `columns`: canonical to the agent's name.
        `trust`: whom to trust, of the same endpoint; None: the CAs of this machine.

        Raises Misconfigured for an endpoint that is not HTTPS (or HTTP on the loopback).
        """
        self._url = endpoint_of(endpoint)
        self.endpoint = str(self._url)
        self._name = name
        self._naming = Naming(columns or {})
        self._logon = Logon(self._url, credentials, clock=waiting.clock)
        self.credentials = credentials
        self._hidden = auth.hidden(credentials)
        self.trust = (trust or Trust(self._url)) if self._url.scheme == "https" else None
        self._limits = limits
        self._retry = retry
        self._waiting = waiting
        self.pages = PageSizes()
        self.stop: asyncio.Event | None = None  # once set, nobody waits to ask again
        self._turn = turn or asyncio.Lock()
        self._refusals = refusals or Refusals(self.endpoint, credentials)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Agent:
        if self.trust is not None:
            await self.trust.open()
        await self._refusals.open()
        self._session = aiohttp.ClientSession(
            connector=self._logon.connector(None if self.trust is None else self.trust.context),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._limits.connect_s, sock_read=self._limits.idle_s
            ),
            auto_decompress=False,  # `body` does it, under a bound
            trust_env=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def calls(self) -> int:
        """The HTTP requests made, the legs of log-ons among them."""
        return self._logon.requests

    @property
    def logged_on_by(self) -> str:
        """By what we are logged on, as "Negotiate (Kerberos)"; "" when we are not."""
        return self._logon.spoken

    def call(self, operation: str) -> Call:
        """What errors about this operation say of where it went."""
        return Call(self.endpoint, operation, self._hidden, self._name)

    def remember(self, store: EventStore, name: str, now: Callable[[], datetime]) -> None:
        """Keep a refused log-on in this store, under the instance's name, and heed one kept there:
        then nothing is sent until a person acts.
        """
        self._name = name
        self._refusals.keep_in(store, name, now)

    async def refused(self) -> LogonRefused | None:
        """Why nothing is asked of this agent; None when there is nothing against it."""
        return await self._refusals.standing(self.call("GetInfo"))

    async def read_wsdl(self, *, retry: Retry | None = None) -> bytes:
        """What the agent shows as its WSDL, if it is XML at all. Raises AgentError."""
        call = self.call("WSDL")
        headers = {"Accept": "text/xml, application/wsdl+xml, application/xml"}

        async def once() -> bytes:
            async with self._answer(call, None, headers) as response:
                if response.status != 200 or not _may_be_xml(response):
                    raise await self._not_the_agents(call, response)
                encoding = response.headers.get("Content-Encoding", "").strip().lower()
                unpacker = Unpacker(call, encoding, _WSDL_BYTES)
                document = b""
                async for chunk in response.content.iter_any():
                    document += b"".join(unpacker.pieces(chunk))
                unpacker.finish()
                return document

        return await self._ask(once, retry)

    async def get_info(self, *, retry: Retry | None = None) -> AgentInfo:
        """What the agent says of itself, in canonical names. Raises AgentError."""
        request = envelope.get_info()
        info = await self._ask(
            lambda: self._exchange("GetInfo", request, AnswerReader.info, 0), retry
        )
        self._naming = learn(self._naming.configured, info)
        return translate_info(self._naming, info, self.call("GetInfo"))

    async def read_page(
        self,
        company: str,
        entity: str,
        *,
        columns: Sequence[str] = (),
        changed_since: str = "",
        after: str = "",
        limit: int = MAX_LIMIT,
        retry: Retry | None = None,
    ) -> Page:
        """Rows after `after` (Page.next of the page before); no columns asks for all.

        `changed_since` YYYYMMDD is the agent's date filter, "" for all rows; `limit` 1 to 500 is
        the most, and fewer are asked of an agent that would take long (`pages`).
        Raises AgentError; ValueError for a limit out of range or text XML cannot carry.
        """
        asked = [self._naming.on_the_wire(entity, column) for column in columns]
        whole = envelope.read_page(
            company, entity, columns=asked, changed_since=changed_since, after=after, limit=limit
        )

        async def once() -> Page:
            rows = self.pages.rows(entity, limit)
            request = whole
            if rows < limit:
                request = envelope.read_page(
                    company,
                    entity,
                    columns=asked,
                    changed_since=changed_since,
                    after=after,
                    limit=rows,
                )
            began = self._waiting.clock()
            try:
                page = await self._exchange("ReadPage", request, AnswerReader.page, rows)
            except AgentError as error:
                self.pages.failed(entity, rows, error, self._waiting.clock() - began)
                raise
            self.pages.answered(entity, rows, len(page.rows), self._waiting.clock() - began)
            return page

        page = translate_page(self._naming, entity, await self._ask(once, retry))
        missing = [column for column in columns if column not in page.columns]
        if missing:
            raise BadAnswer(
                f"The page lacks columns that were asked for: {', '.join(missing)}.",
                self.call("ReadPage"),
            )
        return page

    async def read_row(
        self, company: str, entity: str, key: Sequence[str], *, retry: Retry | None = None
    ) -> Page:
        """The one row with this key, as a page. Raises RecordNotFound and other AgentErrors."""
        request = envelope.read_row(company, entity, key)
        page = await self._ask(
            lambda: self._exchange("ReadRow", request, AnswerReader.page, 1), retry
        )
        if len(page.rows) != 1:
            raise BadAnswer("The answer holds no row.", self.call("ReadRow"))
        return translate_page(self._naming, entity, page)

    async def _ask(self, exchange: Callable[[], Awaitable[T]], retry: Retry | None) -> T:
        """What `exchange` gives, in our turn, asked again as `retry` has it."""

        async def once() -> T:
            async with self._turn:
                standing = await self.refused()
                if standing is not None:
                    raise standing
                try:
                    return await exchange()
                except LogonRefused as refused:
                    await self._refusals.note(refused)
                    raise

        return await persist(once, retry or self._retry, self._waiting, self.stop)

    async def _exchange(
        self,
        operation: Operation,
        request: bytes,
        read: Callable[[AnswerReader], T],
        max_rows: int,
    ) -> T:
        """One request and its whole answer; every way it can fail becomes an AgentError."""
        call = self.call(operation)
        headers = {
            "Content-Type": "text/xml; charset=utf-8",
            "SOAPAction": envelope.soap_action(operation),
            "Accept": "text/xml",
        }
        async with self._answer(call, request, headers) as response:
            if response.status not in {200, 500} or not _may_be_xml(response):
                raise await self._not_the_agents(call, response)
            reader = await self._read(call, response, max_rows)
            if response.status == 500:
                raise reader.fault()
            return read(reader)

    @contextlib.asynccontextmanager
    async def _answer(
        self, call: Call, request: bytes | None, headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one request, while it is read; what breaks off becomes an AgentError."""
        if self._session is None:
            raise RuntimeError("use the agent inside 'async with'")
        sent = {**headers, "Accept-Encoding": "gzip", "User-Agent": "ml-connector"}
        try:
            if self.trust is not None:
                await self.trust.prepare(call)
            async with (
                asyncio.timeout(self._limits.total_s),
                self._logon.send(self._session, call, request, sent) as response,
            ):
                yield response
        except (TimeoutError, aiohttp.ClientError, ssl.SSLError, OSError) as problem:
            refused = None if self.trust is None else await self.trust.explain(call, problem)
            raise refused or self._broken(call, problem) from problem

    async def _read(
        self, call: Call, response: aiohttp.ClientResponse, max_rows: int
    ) -> AnswerReader:
        reader = AnswerReader(call, max_rows=max_rows)
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        unpacker = Unpacker(call, encoding, self._limits.body_bytes)
        async for chunk in response.content.iter_any():
            for piece in unpacker.pieces(chunk):
                reader.feed(piece)
                await asyncio.sleep(0)  # others go on between the pieces
        unpacker.finish()
        return reader

    async def _not_the_agents(self, call: Call, response: aiohttp.ClientResponse) -> AgentError:
        """The error for an answer that the contract does not know."""
        call = self._logon.hiding(call)
        body = await response.content.read(_SHOWN_BYTES)
        packed = response.headers.get("Content-Encoding", "")
        title = _TITLE.search(body)
        shown = "" if packed else call.excerpt(title[1] if title else body)
        kind = call.excerpt(response.headers.get("Content-Type", "no content type"), 60)
        what = f"HTTP status {response.status}, {kind}: {shown or 'nothing to show'}."
        if response.status in _REFUSED:
            offers = names_in(response.headers.getall("WWW-Authenticate", []))
            said, ours, theirs = "", "", ""
            if response.status == 401:
                said, ours, theirs = about_offers(self.credentials.scheme, offers)
            code = str(response.status)
            if not theirs:
                return LogonRefused(what + said, call, code=code)
            return LogonRefused(what + said, call, code=code, ours=ours, theirs=theirs)
        return NotTheAgent(
            f"Not the agent answered. {what}",
            call,
            code=str(response.status),
            retryable=response.status in _PASSING,
            retry_after_s=told_wait_s(response.headers.get("Retry-After", "")),
        )

    def _broken(self, call: Call, problem: Exception) -> AgentError:
        """The error for an exchange that did not come to its end."""
        text = call.excerpt(why_not(problem)) or type(problem).__name__
        if isinstance(problem, aiohttp.ConnectionTimeoutError):
            what = f"No connection within {self._limits.connect_s:g} s."
            timeout = AgentTimeout(what, call)
            timeout.connected = False
            return timeout
        if isinstance(problem, aiohttp.ServerTimeoutError):
            return AgentTimeout(f"Nothing came for {self._limits.idle_s:g} s.", call)
        if isinstance(problem, TimeoutError):
            what = f"The answer was not complete within {self._limits.total_s:g} s."
            return AgentTimeout(what, call)
        if isinstance(problem, aiohttp.ClientPayloadError):
            return CutShort(f"The connection ended in the middle of the answer: {text}.", call)
        if isinstance(problem, aiohttp.ClientResponseError | aiohttp.InvalidURL):
            return NotTheAgent(f"What answered does not speak HTTP: {text}.", call)
        return AgentUnreachable(f"No connection: {text}.", call)


def _may_be_xml(response: aiohttp.ClientResponse) -> bool:
    """Whether the content type says XML; an absent one is judged by the first bytes, later."""
    declared = response.headers.get("Content-Type", "").lower()
    return not declared or ("xml" in declared.partition(";")[0] and "xhtml" not in declared)
