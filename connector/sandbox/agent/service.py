"""The HTTP face of the agent: doors, SOAP over POST, the WSDL over GET, and scripted misbehaviour.

Order on every request: the Windows door (401), the key door (403), then the request itself. What
is not well-formed SOAP of the contract is answered with a soap:Client fault; whatever the contract
names is answered with its code. Scripted faults strike only requests that have come that far.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from importlib.resources import files
from weakref import WeakKeyDictionary

from aiohttp import web

from connector.sandbox.agent import requests
from connector.sandbox.agent.auth import CLIENT_CERTIFICATE, ConnectionState, Door
from connector.sandbox.agent.calls import Call, Calls
from connector.sandbox.agent.errors import AgentFault, RequestRefused, ServiceUnavailable
from connector.sandbox.agent.faults import AnyFault, FaultScript, Hold, SoapFault
from connector.sandbox.agent.misbehaviour import close, spoil
from connector.sandbox.agent.options import AgentOptions
from connector.sandbox.agent.reading import Answer, Reader
from connector.sandbox.agent.responses import CONTENT_TYPE, envelope, fault_xml, refusal_xml
from connector.sandbox.agent.sessions import Sessions

WORTH_COMPRESSING = 1_024  # bytes; below, gzip costs more than it saves


class Service:
    """Handles every request to the agent's path."""

    def __init__(
        self,
        options: AgentOptions,
        reader: Reader,
        doors: Sequence[Door],
        faults: FaultScript,
        calls: Calls,
        sessions: Sessions,
    ) -> None:
        self._options = options
        self._reader = reader
        self._doors = doors
        self._faults = faults
        self._calls = calls
        self._sessions = sessions
        self._connections: WeakKeyDictionary[asyncio.BaseTransport, ConnectionState] = (
            WeakKeyDictionary()
        )

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, and account for it."""
        calls = self._calls
        calls.requests += 1
        calls.in_flight += 1
        calls.most_in_flight = max(calls.most_in_flight, calls.in_flight)
        try:
            await self._sessions.wake()
            said: list[str] = []
            response = self._admit(request, said)
            if response is None:
                response = await self._serve(request)
            if not response.prepared:
                for value in said:
                    response.headers.add("WWW-Authenticate", value)
            return response
        finally:
            calls.in_flight -= 1

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return await self._soap(request)
        if request.method == "GET" and request.query_string.lower() == "wsdl":
            return await self._wsdl(request)
        if request.method == "GET":
            return web.Response(status=404, text="The description of this service is at ?wsdl")
        return web.Response(status=405, headers={"Allow": "GET, POST"})

    def _admit(self, request: web.Request, said: list[str]) -> web.StreamResponse | None:
        """The refusal of a door, None when all let in; `said`: their WWW-Authenticate values."""
        state = self._state(request)
        for door in self._doors:
            verdict = door.check(request.headers, state)
            said += verdict.challenges
            if verdict.hang_up == "at once":
                close(request, abruptly=True)
            if not verdict.granted:
                if not verdict.pending:
                    self._calls.refused[door.name] += 1
                response = web.Response(status=door.status, text=verdict.reason)
                if verdict.hang_up:
                    response.force_close()
                return response
        return None

    def _state(self, request: web.Request) -> ConnectionState:
        transport = request.transport
        if transport is None:
            return {}
        state = self._connections.get(transport)
        if state is None:
            tls = transport.get_extra_info("ssl_object")
            # Only where one is required does TLS ask for a certificate, and then it verifies it.
            certificate = None if tls is None else tls.getpeercert(binary_form=True)
            state = self._connections[transport] = {CLIENT_CERTIFICATE: certificate is not None}
        return state

    async def _wsdl(self, request: web.Request) -> web.StreamResponse:
        text = files(__package__).joinpath("agent.wsdl").read_text(encoding="utf-8")
        address = f"{request.scheme}://{request.host}{request.path}"
        body = text.replace("{{ENDPOINT}}", _attribute(address)).encode()
        injection = self._faults.take("WSDL", None, None)
        answer = "ok" if injection is None else _told(injection.fault)
        self._calls.record(Call(operation="WSDL", answer=answer))
        if injection is None:
            return self._respond(request, 200, body)
        if isinstance(injection.fault, Hold):
            await injection.released.wait()
        if isinstance(injection.fault, SoapFault):
            return self._respond(request, 500, fault_xml(injection.fault.fault()))
        return await self._misbehave(request, injection.fault, 200, body)

    async def _soap(self, request: web.Request) -> web.StreamResponse:
        try:
            _check_content_type(request)
            body = await request.read()
            asked = requests.parse(body, request.headers.get("SOAPAction"))
        except RequestRefused as refused:
            self._calls.answers[refused.faultcode] += 1
            return self._respond(request, 500, refusal_xml(refused))
        operation = type(asked).__name__
        company = getattr(asked, "company", None)
        entity = getattr(asked, "entity", None)
        injection = self._faults.take(operation, company, entity)
        fault = None if injection is None else injection.fault
        if injection is not None and isinstance(fault, Hold):
            await injection.released.wait()
        status, answer, rows = 200, "ok", 0
        try:
            if isinstance(fault, SoapFault):
                raise fault.fault()
            found = await self._read(asked)
            rows, document = found.rows, envelope(found.payload)
        except ServiceUnavailable as busy:
            status, answer, document = 503, "ServiceUnavailable", str(busy).encode()
        except AgentFault as error:
            status, answer, document = 500, error.code, fault_xml(error)
        except RequestRefused as refused:
            status, answer, document = 500, refused.faultcode, refusal_xml(refused)
        if fault is not None and not isinstance(fault, Hold | SoapFault):
            answer, rows = _told(fault), 0
        self._calls.record(
            Call(
                operation=operation,
                answer=answer,
                company=company,
                entity=entity,
                changed_since=getattr(asked, "changed_since", None),
                continued=getattr(asked, "after", None) is not None,
                limit=getattr(asked, "limit", None),
                rows=rows,
            )
        )
        if status == 503:
            return web.Response(status=status, body=document, content_type="text/plain")
        if fault is None:
            return self._respond(request, status, document)
        return await self._misbehave(request, fault, status, document)

    async def _read(self, asked: requests.Request) -> Answer:
        """Read Sage 100, which takes a session and its time; GetInfo is the agent's own."""
        if isinstance(asked, requests.GetInfo):
            return self._reader.answer(asked)
        async with self._sessions.turn():
            found = self._reader.answer(asked)
            await self._sessions.spend(found.scanned)
            return found

    async def _misbehave(
        self, request: web.Request, fault: AnyFault, status: int, body: bytes
    ) -> web.StreamResponse:
        sent = await spoil(request, fault, status, body, self._sessions.pace)
        return self._respond(request, status, sent) if isinstance(sent, bytes) else sent

    def _respond(self, request: web.Request, status: int, body: bytes) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE}
        if self._options.gzip and len(body) >= WORTH_COMPRESSING and _takes_gzip(request):
            headers["Content-Encoding"] = "gzip"
            squeeze = zlib.compressobj(level=1, wbits=31)  # 31: a gzip header, the widest window
            body = squeeze.compress(body) + squeeze.flush()
        return web.Response(status=status, body=body, headers=headers)


def _check_content_type(request: web.Request) -> None:
    charset = (request.charset or "utf-8").lower()
    if request.content_type != "text/xml" or charset != "utf-8":
        given = request.headers.get("Content-Type", "")
        raise RequestRefused(f"Content-Type must be {CONTENT_TYPE}, not {given:.120}")


def _takes_gzip(request: web.Request) -> bool:
    for offer in ",".join(request.headers.getall("Accept-Encoding", [])).split(","):
        coding, _, weight = offer.partition(";")
        if coding.strip().lower() in {"gzip", "x-gzip"}:
            return weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False


def _told(fault: AnyFault) -> str:
    return "ok" if isinstance(fault, Hold) else type(fault).__name__


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
