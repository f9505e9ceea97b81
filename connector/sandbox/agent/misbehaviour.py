"""What a scripted fault does to an answer on its way out: cut, slow, endless, or somebody else's.

`spoil` gets the right answer and sends, in its stead, what the fault says. It is the last step of a
request: the doors have let it in, and the call is in the books.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from itertools import repeat

from aiohttp import web

from connector.sandbox.agent.faults import (
    AnyFault,
    DoctypeXml,
    DropConnection,
    HttpAnswer,
    MalformedXml,
    Oversized,
    StrangerPage,
    Trickle,
    TruncatedBody,
)
from connector.sandbox.agent.pace import Pace
from connector.sandbox.agent.pages import html, usual_status
from connector.sandbox.agent.responses import CONTENT_TYPE

_DOCTYPE = b'<!DOCTYPE a [<!ENTITY sage "one hundred">]>'
_PADDING = b"<!-- " + b"x" * 65_526 + b" -->"


async def spoil(
    request: web.Request, fault: AnyFault, status: int, body: bytes, pace: Pace
) -> web.StreamResponse | bytes:
    """The response instead of `body`; bytes are another body, to be sent as usual."""
    match fault:
        case HttpAnswer():
            return web.Response(
                status=fault.status,
                body=fault.body.encode(),
                headers={"Content-Type": fault.content_type, **fault.headers},
            )
        case StrangerPage():
            usual = usual_status(fault.page)
            return web.Response(
                status=fault.status or usual, text=html(fault.page), content_type="text/html"
            )
        case MalformedXml():
            return body[: len(body) * 2 // 3]
        case DoctypeXml():
            head, mark, rest = body.partition(b"?>")
            return head + mark + _DOCTYPE + rest
        case TruncatedBody():
            response = await _begun(request, status, len(body))
            await response.write(body[: int(len(body) * fault.share)])
            close(request, abruptly=fault.abruptly)
            return response
        case DropConnection():
            close(request, abruptly=True)
            return web.Response(status=500)
        case Trickle():
            return await _trickled(request, fault, status, body, pace)
        case Oversized():
            return await _oversized(request, fault, status, body)
        case _:
            return body


def close(request: web.Request, *, abruptly: bool) -> None:
    """End the connection: with what was written (FIN), or at once and without it (RST)."""
    if request.transport is None:
        return
    if abruptly and isinstance(request.transport, asyncio.Transport):
        request.transport.abort()
    else:
        request.transport.close()


async def _begun(request: web.Request, status: int, length: int | None) -> web.StreamResponse:
    response = web.StreamResponse(status=status)
    if length is not None:
        response.content_length = length
    response.headers["Content-Type"] = CONTENT_TYPE
    await response.prepare(request)
    return response


async def _trickled(
    request: web.Request, fault: Trickle, status: int, body: bytes, pace: Pace
) -> web.StreamResponse:
    response = await _begun(request, status, len(body))
    try:
        for at in range(0, len(body), fault.piece_bytes):
            if at:
                await pace.sleep(fault.pause_s)
            await response.write(body[at : at + fault.piece_bytes])
    except ConnectionError:  # the client has had enough
        return response
    return response


async def _oversized(
    request: web.Request, fault: Oversized, status: int, body: bytes
) -> web.StreamResponse:
    response = web.StreamResponse(status=status)
    response.headers["Content-Type"] = CONTENT_TYPE
    if fault.compressed:
        response.headers["Content-Encoding"] = "gzip"
    await response.prepare(request)
    try:
        for piece in _padded(body, fault):
            await response.write(piece)
    except ConnectionError:
        return response
    return response


def _padded(body: bytes, fault: Oversized) -> Iterator[bytes]:
    """The answer with comments before its end, until it is as large as told."""
    head, _, tail = body.rpartition(b"</soap:Body>")
    count = max(0, fault.body_bytes - len(body)) // len(_PADDING) + 1
    plain = (head, *repeat(_PADDING, count), b"</soap:Body>" + tail)
    if not fault.compressed:
        yield from plain
        return
    squeeze = zlib.compressobj(level=9, wbits=31)  # 31: a gzip header
    for piece in plain:
        if packed := squeeze.compress(piece):
            yield packed
    yield squeeze.flush()
