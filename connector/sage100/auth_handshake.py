"""One log-on to Windows over HTTP: the tokens of NTLM, or of SPNEGO with NTLM inside.

    leg 1   we      what we can do                     nothing of the password yet
            server  401, a challenge
    leg 2   we      the challenge, answered            the proof: this is what counts as an attempt
            server  the answer to the request, and for Negotiate a token that proves the server

A `Handshake` belongs to one connection and is bound to its TLS certificate (`bindings_of`), so that
nobody in between can pass the log-on on. It makes and checks tokens and sends nothing; its methods
take milliseconds and may ask a Kerberos library, so they belong into a thread.
"""

from __future__ import annotations

import binascii
import logging
import os
import struct
from base64 import b64decode, b64encode
from typing import Final

import spnego
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from spnego._spnego import NegTokenResp, unpack_token  # no public name reads a token
from spnego.channel_bindings import GssChannelBindings
from spnego.exceptions import SpnegoError

from connector.sage100.auth import ON_THE_WIRE, Credentials

# At level DEBUG the library logs every token, and on a proof passwords can be tried at leisure.
logging.getLogger("spnego").setLevel(logging.WARNING)

# What the library raises over bytes that are no token.
_UNREADABLE: Final = (SpnegoError, ValueError, struct.error, LookupError, TypeError, OverflowError)


class HandshakeBroken(Exception):
    """The server's part of the log-on is not what the scheme asks for; the text says why."""


class _NtlmPassword(spnego.Password):
    """A password for NTLM alone.

    Tried by Kerberos first and by NTLM then, one wrong password would count twice.
    """

    @property
    def supported_protocols(self) -> list[str]:
        return ["ntlm"]


class Handshake:
    """The log-on of one connection. `host`: who we mean to talk to."""

    def __init__(self, credentials: Credentials, host: str, bindings: bytes | None) -> None:
        if credentials.password is None:
            raise ValueError("a log-on needs a password")
        self._name = ON_THE_WIRE[credentials.scheme]
        known: list[spnego.Credential] = [
            _NtlmPassword(credentials.username, credentials.password.reveal())
        ]
        options = spnego.NegotiateOptions.use_ntlm
        if credentials.scheme == "negotiate":
            options = spnego.NegotiateOptions.use_negotiate
            if tickets := os.environ.get("KRB5CCNAME"):  # of use where python-gssapi is installed
                known.insert(0, spnego.KerberosCCache(tickets))
        self._context = spnego.client(
            known,
            hostname=host,
            service="HTTP",
            protocol=credentials.scheme,
            options=options,
            channel_bindings=None
            if bindings is None
            else GssChannelBindings(application_data=bindings),
        )

    @property
    def tried(self) -> bool:
        """Whether a proof of the password has been made: another refusal would be counted."""
        return self._context.negotiated_protocol == "ntlm" and bool(self._context.session_key)

    @property
    def protocol(self) -> str:
        """What was really spoken inside Negotiate: ntlm or kerberos; "" before that is known."""
        return str(self._context.negotiated_protocol or "")

    def begin(self) -> str:
        """The Authorization of the first leg. Raises HandshakeBroken."""
        return self._step(None)

    def answer(self, token: str) -> str:
        """The Authorization that answers the server's challenge. Raises HandshakeBroken."""
        return self._step(_decoded(token))

    def finish(self, token: str | None) -> bool:
        """Whether the log-on is complete, on both sides where the scheme knows two.

        `token` came with the answer to the last leg. Raises HandshakeBroken when it proves nothing.
        """
        if token is not None and not self._context.complete:
            given = _decoded(token)
            try:
                read = unpack_token(given)
                self._context.step(given)
            except _UNREADABLE as problem:
                raise HandshakeBroken(f"its last token is wrong ({_kind(problem)})") from None
            proof = read.mech_list_mic if isinstance(read, NegTokenResp) else None
            if self.tried and proof is None:  # the library lets that pass
                raise HandshakeBroken("its last token proves nothing")
        return self._context.complete

    def _step(self, given: bytes | None) -> str:
        try:
            token = self._context.step(given)
        except _UNREADABLE as problem:
            raise HandshakeBroken(f"its challenge cannot be answered ({_kind(problem)})") from None
        if token is None:
            raise HandshakeBroken("its challenge leaves nothing to answer")
        return f"{self._name} {b64encode(token).decode()}"


def bindings_of(certificate: bytes | None) -> bytes | None:
    """What binds a log-on to a server's certificate (DER): RFC 5929, tls-server-end-point.

    The hash is that of the certificate's signature, SHA-256 in place of MD5 and SHA-1; None where
    the certificate names none (Ed25519), for which nothing is defined.
    """
    if certificate is None:
        return None
    try:
        signed_by = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        return None
    if signed_by is None:
        return None
    weak = isinstance(signed_by, hashes.MD5 | hashes.SHA1)
    digest = hashes.Hash(hashes.SHA256() if weak else signed_by)
    digest.update(certificate)
    return b"tls-server-end-point:" + digest.finalize()


def _decoded(token: str) -> bytes:
    try:
        return b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        raise HandshakeBroken("its token is not base64") from None


def _kind(problem: Exception) -> str:
    return type(problem).__name__
