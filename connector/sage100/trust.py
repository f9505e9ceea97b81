"""Whom an agent's client trusts, and what to say when it cannot.

Three ways, none of them weaker than the others: the CAs of this machine, those of a bundle, or one
pinned certificate. Every connection that may carry a request is verified by OpenSSL in the
handshake: chain, dates and host name.

A pin needs no CA. The pinned certificate itself is made the only trust anchor, so that OpenSSL
still checks its dates and names; for that it has to be seen once, which `trust_probe` does without
saying anything to the server, and it counts only when its SHA-256 is the pin. The same digest is
compared again inside each handshake.

aiohttp's own `Fingerprint` is not used: with it neither dates nor names are verified.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import aiohttp
import msgspec
from yarl import URL

from connector.sage100 import trust_probe
from connector.sage100.endpoint import tls_context
from connector.sage100.errors import Call, TlsRefused
from connector.sage100.trust_certificate import Certificate, fingerprint, read
from connector.sage100.trust_diagnosis import about_our_certificate, failure_of, judge
from connector.sage100.trust_probe import Hello
from connector.sage100.trust_sentences import Failure
from connector.sage100.trust_words import Asked

log: Final = logging.getLogger(__name__)

# Presents our own certificate: gets the context that is to hold it. Raises Misconfigured.
Identity = Callable[[ssl.SSLContext], None]


def system_time() -> datetime:
    """Now, UTC."""
    return datetime.now(UTC)


class Met(msgspec.Struct, frozen=True):
    """A server that was trusted: the version of TLS ("TLSv1.3"), and its certificate."""

    version: str
    certificate: Certificate


class Trust:
    """One endpoint's TLS settings. `open` before use; `context` is the one for all connections.

    `pin`: "sha256:HEX" of the server's own certificate. With `ca_bundle` too, both must agree.
    """

    def __init__(
        self,
        endpoint: URL | str,
        *,
        ca_bundle: Path | None = None,
        pin: str | None = None,
        identity: Identity | None = None,
        now: Callable[[], datetime] = system_time,
    ) -> None:
        url = URL(endpoint)
        self.endpoint = str(endpoint)
        self.asked = Asked(
            host=url.raw_host or "",
            port=url.port or 443,
            path=url.raw_path,
            ca_bundle="" if ca_bundle is None else str(ca_bundle),
            pin="" if pin is None else pin.lower(),
            presents=identity is not None,
        )
        self._ca_bundle = ca_bundle
        self._identity = identity
        self._now = now
        self._context: ssl.SSLContext | None = None
        self._anchored = pin is None or ca_bundle is not None

    @property
    def context(self) -> ssl.SSLContext:
        """What every connection is made with."""
        if self._context is None:
            raise RuntimeError("open the trust settings first")
        return self._context

    async def open(self) -> None:
        """Read the certificates to trust, and our own. Raises Misconfigured."""

        def build() -> ssl.SSLContext:
            context = tls_context(self._ca_bundle, self.asked.pin or None)
            if self._identity is not None:
                self._identity(context)
            return context

        if self._context is None:
            self._context = await asyncio.to_thread(build)

    async def prepare(self, call: Call) -> None:
        """Before a request: with a pin alone, make the pinned certificate the trust anchor, once.

        Raises TlsRefused when another one is shown, OSError when there is no connection.
        """
        if self._anchored:
            return
        seen = await self._probe()
        if seen.leaf is None and seen.silent:
            raise ConnectionError(f"nothing came in {trust_probe.LIMIT_S:g} s of a TLS handshake")
        if seen.leaf is None or fingerprint(seen.leaf) != self.asked.pin:
            raise await self._refused(call, Failure(reset=seen.ended, text="no certificate"), seen)
        self.context.load_verify_locations(cadata=seen.leaf)
        self._anchored = True

    async def explain(self, call: Call, problem: Exception) -> TlsRefused | None:
        """Why the handshake failed; None when what happened was no failure of a handshake."""
        failure = failure_of(problem)
        if failure is None:
            return None
        begun = isinstance(problem, aiohttp.ClientConnectorError | ssl.SSLCertVerificationError)
        if not begun and not about_our_certificate(failure):
            return None  # an exchange that broke later on
        return await self._refused(call, failure, await self._seen())

    async def meet(self, call: Call) -> Met:
        """Shake hands as every request does, and hang up without a word, for a report.

        Raises TlsRefused, and OSError when there is no connection.
        """
        await self.prepare(call)
        try:
            async with asyncio.timeout(trust_probe.LIMIT_S):
                _, writer = await asyncio.open_connection(
                    self.asked.host,
                    self.asked.port,
                    ssl=self.context,
                    server_hostname=self.asked.host,
                    happy_eyeballs_delay=trust_probe.EYEBALLS_S,
                )
        except TimeoutError:
            raise ConnectionError(
                f"no TLS handshake came to its end in {trust_probe.LIMIT_S:g} s"
            ) from None
        except OSError as problem:
            failure = failure_of(problem)
            if failure is None:
                raise
            raise await self._refused(call, failure, await self._seen()) from problem
        tls = writer.get_extra_info("ssl_object")
        met = Met(tls.version() or "", read(tls.getpeercert(binary_form=True) or b""))
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return met

    async def _seen(self) -> Hello:
        try:
            return await self._probe()
        except OSError:
            return Hello(ended=True)

    async def _probe(self, *, name: str | None = None) -> Hello:
        return await trust_probe.probe(self.asked.host, self.asked.port, name=name)

    async def _refused(self, call: Call, failure: Failure, seen: Hello) -> TlsRefused:
        unnamed = None
        if seen.leaf is not None and not read(seen.leaf).covers(self.asked.host):
            try:
                unnamed = await self._probe(name="")
            except OSError as lost:
                log.debug("%s: no second look: %s", call.endpoint, lost)
        anchors = await asyncio.to_thread(self._anchors)
        now = self._now()
        found = judge(self.asked, failure, seen, unnamed, anchors, now)
        return TlsRefused(
            f"{found.what} WSDL: {call.endpoint}?wsdl.",
            call,
            problem=found.problem,
            host=self.asked.host,
            seen_at=now,
            certificate=found.certificate,
            remedy=found.remedy,
            retryable=found.problem == "reset",  # a server that is starting hangs up too
        )

    def _anchors(self) -> list[Certificate]:
        return [read(der) for der in self.context.get_ca_certs(binary_form=True)]
