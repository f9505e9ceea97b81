"""A refused log-on, remembered until a person acts: beyond the end of a run, and of the service.

A few wrong passwords lock a Windows account, and whoever starts this program does not think of
that: a scheduler starts it every quarter of an hour, a process manager whenever it has ended. So
the refusal is kept beside the log, with a digest of all that we had said of ourselves. As long as
we would say the same, nothing is sent to the agent; what was corrected in the configuration is
tried, and lets the refusal be forgotten; and a person who has unlocked the account says `release`.

No event holds anything that is made from a secret: the digest is salted, slow, and in a work table.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import msgspec

from connector.new_events import done_by
from connector.sage100.auth import Credentials, said
from connector.sage100.errors import Call, LogonRefused
from eventstore.types import EventStore, NewEvent, Put, Remove, Row, Table
from projections.events import SCHEMA, LogonReleased, encode, type_of

# Instance to its refusal. A work table, no fold of the log.
REFUSALS: Final = Table("logon_refused")

_SALT_BYTES: Final = 16
_SCRYPT: Final = {"n": 1 << 14, "r": 8, "p": 1, "maxmem": 1 << 26}  # some 50 ms and 16 MB


class Refusal(msgspec.Struct, frozen=True):
    """A refused log-on. `at`: when, ISO 8601 UTC; `digest` of what was said, and its `salt`."""

    at: str
    operation: str
    code: str
    message: str
    remedy: str
    salt: bytes
    digest: bytes

    def error(self, call: Call) -> LogonRefused:
        """What is said instead of asking again."""
        message = f"{self.message.rstrip('.')}. That was at {self.at}; nothing was sent since."
        where = msgspec.structs.replace(call, operation=self.operation)
        return LogonRefused(message, where, code=self.code, remedy=self.remedy)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Refusal)


class Refusals:
    """The refusal under which one agent's client stands, if any; without a store, its own only."""

    def __init__(self, endpoint: str, credentials: Credentials) -> None:
        self._endpoint = endpoint
        self._credentials = credentials
        self._store: EventStore | None = None
        self._instance = ""
        self._now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._looked = False
        self._kept: Refusal | None = None  # what the store holds, as far as it was compared
        self._error: LogonRefused | None = None

    def keep_in(
        self, store: EventStore, instance: str, now: Callable[[], datetime] | None = None
    ) -> None:
        """Keep refusals there from now on, and heed the one that is there."""
        self._store, self._instance = store, instance
        self._now = now or self._now

    async def standing(self, call: Call) -> LogonRefused | None:
        """Why nothing may be sent; None when there is nothing against it, or nothing any more."""
        if self._store is None or (self._looked and self._error is None):
            return self._error
        kept = await find(self._store, self._instance)
        self._looked = True
        if kept is None:
            self._kept = self._error = None
        elif kept != self._kept:
            digest = await self._digest(kept.salt)
            if hmac.compare_digest(digest, kept.digest):
                self._kept, self._error = kept, kept.error(call)
            else:
                await self._store.append([], also=[Remove(REFUSALS.name, [self._instance])])
                self._kept = self._error = None
        return self._error

    async def note(self, refused: LogonRefused) -> None:
        """The log-on was refused just now: from here on nothing is sent."""
        self._error = refused
        if self._store is None:
            return
        salt = os.urandom(_SALT_BYTES)
        self._kept = Refusal(
            at=f"{self._now().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
            operation=refused.call.operation,
            code=refused.code,
            message=refused.what,
            remedy=refused.remedy,
            salt=salt,
            digest=await self._digest(salt),
        )
        row = Row(self._instance, _encoder.encode(self._kept))
        await self._store.append([], also=[Put(REFUSALS.name, [row])])

    async def _digest(self, salt: bytes) -> bytes:
        return await asyncio.to_thread(_digest, self._endpoint, self._credentials, salt)


def _digest(endpoint: str, credentials: Credentials, salt: bytes) -> bytes:
    content = _encoder.encode([endpoint, *said(credentials)])
    return hashlib.scrypt(content, salt=salt, **_SCRYPT)


# ------------------------------------------------------------ for a person


def logon_stream(instance: str) -> str:
    """Where an instance's LogonReleased go."""
    return f"audit/logon/{instance}"


async def find(store: EventStore, instance: str) -> Refusal | None:
    """The refusal under which an instance stands."""
    rows = (await store.rows({REFUSALS.name: [instance]})).get(REFUSALS.name, {})
    return _decoder.decode(rows[instance].value) if instance in rows else None


async def release(store: EventStore, request: LogonReleased) -> bool:
    """Let an instance ask its agent again; False, and nothing, when this refusal is over already.

    The next attempt may be refused as well, and is remembered then.
    """
    kept = await find(store, request.instance)
    if kept is None or kept.at != request.refused:
        return False
    actor = f"operator:{request.by}" if request.by else "operator"
    stream = logon_stream(request.instance)
    await store.append(
        [NewEvent(stream, type_of(request), encode(request), SCHEMA)],
        also=[Remove(REFUSALS.name, [request.instance])],
        meta=done_by(actor),
    )
    return True
