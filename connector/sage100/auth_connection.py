"""The one connection to an agent, and the moment when a request meets it.

aiohttp chooses a request's connection late, after its headers were given, and tells nobody. A
log-on that belongs to a connection needs to know, so the connector is asked: `dress` is called with
the headers and the connection they will travel on. Why a connection ended is kept as well, for the
refusals that TLS 1.3 sends late.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from aiohttp.tracing import Trace
from multidict import CIMultiDict

Dress = Callable[[CIMultiDict[str], asyncio.Transport], Awaitable[None]]

_KEPT_S: Final = 90.0  # an idle connection; IIS ends it after 120 s
_TICKS: Final = 5  # of the loop, until it is known why a connection ended


class Connector(aiohttp.TCPConnector):
    """One connection at a time; `dress` sees each request's headers together with its connection.

    It runs when the connection is there and nothing has been sent; when it raises, nothing will be.
    A request travels once: aiohttp would send a GET again by itself when its connection is lost,
    and with it the proof of a password that may have been refused.
    """

    def __init__(self, dress: Dress, tls: ssl.SSLContext | None) -> None:
        super().__init__(limit=1, ssl=tls or True, keepalive_timeout=_KEPT_S)
        self._dress = dress
        self._protocol: ResponseHandler | None = None  # of the latest connection
        self._key: ConnectionKey | None = None
        self._ended_by: BaseException | None = None
        self._answered = False
        self._travelled = False

    def next_request(self) -> None:
        """Another request follows, which may travel once."""
        self._travelled = False

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """A connection for this request, which now fits it."""
        if self._travelled:
            raise aiohttp.ServerDisconnectedError("the connection ended without an answer")
        self._travelled = True
        connection = await super().connect(req, traces, timeout)
        try:
            transport, protocol = connection.transport, connection.protocol
            if protocol is not self._protocol:
                self._watch(protocol)
                self._key = req.connection_key
            if transport is not None:
                await self._dress(req.headers, transport)
            if transport is None or transport.is_closing():
                raise aiohttp.ServerDisconnectedError  # noqa: TRY301 - as when it is found later
        except BaseException:  # cancelled, too: half a log-on is of no use to the next request
            connection.close()
            raise
        return connection

    def answered(self) -> None:
        """An answer came over the latest connection."""
        self._answered = True

    async def late_refusal(self) -> aiohttp.ClientConnectorSSLError | None:
        """The TLS alert that ended the latest connection, as an error of its handshake.

        With TLS 1.3 a client's side of the handshake is done before the server has looked at the
        client's certificate; its refusal comes afterwards, and is lost where a write fails first.
        """
        if self._answered:
            return None  # then it let us in
        for _ in range(_TICKS):
            if self._ended_by is not None:
                break
            await asyncio.sleep(0)
        alert = self._ended_by
        if self._key is None or not isinstance(alert, ssl.SSLError) or "ALERT" not in str(alert):
            return None
        return aiohttp.ClientConnectorSSLError(self._key, alert)

    def _watch(self, protocol: ResponseHandler | None) -> None:
        self._protocol, self._ended_by, self._answered = protocol, None, False
        ended = None if protocol is None else protocol.closed
        if ended is not None:
            ended.add_done_callback(self._note)

    def _note(self, ended: asyncio.Future[None]) -> None:
        if not ended.cancelled() and (problem := ended.exception()) is not None:
            self._ended_by = problem.__cause__
