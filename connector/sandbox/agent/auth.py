"""The two doors of the agent: a Windows log-on kept by IIS, and the agent's own key.

Each door is a small object asked on every request. The Windows door holds any number of schemes;
a scheme answers for one name of `Authorization` and may keep state on the connection, since NTLM
and Negotiate authenticate connections and take several legs. Secrets are compared in constant time.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode
from collections.abc import MutableMapping, Sequence
from typing import Literal, Protocol

import msgspec
from multidict import CIMultiDictProxy

from connector.sandbox.agent.auth_account import Account

ConnectionState = MutableMapping[object, object]
CLIENT_CERTIFICATE = "client certificate"  # in the state of a connection: whether one was verified


class Verdict(msgspec.Struct, frozen=True):
    """What a door says: `challenges` are the WWW-Authenticate values that go with the answer.

    `pending` marks a leg of a handshake: not let in yet, but no refused log-on either. `hang_up`
    ends the connection after the answer, or without one.
    """

    granted: bool
    reason: str = ""
    challenges: tuple[str, ...] = ()
    pending: bool = False
    hang_up: Literal["", "after", "at once"] = ""


class Scheme(Protocol):
    """One way to log on to Windows over HTTP."""

    name: str

    def challenge(self) -> str:
        """The WWW-Authenticate value that offers this scheme."""

    def authenticate(self, credentials: str, connection: ConnectionState) -> Verdict:
        """Judge what followed the scheme's name in Authorization; `connection` outlives requests.

        A further leg is `pending` with its own challenge; without one the door offers them all.
        """

    def remembers(self, connection: ConnectionState) -> bool:
        """Whether this connection is already authenticated and needs no Authorization."""


class Door(Protocol):
    """One layer of authentication; `name` is what refusals are counted under."""

    name: str
    status: int

    def check(self, headers: CIMultiDictProxy[str], connection: ConnectionState) -> Verdict:
        """Let the request in or not."""


class BasicScheme:
    """User and password in each request; honest only behind TLS or on the loopback."""

    name = "Basic"

    def __init__(self, account: Account, realm: str) -> None:
        self._account = account
        self._realm = realm

    def challenge(self) -> str:
        """As IIS offers it."""
        return f'Basic realm="{self._realm}"'

    def authenticate(self, credentials: str, connection: ConnectionState) -> Verdict:
        """Reads UTF-8, else Latin-1: RFC 7617 leaves the charset to the client."""
        try:
            given = b64decode(credentials, validate=True)
        except (binascii.Error, ValueError):
            return Verdict(granted=False, reason="Basic credentials are not base64")
        try:
            name, _, password = given.decode().partition(":")
        except UnicodeDecodeError:
            name, _, password = given.decode("latin-1").partition(":")
        known = self._account.knows(name, password)
        granted = self._account.admits(self.name, right=known)
        return Verdict(granted=granted, reason="unknown user or wrong password")

    def remembers(self, connection: ConnectionState) -> bool:
        """Never: Basic comes with every request."""
        return False


class WindowsDoor:
    """The Windows service account; 401 with a challenge per scheme."""

    name = "windows"
    status = 401

    def __init__(self, schemes: Sequence[Scheme]) -> None:
        self.offer(schemes)

    def offer(self, schemes: Sequence[Scheme]) -> None:
        """Offer these from now on."""
        self._schemes = {scheme.name.lower(): scheme for scheme in schemes}

    def check(self, headers: CIMultiDictProxy[str], connection: ConnectionState) -> Verdict:
        """One Authorization header of an offered scheme, or a connection that has logged on."""
        given = headers.getall("Authorization", [])
        if not given and any(s.remembers(connection) for s in self._schemes.values()):
            return Verdict(granted=True)
        verdict = Verdict(granted=False, reason="a Windows log-on is required")
        if len(given) == 1:
            name, _, credentials = given[0].partition(" ")
            scheme = self._schemes.get(name.lower())
            if scheme is not None:
                verdict = scheme.authenticate(credentials.strip(), connection)
        if verdict.granted or verdict.challenges:
            return verdict
        offers = tuple(scheme.challenge() for scheme in self._schemes.values())
        return msgspec.structs.replace(verdict, challenges=offers)


class ApiKeyDoor:
    """The agent's own key in X-API-Key; 403 with a reason in plain text."""

    name = "api_key"
    status = 403

    def __init__(self, api_key: str) -> None:
        self._expected = api_key.encode()

    def check(self, headers: CIMultiDictProxy[str], connection: ConnectionState) -> Verdict:
        """Exactly one X-API-Key, the right one."""
        given = headers.getall("X-API-Key", [])
        if len(given) != 1:
            return Verdict(granted=False, reason="the X-API-Key header is missing")
        known = hmac.compare_digest(given[0].encode("utf-8", "replace"), self._expected)
        return Verdict(granted=known, reason="the X-API-Key is unknown")


class CertificateDoor:
    """A client certificate in place of the key; TLS itself has refused the untrusted ones."""

    name = "certificate"
    status = 403

    def check(self, headers: CIMultiDictProxy[str], connection: ConnectionState) -> Verdict:
        """Whether TLS has verified one on this connection."""
        verified = bool(connection.get(CLIENT_CERTIFICATE))
        return Verdict(granted=verified, reason="a client certificate is required")
