"""What the client makes of bytes that should never have come."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import zlib

import pytest
from aiohttp import web

from connector.sage100.agent import Limits
from connector.sage100.contract import Page
from connector.sage100.errors import (
    AgentError,
    AgentTimeout,
    AgentUnreachable,
    BadAnswer,
    CutShort,
    NotTheAgent,
    NotTrusted,
    TooLarge,
)
from connector.sage100.retry import ONCE, Retry
from tests.sage100 import wire

LIMITS = Limits()
GOOD = wire.page(("TermsCode",), [("00",), ("01",)])
HTML = (
    b"<!DOCTYPE html><html><head><title>Sign in to the portal</title></head><body>x</body></html>"
)


async def ask(
    *handlers: wire.Handler,
    limits: Limits = LIMITS,
    retry: Retry = ONCE,
) -> Page:
    """One page from a server that answers so."""
    async with (
        wire.serve(*handlers) as served,
        wire.client(served.endpoint, limits=limits, retry=retry) as agent,
    ):
        return await agent.read_page("ABC", "AR_TermsCode")


async def refused(
    kind: type[AgentError], *handlers: wire.Handler, limits: Limits = LIMITS
) -> AgentError:
    """The error that such an answer ends in; it says what and where, and no secret."""
    with pytest.raises(kind) as caught:
        await ask(*handlers, limits=limits)
    error = caught.value
    assert type(error) is kind
    assert "ReadPage at http://127.0.0.1" in str(error)
    assert error.remedy
    assert wire.PASSWORD not in str(error)
    assert wire.API_KEY not in str(error)
    return error


async def test_a_good_answer_is_read() -> None:
    """The answer the other tests spoil is in itself good."""
    page = await ask(wire.answer(GOOD))
    assert page.rows == [("00",), ("01",)]
    assert page.complete


@pytest.mark.parametrize("cut", [1, 20, 60, 150, 300, len(GOOD) - 1])
async def test_a_body_shorter_than_announced_is_cut_short(cut: int) -> None:
    """A connection that ends in the middle of the body is told apart and may be tried again."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": wire.XML})
        response.content_length = len(GOOD)
        await response.prepare(request)
        await response.write(GOOD[:cut])
        assert request.transport is not None
        request.transport.close()
        return response

    error = await refused(CutShort, handle)
    assert error.retryable


@pytest.mark.parametrize("cut", [0, 5, 45, 150, 300, len(GOOD) - 3])
async def test_a_complete_body_that_stops_in_the_middle_of_its_xml_is_cut_short(cut: int) -> None:
    """A whole HTTP body that is half an answer is never taken for a short page."""
    error = await refused(CutShort, wire.answer(GOOD[:cut]))
    assert error.retryable


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"</a:Row>", b"</a:Rown>"),
        (b"<a:V>00</a:V>", b"<a:V>0&0</a:V>"),
        (b"<a:V>00</a:V>", b"<a:V>0\x010</a:V>"),
        (b"<a:V>00</a:V>", b"<a:V>\xff\xfe</a:V>"),
        (b"<a:V>00</a:V>", b"<a:V>&sage;</a:V>"),
        (b"</s:Envelope>", b"</s:Envelope><more/>"),
        (b"<a:V>00</a:V>", b"<b:V>00</b:V>"),
    ],
)
async def test_malformed_xml_is_refused_and_not_asked_for_again(old: bytes, new: bytes) -> None:
    """What is not well-formed UTF-8 XML is an error at once, with a look at what came."""
    error = await refused(BadAnswer, wire.answer(GOOD.replace(old, new, 1)))
    assert not error.retryable
    assert "Envelope" in error.what


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<a:V>00</a:V>", b"<a:V>0<a:b/>0</a:V>"),
        (b"<a:V>00</a:V>", b""),
        (b"<a:V>00</a:V>", b"<a:V>00</a:V><a:V>00</a:V>"),
        (b"<a:Columns>TermsCode</a:Columns>", b""),
        (b"<a:Columns>TermsCode</a:Columns>", b"<a:Columns/>"),
        (b"<a:Columns>TermsCode<", b"<a:Columns>TermsCode TermsCode<"),
        (b"<a:Complete>true", b"<a:Complete>perhaps"),
        (b"<a:Scanned>2", b"<a:Scanned>many"),
        (b"<a:ServerTime>2026-11-22T09:15:03", b"<a:ServerTime>yesterday"),
        (b"<a:ServerTime>2026-11-22T09:15:03", b"<a:ServerTime>2026-11-22T09:15:03Z"),
        (b"<a:ServerTime>2026-11-22T09:15:03", b"<a:ServerTime>0001-01-01T00:00:00"),
        (b"<a:Scanned>2</a:Scanned>", b"<a:Scanned>2</a:Scanned><a:Scanned>3</a:Scanned>"),
        (b"a:ReadPageResponse", b"a:GetInfoResponse"),
        (b"a:Page>", b"a:Side>"),
    ],
)
async def test_xml_of_another_shape_is_refused(old: bytes, new: bytes) -> None:
    """Well-formed XML that the contract does not know is never half understood."""
    await refused(BadAnswer, wire.answer(GOOD.replace(old, new)))


@pytest.mark.parametrize(
    "dtd",
    [
        b"<!DOCTYPE a>",
        b'<!DOCTYPE a SYSTEM "http://127.0.0.1:9/steal.dtd">',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE a [<!ENTITY l "lol"><!ENTITY m "&l;&l;&l;&l;"><!ENTITY n "&m;&m;&m;&m;">]>',
        b"<!-- first --><?pi?> <!DOCTYPE a>",
    ],
)
async def test_a_dtd_is_refused_whatever_it_says(dtd: bytes) -> None:
    """No entity, no external file, no bomb: a DTD ends the answer before libxml2 sees it."""
    head, close, rest = GOOD.partition(b"?>")
    error = await refused(BadAnswer, wire.answer(head + close + dtd + rest))
    assert "DTD" in error.what


async def test_another_encoding_is_refused() -> None:
    """The contract is UTF-8; a declaration cannot talk the parser into another reading."""
    await refused(BadAnswer, wire.answer(GOOD.replace(b'"utf-8"', b'"UTF-7"')))
    await refused(BadAnswer, wire.answer(GOOD.decode().encode("utf-16")))


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", wire.XML])
async def test_an_html_page_is_never_read_as_an_answer(content_type: str) -> None:
    """What IIS, a proxy or a portal says instead is named as such, by type or by first bytes."""
    error = await refused(NotTheAgent, wire.answer(HTML, content_type=content_type))
    assert "Sign in to the portal" in error.what
    assert not error.retryable


async def test_another_content_type_is_refused() -> None:
    """Even a well-formed answer is refused when it does not say that it is XML."""
    error = await refused(NotTheAgent, wire.answer(GOOD, content_type="application/json"))
    assert "application/json" in error.what


@pytest.mark.parametrize(("body", "kind"), [(GOOD, None), (HTML, NotTheAgent), (b"ok", BadAnswer)])
async def test_an_answer_without_content_type_is_judged_by_its_first_bytes(
    body: bytes, kind: type[AgentError] | None
) -> None:
    """A missing header alone is no reason to refuse what is plainly the agent's answer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with wire.serve_raw(head + body) as endpoint, wire.client(endpoint, retry=ONCE) as agent:
        with contextlib.nullcontext() if kind is None else pytest.raises(kind):
            page = await agent.read_page("ABC", "AR_TermsCode")
            assert len(page.rows) == 2


@pytest.mark.parametrize("junk", [b"220 mail.example ESMTP\r\n", b"HTTP/1.1 two hundred\r\n\r\n"])
async def test_what_does_not_speak_http_is_not_the_agent(junk: bytes) -> None:
    """A wrong port is named as such."""
    async with wire.serve_raw(junk) as endpoint, wire.client(endpoint, retry=ONCE) as agent:
        with pytest.raises(NotTheAgent, match="does not speak HTTP"):
            await agent.get_info()


@pytest.mark.parametrize("status", [301, 302, 307])
async def test_a_redirect_is_not_followed(status: int) -> None:
    """Credentials go to the configured endpoint and nowhere else."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": "http://127.0.0.1:9/"})

    error = await refused(NotTheAgent, handle)
    assert error.code == str(status)


async def test_an_oversized_body_is_refused() -> None:
    """A body larger than the bound ends at the bound."""
    big = wire.page(("TermsCode",), [("x" * 100,)] * 400)
    error = await refused(TooLarge, wire.answer(big), limits=Limits(body_bytes=10_000))
    assert "larger than 10000 bytes" in error.what


async def test_more_rows_than_asked_for_are_refused() -> None:
    """The limit asked for is a bound on the answer too."""
    many = wire.page(("TermsCode",), [(str(number),) for number in range(501)])
    error = await refused(BadAnswer, wire.answer(many))
    assert "500 rows" in error.what


async def test_gzip_is_unpacked() -> None:
    """The client offers gzip and reads it."""

    async def handle(request: web.Request) -> web.StreamResponse:
        assert request.headers["Accept-Encoding"] == "gzip"
        headers = {"Content-Type": wire.XML, "Content-Encoding": "gzip"}
        return web.Response(body=gzip.compress(GOOD), headers=headers)

    assert len((await ask(handle)).rows) == 2


def packed(body: bytes, encoding: str = "gzip") -> wire.Handler:
    """A handler that gives these bytes under this Content-Encoding."""

    async def handle(_: web.Request) -> web.StreamResponse:
        headers = {"Content-Type": wire.XML, "Content-Encoding": encoding}
        return web.Response(body=body, headers=headers)

    return handle


async def test_a_gzip_bomb_ends_at_the_bound() -> None:
    """A few kilobytes that unpack to far more than the bound are refused."""
    bomb = wire.page(("TermsCode",), [(" " * 50_000_000,)])
    squeezed = gzip.compress(bomb)
    assert len(squeezed) < 100_000
    limits = Limits(body_bytes=1_000_000)
    error = await refused(TooLarge, packed(squeezed), limits=limits)
    assert "larger than 1000000 bytes" in error.what


async def test_broken_gzip_is_refused() -> None:
    """gzip that is none, goes on after its end, or uses another method is an error."""
    await refused(BadAnswer, packed(b"this is not gzip at all"))
    await refused(BadAnswer, packed(gzip.compress(GOOD) + gzip.compress(GOOD)))
    await refused(BadAnswer, packed(zlib.compress(GOOD), "deflate"))


async def test_gzip_that_ends_early_is_cut_short() -> None:
    """Half a gzip stream is a cut connection, even when all of its XML has come out."""
    await refused(CutShort, packed(gzip.compress(GOOD)[:-8]))


async def test_an_endless_prolog_is_refused() -> None:
    """Comments before the root are bounded."""
    head, close, rest = GOOD.partition(b"?>")
    error = await refused(BadAnswer, wire.answer(head + close + b"<!--" + b"x" * 10_000 + rest))
    assert "reasonable length" in error.what


async def test_depth_is_bounded() -> None:
    """Elements nested beyond libxml2's bound end the answer."""
    deep = GOOD.replace(b"<a:V>00</a:V>", b"<a:V>" * 5_000 + b"</a:V>" * 5_000, 1)
    await refused(BadAnswer, wire.answer(deep))


async def test_silence_ends_at_the_idle_limit() -> None:
    """An agent that stops sending is given up after the idle limit."""
    released = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": wire.XML})
        await response.prepare(request)
        await response.write(GOOD[:100])
        await released.wait()
        return response

    try:
        error = await refused(AgentTimeout, handle, limits=Limits(idle_s=0.05))
    finally:
        released.set()
    assert error.retryable
    assert "Nothing came for 0.05 s" in error.what


async def test_a_trickle_ends_at_the_total_limit() -> None:
    """An agent that sends a byte now and then cannot hold a request for ever."""
    released = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": wire.XML})
        await response.prepare(request)
        for byte in GOOD:
            if released.is_set():
                break
            await response.write(bytes((byte,)))
            await asyncio.sleep(0.01)
        return response

    try:
        error = await refused(AgentTimeout, handle, limits=Limits(total_s=0.2, idle_s=5))
    finally:
        released.set()
    assert "not complete within 0.2 s" in error.what


async def test_a_dropped_connection_is_unreachable_and_tried_again() -> None:
    """A connection closed without a byte is retried; the next answer counts."""

    async def drop(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    await refused(AgentUnreachable, drop)
    page = await ask(drop, drop, wire.answer(GOOD), retry=Retry())
    assert len(page.rows) == 2


async def test_nobody_listening_is_unreachable() -> None:
    """A refused connection says so and names the endpoint."""
    async with wire.serve(wire.answer(GOOD)) as served:
        endpoint = served.endpoint
    async with wire.client(endpoint, retry=ONCE) as agent:
        with pytest.raises(AgentUnreachable, match="No connection"):
            await agent.get_info()


async def test_an_end_without_tls_is_not_trusted_and_not_asked_again() -> None:
    """Where HTTPS was configured, anything else ends before a request has left us."""

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with wire.client(f"https://127.0.0.1:{port}/agent") as agent:
            with pytest.raises(NotTrusted, match="does not speak TLS") as caught:
                await agent.get_info()
            assert agent.calls == 1
    assert not caught.value.retryable
    assert not caught.value.stopped


async def test_secrets_that_an_answer_echoes_are_taken_out() -> None:
    """A proxy that prints our headers back does not get them into an error."""

    async def echo(request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=502,
            text="".join(f"{name}: {value}; " for name, value in request.headers.items()),
        )

    error = await refused(NotTheAgent, echo)
    assert "X-API-Key: •••" in error.what
    assert "Authorization: Basic •••" in error.what
