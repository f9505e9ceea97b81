"""Opaque page cursors: a signed key, so that nobody's cursor but this agent's is ever honoured.

A cursor names the company, the entity and the padded key of the last row looked at. It is a place
in the file, not an offset and not a snapshot, and it stays good across restarts of the same agent.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

from connector.sandbox.agent.errors import AgentFault

_MAC_BYTES = 12
_LONGEST = 1024  # characters; a key is at most some tens of bytes


class Cursors:
    """Makes and reads the cursors of one agent."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def issue(self, company: str, entity: str, position: bytes) -> str:
        """The `Next` that continues behind this padded key."""
        signed = self._sign(company, entity, position) + position
        return urlsafe_b64encode(signed).decode().rstrip("=")

    def read(self, company: str, entity: str, cursor: str) -> bytes:
        """The padded key of a cursor; raises AgentFault InvalidCursor for anyone else's."""
        try:
            raw = urlsafe_b64decode(cursor[:_LONGEST].encode("ascii") + b"==")
        except (ValueError, binascii.Error):
            raw = b""
        position = raw[_MAC_BYTES:]
        # Issued anew and compared whole: base64 has more than one spelling of the same bytes.
        if not hmac.compare_digest(
            self.issue(company, entity, position).encode(), cursor.encode("utf-8", "replace")
        ):
            message = f"After is not a cursor of this agent for {entity} of {company}: start again"
            raise AgentFault("InvalidCursor", message)
        return position

    def _sign(self, company: str, entity: str, position: bytes) -> bytes:
        message = f"{company}/{entity}/".encode() + position
        return hmac.digest(self._secret, message, hashlib.sha256)[:_MAC_BYTES]
