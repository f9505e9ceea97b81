"""How requests get past the web server's log-on, one connection at a time.

NTLM and Negotiate let in a TCP connection, not a request. So what a request says of us is decided
when it is known on which connection it travels (`auth_connection`): nothing on one that is logged
on, the answer to the challenge on the one that was challenged, and the first leg on any other. A
later leg can thus never cross to another connection, and a replaced one logs on anew by itself.

Every leg carries the whole request: requests are small, and any leg may turn out to be the last,
since Kerberos is content with the first one. A proof of the password is sent once; what the server
answers to it is final. One that was lost with its connection may have been a refusal, so after two
of them we wait before a third: a few wrong passwords lock the Windows account.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Final, Literal

import aiohttp
import msgspec
from multidict import CIMultiDict
from yarl import URL

from connector.sage100.auth import ON_THE_WIRE, Credentials, Scheme, headers
from connector.sage100.auth_connection import Connector
from connector.sage100.auth_handshake import Handshake, HandshakeBroken, bindings_of
from connector.sage100.errors import AgentUnreachable, BadAnswer, Call, NotTrusted

Said = Literal["nothing", "leg", "proof"]

_MOST_REQUESTS: Final = 8  # for one answer: two legs, and connections that are replaced meanwhile
_MOST_LOST: Final = 2  # proofs without an answer in a row; the strictest usual lock is at three
_PAUSE_S: Final = 1_800.0  # after them; by default Windows forgets wrong passwords sooner
_QUOTED: Final = re.compile(r'"[^"]*"')  # a realm may hold anything
_OFFER: Final = re.compile(
    r"(?:^|,)\s*(?P<name>[A-Za-z][A-Za-z0-9-]*)(?=[\s,]|$)(?:\s+(?P<token>[A-Za-z0-9+/]+=*)\s*(?=,|$))?"
)
_IN_IIS: Final[dict[Scheme, str]] = {
    "negotiate": "Windows Authentication with the provider Negotiate",
    "ntlm": "Windows Authentication with the provider NTLM",
    "basic": "Basic Authentication",
}
_REFUSAL_BYTES: Final = 64 * 1024  # of a 401, read so that the connection can be used on


class Logon:
    """Sends requests as who we are. One at a time; `requests` counts what was sent, legs too."""

    def __init__(
        self, url: URL, credentials: Credentials, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.requests = 0
        self._url = url
        self._wsdl = URL(f"{url}?wsdl", encoded=True)
        self._credentials = credentials
        self._headers = headers(credentials)
        self._name = ON_THE_WIRE[credentials.scheme]
        self._clock = clock
        self._call = Call(str(url), "")
        self._connector: Connector | None = None
        self._transport: asyncio.Transport | None = None  # whose state the following is
        self._logged_on = False
        self._handshake: Handshake | None = None
        self._next: str | None = None  # the Authorization that answers its challenge
        self._said: Said = "nothing"  # in the latest request
        self._sent: list[str] = []  # tokens, for the latest answer
        self._lost_at: list[float] = []  # proofs without an answer

    def connector(self, tls: ssl.SSLContext | None) -> Connector:
        """What the session has to use."""
        self._connector = Connector(self._dress, tls)
        return self._connector

    @contextlib.asynccontextmanager
    async def send(
        self,
        session: aiohttp.ClientSession,
        call: Call,
        body: bytes | None,
        more: Mapping[str, str],
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a POST, whatever it is, once no leg of a log-on is left to be sent.

        Without a `body`: to a GET of the WSDL, which is behind the same doors.

        A 401 that comes out is a refusal. Raises AgentError, aiohttp's errors and TimeoutError.
        """
        self._call = call
        self._next = None  # an exchange that was given up left its challenge behind
        self._sent.clear()
        for _ in range(_MOST_REQUESTS):
            self.requests += 1
            self._said = "nothing"
            async with self._open(session, body, {**self._headers, **more}) as response:
                if await self._is_final(response):
                    yield response
                    return
        raise AgentUnreachable(
            f"The log-on by {self._name} came to no end in {_MOST_REQUESTS} requests.",
            call,
            remedy="See that IIS, and every proxy before it, keeps connections open between "
            "requests: NTLM and Negotiate log a connection on, not a request.",
        )

    @property
    def spoken(self) -> str:
        """By what we are logged on, as "Negotiate (Kerberos)"; "" when we are not, or nobody asked.

        Of Basic it is only known that it was sent.
        """
        if not self._credentials.by_connection:
            return self._name if self._credentials.password is not None else ""
        if self._handshake is None or not self._logged_on:
            return ""
        inside = {"ntlm": " (NTLM inside)", "kerberos": " (Kerberos)"}
        return self._name + (
            inside.get(self._handshake.protocol, "") if self._name != "NTLM" else ""
        )

    def hiding(self, call: Call) -> Call:
        """The same call, whose messages do not show the tokens of the latest log-on either."""
        tokens = (one.partition(" ")[2] for one in self._sent)
        return msgspec.structs.replace(call, hidden=(*tokens, *call.hidden))

    @contextlib.asynccontextmanager
    async def _open(
        self, session: aiohttp.ClientSession, body: bytes | None, sent: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._connector is not None:
            self._connector.next_request()
        if body is None:
            opening = session.get(self._wsdl, headers=sent, allow_redirects=False)
        else:
            opening = session.post(self._url, data=body, headers=sent, allow_redirects=False)
        try:
            response = await opening
        except TimeoutError:
            raise  # a refusal would have come at once
        except (aiohttp.ClientError, OSError) as problem:
            if self._said == "proof":
                self._lost_at.append(self._clock())
            if self._connector is not None:
                refusal = await self._connector.late_refusal()
                if refusal is not None:
                    raise refusal from problem
            raise
        if self._connector is not None:
            self._connector.answered()
        async with response:
            yield response

    # ------------------------------------------------------------ before a request

    async def _dress(self, sent: CIMultiDict[str], transport: asyncio.Transport) -> None:
        """Say of us what this connection has to hear; called when the connection is known."""
        if not self._credentials.by_connection:
            return
        known = transport is self._transport
        if known and self._logged_on:
            return
        if known and self._next is not None:
            value = self._next
        else:
            value = await self._begin(transport)
        self._next = None
        self._said = "proof" if self._handshake and self._handshake.tried else "leg"
        self._sent.append(value)
        sent["Authorization"] = value

    async def _begin(self, transport: asyncio.Transport) -> str:
        self._transport, self._logged_on, self._handshake = transport, False, None
        self._let_windows_forget()
        hello = transport.get_extra_info("ssl_object")
        shown = None if hello is None else hello.getpeercert(binary_form=True)
        host = self._url.host or ""

        def begin() -> tuple[Handshake, str]:
            handshake = Handshake(self._credentials, host, bindings_of(shown))
            return handshake, handshake.begin()

        try:
            self._handshake, value = await asyncio.to_thread(begin)
        except HandshakeBroken as broken:
            raise BadAnswer(f"No log-on by {self._name}: {broken}.", self._call) from broken
        return value

    def _let_windows_forget(self) -> None:
        if len(self._lost_at) < _MOST_LOST:
            return
        wait_s = self._lost_at[-1] + _PAUSE_S - self._clock()
        if wait_s > 0:
            raise AgentUnreachable(
                f"The log-on by {self._name} was sent {len(self._lost_at)} times and the "
                f"connection ended without an answer; the next is sent in {wait_s / 60:.0f} min.",
                self._call,
                remedy="See what ends connections: the agent, IIS, a proxy. An unanswered log-on "
                "may have been a wrong password, and a few of those lock the account.",
                retryable=False,
            )

    # ------------------------------------------------------------ after its answer

    async def _is_final(self, response: aiohttp.ClientResponse) -> bool:
        """Whether this answer is for the caller; else the next request goes on with the log-on."""
        if not self._credentials.by_connection:
            return True
        said, handshake = self._said, self._handshake
        if said == "proof":
            self._lost_at.clear()
        offers = response.headers.getall("WWW-Authenticate", [])
        token = token_for(self._name, offers)
        if response.status != 401:
            if said != "nothing" and handshake is not None:
                await self._finish(handshake, response, token)
            return True
        self._logged_on = False
        if self._name.lower() not in (offer.lower() for offer in names_in(offers)):
            return True
        if said == "nothing":  # the server has forgotten this connection
            await _read_out(response)
            return False
        if said == "proof" or token is None or handshake is None:
            return True
        try:
            self._next = await asyncio.to_thread(handshake.answer, token)
        except HandshakeBroken as broken:
            raise BadAnswer(
                f"The server cannot be logged on to by {self._name}: {broken}.",
                self._call,
                remedy="See that IIS itself answers, and no proxy in its place.",
            ) from broken
        await _read_out(response)
        return False

    async def _finish(
        self, handshake: Handshake, response: aiohttp.ClientResponse, token: str | None
    ) -> None:
        """Check what the server has to prove of itself, if the agent answered."""
        from_the_agent = response.status in {200, 500}
        try:
            self._logged_on = await asyncio.to_thread(handshake.finish, token)
        except HandshakeBroken as broken:
            self._logged_on = False
            if from_the_agent:
                raise NotTrusted(
                    f"The server did not prove that it knows our account: {broken}.",
                    self._call,
                    remedy="See that IIS itself answers, and no proxy in its place.",
                ) from broken
        if from_the_agent and not self._logged_on:
            raise NotTrusted(
                f"The server answered without completing the log-on by {self._name}.",
                self._call,
                remedy="In IIS, disable Anonymous Authentication for the agent; if a proxy answers "
                "in its place, let it pass WWW-Authenticate on.",
            )


def names_in(offers: Sequence[str]) -> list[str]:
    """The schemes in the WWW-Authenticate values of one answer, each in a value or in a list."""
    return [found["name"] for offer in offers for found in _offered(offer)]


def token_for(scheme: str, offers: Sequence[str]) -> str | None:
    """What follows the scheme's name, None when it stands alone or is not there."""
    for offer in offers:
        for found in _offered(offer):
            if found["name"].lower() == scheme.lower() and found["token"]:
                return found["token"]
    return None


def _offered(value: str) -> Iterator[re.Match[str]]:
    return _OFFER.finditer(_QUOTED.sub('""', value))


def about_offers(configured: Scheme, offers: Sequence[str]) -> tuple[str, str, str]:
    """What a 401 with these offers says of the configured scheme, and what may be done about it: in
    our configuration, and in IIS ("": the usual).
    """
    if not offers:
        return "", "", ""
    listed = ", ".join(dict.fromkeys(offer[:40] for offer in offers[:10]))
    name = ON_THE_WIRE[configured]
    said = f' The server asks for: {listed}; configured is scheme = "{configured}"'
    if name.lower() in (offer.lower() for offer in offers):
        return f"{said}.", "", ""
    ours = [scheme for scheme, known in ON_THE_WIRE.items() if known.lower() in listed.lower()]
    change = " or ".join(f'set [sage100.auth] scheme = "{scheme}"' for scheme in ours)
    enable = f"enable {_IN_IIS[configured]} for the agent in IIS"
    return f"{said}, which it does not offer.", change, enable


async def _read_out(response: aiohttp.ClientResponse) -> None:
    """Take the rest of a refusal off the connection, which else would be closed."""
    left = _REFUSAL_BYTES
    while left > 0 and not response.content.at_eof():
        left -= len(await response.content.read(left))
