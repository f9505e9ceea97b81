"""NTLM and Negotiate as IIS speaks them: real tokens, and a state that belongs to the connection.

    Authorization: NTLM + what the client can do        401 and a challenge
    Authorization: NTLM + the answer to the challenge   the request is served; Negotiate adds a
                                                        token that proves the server
    nothing                                             served: the connection is known

A later leg that comes on another connection is refused, as is a log-on that is not bound to the
certificate shown on its connection, where the options ask for that.
"""

from __future__ import annotations

import binascii
import hashlib
import struct
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Literal

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import BadBindingsError, SpnegoError

from connector.sandbox.agent.auth import ConnectionState, Verdict
from connector.sandbox.agent.auth_account import Account
from connector.sandbox.agent.calls import Calls
from connector.sandbox.agent.conduct import Conduct
from connector.sandbox.agent.options import LogonOptions

# How a first leg begins: NTLM's message 1, or SPNEGO's initial token.
_BEGINNINGS = (b"NTLMSSP\x00\x01\x00\x00\x00", b"\x60")
_UNREADABLE = (SpnegoError, ValueError, struct.error, LookupError, TypeError, OverflowError)


class HandshakeScheme:
    """One of the two schemes. `certificate`: what TLS shows (DER), None without TLS."""

    def __init__(
        self,
        name: Literal["NTLM", "Negotiate"],
        account: Account,
        calls: Calls,
        options: LogonOptions,
        conduct: Conduct,
        certificate: Callable[[], bytes | None] = lambda: None,
    ) -> None:
        self.name: str = name
        self._account = account
        self._calls = calls
        self._lasts = options.lasts
        self._bound = options.extended_protection
        self._conduct = conduct
        self._certificate = certificate

    def challenge(self) -> str:
        """As IIS offers it: the name alone."""
        return self.name

    def remembers(self, connection: ConnectionState) -> bool:
        """Whether the connection has logged on, and may go on without doing so again."""
        left = connection.get(("known", self.name))
        if not isinstance(left, float) or left < 1:
            return False
        connection["known", self.name] = left - 1
        return True

    def authenticate(self, credentials: str, connection: ConnectionState) -> Verdict:
        """Take one leg."""
        try:
            token = b64decode(credentials, validate=True)
        except (binascii.Error, ValueError):
            return Verdict(granted=False, reason="the token is not base64")
        connection["known", self.name] = 0.0
        underway = connection.pop(("legs", self.name), None)
        if token.startswith(_BEGINNINGS):
            self._calls.handshakes[self.name] += 1
            return self._begin(token, connection)
        if not isinstance(underway, spnego.ContextProxy):
            self._calls.stray_legs[self.name] += 1
            return Verdict(granted=False, reason="no log-on has begun on this connection")
        return self._go_on(underway, token, connection)

    def _begin(self, token: bytes, connection: ConnectionState) -> Verdict:
        shown = self._certificate() if self._bound else None
        bindings = None
        if shown is not None:  # every certificate here is signed with SHA-256
            digest = hashlib.sha256(shown).digest()
            bindings = GssChannelBindings(application_data=b"tls-server-end-point:" + digest)
        ntlm = self.name == "NTLM"
        use = spnego.NegotiateOptions
        try:
            with self._account.lent():
                context = spnego.server(
                    protocol=self.name.lower(),
                    options=use.use_ntlm if ntlm else use.use_negotiate,
                    channel_bindings=bindings,
                )
                answer = context.step(token)
        except _UNREADABLE:
            return Verdict(granted=False, reason="the token is none of this scheme")
        connection["legs", self.name] = context
        ends = self._conduct.ends_after_challenge > 0
        self._conduct.ends_after_challenge -= ends
        return Verdict(
            granted=False,
            reason="a Windows log-on is under way",
            challenges=(self._value(answer),),
            pending=True,
            hang_up="after" if ends else "",
        )

    def _go_on(
        self, context: spnego.ContextProxy, token: bytes, connection: ConnectionState
    ) -> Verdict:
        ends = self._conduct.ends_at_proof > 0
        self._conduct.ends_at_proof -= ends
        hang_up: Literal["", "at once"] = "at once" if ends else ""
        refused = Verdict(granted=False, reason="Access is denied", hang_up=hang_up)
        try:
            with self._account.lent():
                answer = context.step(token)
        except BadBindingsError:
            return refused  # Windows does not hold that against the account
        except _UNREADABLE:
            self._account.admits(self.name, right=False)
            return refused
        if not self._account.admits(self.name, right=context.complete):
            return refused
        connection["known", self.name] = float("inf" if self._lasts is None else self._lasts - 1)
        proof = () if answer is None else (self._value(answer),)
        return Verdict(granted=True, challenges=proof, hang_up=hang_up)

    def _value(self, token: bytes | None) -> str:
        return f"{self.name} {b64encode(token or b'').decode()}"
