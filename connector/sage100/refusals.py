"""A refused log-on, remembered until a person acts: beyond the end of a run, and of the service.

A few wrong passwords lock a Windows account, and whoever starts this program does not think of
that: a scheduler starts it every quarter of an hour, a process manager whenever it has ended. So
the refusal is kept beside the log, with a digest of all that we had said of ourselves. As long as
we would say the same, nothing is sent to the agent; what was corrected in the configuration is
tried, and lets the refusal be forgotten; and a person who has unlocked the account says `release`.
Instances that say the same to the same agent stand and are released together.

No event holds anything that is made from a secret: the digest is salted, slow, and in a work table.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from connector.new_events import done_by, new_event
from connector.sage100.auth import Credentials, said, shown
from connector.sage100.endpoint import same_agent
from connector.sage100.errors import Call, LogonRefused, release_of
from eventstore.types import EventStore, NewEvent, Put, Remove, Row, Table
from projections.events import LogonReleased

# Instance to its refusal. A work table, no fold of the log.
REFUSALS: Final = Table("logon_refused")

_SALT_BYTES: Final = 16
_SCRYPT: Final = {"n": 1 << 14, "r": 8, "p": 1, "maxmem": 1 << 26}  # some 50 ms and 16 MB


class Refusal(msgspec.Struct, frozen=True):
    """A refused log-on. `at`: when, ISO 8601 UTC; `digest` of what was said, and its `salt`.

    Without a digest nobody can tell whether something was corrected: it stands until a release.
    `instance`: who was refused, as the remedy says it; the rows of all who share it are alike.
    """

    at: str
    operation: str
    code: str
    message: str
    remedy: str
    salt: bytes
    digest: bytes
    instance: str = ""

    def error(self, call: Call) -> LogonRefused:
        """What is said instead of asking again, to this instance or one of the same account."""
        who = "That was"
        if self.instance != call.instance and self.instance:
            who = f"That was said to {self.instance}, with the same account,"
        message = f"{self.message.rstrip('.')}. {who} at {self.at}; nothing was sent since."
        where = msgspec.structs.replace(call, operation=self.operation)
        remedy = self.remedy.replace(release_of(self.instance), release_of(call.instance))
        return LogonRefused(message, where, code=self.code, remedy=remedy)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Refusal)


class Refusals:
    """The refusal under which one account stands at one agent, if any, for all its clients.

    Several instances may be one agent and one account: what one of them was told holds for the
    others. Without a store it is known as long as this lives.
    """

    def __init__(self, endpoint: str, credentials: Credentials) -> None:
        self._endpoint = same_agent(endpoint)
        self._credentials = credentials
        self._store: EventStore | None = None
        self._instances: set[str] = set()
        self._now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._looked = False
        self._certificate: str | None = None  # as it was shown first; its file may go
        self._refusal: Refusal | None = None
        self._stored = False
        self._raised: LogonRefused | None = None  # the same, as it was first said
        self._one_at_a_time = asyncio.Lock()  # no look may overlook what is noted meanwhile

    async def open(self) -> None:
        """Read what is said of us in files; before anything is said."""
        if self._certificate is None:
            with contextlib.suppress(OSError):  # whoever has to show it says what is wrong
                self._certificate = await asyncio.to_thread(shown, self._credentials)

    def keep_in(
        self, store: EventStore, instance: str, now: Callable[[], datetime] | None = None
    ) -> None:
        """Keep refusals there from now on, for this instance too, and heed what is there."""
        self._store = store
        self._instances.add(instance)
        self._now = now or self._now
        self._looked = False

    async def standing(self, call: Call) -> LogonRefused | None:
        """Why nothing may be sent; None when there is nothing against it, or nothing any more."""
        if self._store is not None and (self._refusal is not None or not self._looked):
            async with self._one_at_a_time:
                await self._look(self._store)
        if self._raised is not None and self._raised.call.instance == call.instance:
            return self._raised
        return None if self._refusal is None else self._refusal.error(call)

    async def _look(self, store: EventStore) -> None:
        if self._refusal is not None and not self._stored:
            await self._keep(store, self._instances)
            return
        kept = await all_refused(store)
        self._looked = True
        if self._refusal not in kept.values():
            self._refusal = self._raised = None
            for one in sorted(set(kept.values()), key=lambda one: one.at):
                if await self._is_ours(one, kept):
                    self._refusal, self._stored = one, True
        others = [name for name in self._instances if kept.get(name) != self._refusal]
        if others:
            await self._keep(store, others)

    async def _is_ours(self, one: Refusal, kept: Mapping[str, Refusal]) -> bool:
        """Whether we would say again what was refused; what cannot be compared is taken for it."""
        digest = await self._digest(one.salt)
        if digest and one.digest:
            return hmac.compare_digest(digest, one.digest)
        return any(kept.get(name) == one for name in self._instances)

    async def note(self, refused: LogonRefused) -> None:
        """The log-on was refused just now: from here on nothing is sent."""
        async with self._one_at_a_time:
            self._raised = refused
            salt = os.urandom(_SALT_BYTES)
            self._refusal, self._stored = (
                Refusal(
                    at=f"{self._now().astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
                    operation=refused.call.operation,
                    code=refused.code,
                    message=refused.what,
                    remedy=refused.remedy,
                    salt=salt,
                    digest=await self._digest(salt),
                    instance=refused.call.instance,
                ),
                False,
            )
            if self._store is not None:
                await self._keep(self._store, self._instances)

    async def _keep(self, store: EventStore, instances: Collection[str]) -> None:
        """Let the rows of these instances be what is known."""
        names = sorted(instances)
        if self._refusal is None:
            await store.append([], also=[Remove(REFUSALS.name, names)])
        else:
            value = _encoder.encode(self._refusal)
            rows = [Row(name, value) for name in names]
            await store.append([], also=[Put(REFUSALS.name, rows)])
            self._stored = True

    async def _digest(self, salt: bytes) -> bytes:
        """Of all that we say; b"" when not all of it is known."""
        if self._certificate is None:
            return b""
        content = _encoder.encode([self._endpoint, *said(self._credentials, self._certificate)])
        return await asyncio.to_thread(hashlib.scrypt, content, salt=salt, **_SCRYPT)


# ------------------------------------------------------------ for a person


def logon_stream(instance: str) -> str:
    """Where an instance's LogonReleased go."""
    return f"audit/logon/{instance}"


async def find(store: EventStore, instance: str) -> Refusal | None:
    """The refusal under which an instance stands."""
    return (await all_refused(store)).get(instance)


async def all_refused(store: EventStore) -> dict[str, Refusal]:
    """Every instance whose log-on is refused, and how."""
    rows = (await store.scan_many(REFUSALS.name, [""]))[""]
    return {row.key: _decoder.decode(row.value) for row in rows}


def sharing(kept: Mapping[str, Refusal], instance: str) -> list[str]:
    """The instances that stand under the refusal of this one, itself first."""
    alike = sorted(name for name, one in kept.items() if one == kept[instance])
    return sorted(alike, key=lambda name: name != instance)


async def release(store: EventStore, request: LogonReleased) -> list[str]:
    """Let an instance ask its agent again, and all that stand under the same refusal; who they are.

    Nobody, and nothing is logged, when this refusal is over already. The next attempt may be
    refused as well, and is remembered then.
    """
    kept = await all_refused(store)
    if request.instance not in kept or kept[request.instance].at != request.refused:
        return []
    released = sharing(kept, request.instance)
    actor = f"operator:{request.by}" if request.by else "operator"
    await store.append(
        [_released(request, name) for name in released],
        also=[Remove(REFUSALS.name, released)],
        meta=done_by(actor),
    )
    return released


def _released(request: LogonReleased, instance: str) -> NewEvent:
    event = msgspec.structs.replace(request, instance=instance)
    return new_event(logon_stream(instance), event)
