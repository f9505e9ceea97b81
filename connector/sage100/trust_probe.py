"""Looks at the certificate of a server that is not trusted, without ever talking to it.

`hello` sends the first message of a TLS handshake and listens to the answer, which up to TLS 1.2 is
readable by anyone: version, certificates, whether one is asked of us. It never goes on: no keys are
agreed, so nothing of ours could travel even by mistake. This module knows no credentials at all.

Only a server that speaks nothing but TLS 1.3 hides its certificate until the handshake is done.
For it `_look_unverified` finishes one, reads the certificate and hangs up. That is the only place
where a certificate is not verified, and no byte is ever written through it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Final

import msgspec

LIMIT_S: Final = 10.0  # for connecting, and again for the whole answer
EYEBALLS_S: Final = 0.25  # before another of the host's addresses is tried as well, RFC 8305
_MOST_BYTES: Final = 128 * 1024
_MOST_CERTIFICATES: Final = 10
_ALERT, _HANDSHAKE = 21, 22  # record types, RFC 5246 6.2.1
_SERVER_HELLO, _CERTIFICATE, _CERTIFICATE_REQUEST, _DONE = 2, 11, 13, 14  # 7.4
_VERSIONS: Final = {
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
}


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """How a server answered a hello that offered TLS 1.2.

    `certificates`: what it sent, DER, its own first. `version`: what it chose ("TLS 1.0"), "" when
    nothing. `asks`: it wants a certificate of ours. `alert`: number of the alert it ended with.
    `plain`: its first bytes when they are no TLS. `ended`: it hung up; `silent`: it said nothing
    more in time.
    """

    certificates: tuple[bytes, ...] = ()
    version: str = ""
    asks: bool = False
    alert: int | None = None
    plain: bytes = b""
    ended: bool = False
    silent: bool = False

    @property
    def leaf(self) -> bytes | None:
        """The server's own certificate."""
        return self.certificates[0] if self.certificates else None


async def probe(host: str, port: int, *, name: str | None = None) -> Hello:
    """What the server shows for this SNI (default: `host`; "": none), whatever TLS it speaks.

    Raises OSError when no connection can be made.
    """
    name = host if name is None else name
    seen = await hello(host, port, name)
    if seen.leaf is None and not (seen.plain or seen.version or seen.silent):
        leaf = await _look_unverified(host, port, name)
        if leaf is not None:
            return Hello(certificates=(leaf,), version=_VERSIONS[0x0304])
    return seen


async def hello(host: str, port: int, name: str) -> Hello:
    """Say hello, listen until the server has finished its part, hang up."""
    heard = bytearray()
    ended = silent = False
    async with _connection(host, port) as (reader, writer):
        writer.write(_first_message(name))
        try:
            async with asyncio.timeout(LIMIT_S):
                while len(heard) < _MOST_BYTES and not _is_complete(heard):
                    chunk = await reader.read(16_384)
                    if not chunk:
                        ended = True
                        break
                    heard += chunk
        except TimeoutError:
            silent = True
        except OSError:  # reset
            ended = True
    return _understand(bytes(heard), ended=ended, silent=silent)


@contextlib.asynccontextmanager
async def _connection(
    host: str, port: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    try:
        async with asyncio.timeout(LIMIT_S):
            reader, writer = await asyncio.open_connection(
                host, port, happy_eyeballs_delay=EYEBALLS_S
            )
    except TimeoutError:
        raise ConnectionError(f"no connection within {LIMIT_S:g} s") from None
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _first_message(name: str) -> bytes:
    """A ClientHello as OpenSSL makes it: TLS 1.2, with this SNI unless it is "" or an address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    # Old suites are offered so that an old server names its version instead of hanging up.
    context.set_ciphers("ALL:!aNULL:!PSK:!SRP:@SECLEVEL=0")
    context.check_hostname = bool(name)  # a name is needed where it is checked; nothing is here
    outgoing = ssl.MemoryBIO()
    conversation = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name or None)
    with contextlib.suppress(ssl.SSLWantReadError):
        conversation.do_handshake()
    return outgoing.read()


async def _look_unverified(host: str, port: int, name: str) -> bytes | None:
    """The certificate (DER) of a server that speaks TLS 1.3 only; None when that fails too.

    Verification is off here, on purpose and only here: what was refused is to be seen.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    # Safe, for nothing of ours is sent, no request, no log-on, no certificate: the connection ends
    # with the handshake, and what the other end showed is told to a person and trusted by nobody.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(LIMIT_S):
            _, writer = await asyncio.open_connection(
                host, port, ssl=context, server_hostname=name, happy_eyeballs_delay=EYEBALLS_S
            )
    except (TimeoutError, OSError):
        return None
    tls = writer.get_extra_info("ssl_object")
    shown: bytes | None = tls.getpeercert(binary_form=True)
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return shown


# ---------------------------------------------------------------- the answer's bytes


def _records(heard: bytes) -> Iterator[tuple[int, bytes]]:
    """The complete TLS records: type and content."""
    at = 0
    while at + 5 <= len(heard):
        size = int.from_bytes(heard[at + 3 : at + 5], "big")
        if at + 5 + size > len(heard):
            return
        yield heard[at], heard[at + 5 : at + 5 + size]
        at += 5 + size


def _messages(heard: bytes) -> Iterator[tuple[int, bytes]]:
    """The complete handshake messages: type and body; they may span records."""
    stream = b"".join(content for kind, content in _records(heard) if kind == _HANDSHAKE)
    at = 0
    while at + 4 <= len(stream):
        size = int.from_bytes(stream[at + 1 : at + 4], "big")
        if at + 4 + size > len(stream):
            return
        yield stream[at], stream[at + 4 : at + 4 + size]
        at += 4 + size


def _is_tls(heard: bytes) -> bool:
    return heard[0] in {_ALERT, _HANDSHAKE} and heard[1:2] in {b"", b"\x03"}


def _is_complete(heard: bytearray) -> bool:
    if not heard:
        return False
    seen = bytes(heard)
    if not _is_tls(seen):
        return len(seen) >= 5
    return any(kind == _ALERT for kind, _ in _records(seen)) or any(
        kind == _DONE for kind, _ in _messages(seen)
    )


def _understand(heard: bytes, *, ended: bool, silent: bool) -> Hello:
    if heard and not _is_tls(heard):
        return Hello(plain=heard[:200], ended=ended, silent=silent)
    certificates: tuple[bytes, ...] = ()
    version, asks = "", False
    for kind, body in _messages(heard):
        if kind == _SERVER_HELLO:
            number = int.from_bytes(body[:2], "big")
            version = _VERSIONS.get(number, f"version {number:#06x}")
        elif kind == _CERTIFICATE:
            certificates = tuple(islice(_listed(body[3:]), _MOST_CERTIFICATES))
        elif kind == _CERTIFICATE_REQUEST:
            asks = True
    alerts = [content[1] for kind, content in _records(heard) if kind == _ALERT and content[1:]]
    return Hello(
        certificates=certificates,
        version=version,
        asks=asks,
        alert=alerts[0] if alerts else None,
        ended=ended,
        silent=silent,
    )


def _listed(body: bytes) -> Iterator[bytes]:
    at = 0
    while at + 3 <= len(body):
        size = int.from_bytes(body[at : at + 3], "big")
        if size == 0 or at + 3 + size > len(body):
            return
        yield body[at + 3 : at + 3 + size]
        at += 3 + size
