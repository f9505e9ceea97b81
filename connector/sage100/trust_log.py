"""Refused certificates in the log: each once, with all that an administrator needs.

A round repeats what it meets every quarter of an hour; the log tells it once a day for as long as
nothing changes. What counts as the same: the problem and the certificate.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from connector.new_events import new_event
from connector.sage100.errors import TlsRefused
from eventstore.types import EventStore, NewEvent
from projections.events import TrustRefused, decode

_REPEAT_AFTER: Final = timedelta(days=1)
_CLOCK: Final = "%Y-%m-%dT%H:%M:%SZ"


def trust_stream(instance: str) -> str:
    """Where an instance's TrustRefused go."""
    return f"audit/trust/{instance}"


def refused(instance: str, error: TlsRefused) -> TrustRefused:
    """The event for this error."""
    shown = error.certificate
    return TrustRefused(
        instance=instance,
        endpoint=error.call.endpoint,
        wsdl=error.wsdl,
        host=error.host,
        problem=error.problem,
        message=error.what,
        remedy=error.remedy,
        clock=_utc(error.seen_at),
        subject=shown.subject if shown else "",
        names=list(shown.names) if shown else [],
        issuer=shown.issuer if shown else "",
        not_before=_utc(shown.not_before) if shown else "",
        not_after=_utc(shown.not_after) if shown else "",
        fingerprint=shown.fingerprint if shown else "",
    )


class TrustLog:
    """What the log already holds of one instance's refusals, read on from where it was left."""

    def __init__(self, store: EventStore, instance: str) -> None:
        self._store = store
        self._instance = instance
        self._version = 0
        self._told: dict[tuple[str, str], datetime] = {}

    async def news(self, errors: Iterable[TlsRefused]) -> list[NewEvent]:
        """Events for those of these errors that were not told within a day."""
        stream = trust_stream(self._instance)
        for stored in await self._store.history(stream, after=self._version):
            self._version = stored.version
            event = decode(stored.type, stored.data)
            if isinstance(event, TrustRefused):
                at = datetime.strptime(event.clock, _CLOCK).replace(tzinfo=UTC)
                self._told[event.problem, event.fingerprint] = at
        news: dict[tuple[str, str], TrustRefused] = {}
        for error in errors:
            event = refused(self._instance, error)
            key = event.problem, event.fingerprint
            told = self._told.get(key)
            # A clock that was set back must not silence anything.
            if told is None or not told <= error.seen_at < told + _REPEAT_AFTER:
                news.setdefault(key, event)
        return [new_event(stream, one) for one in news.values()]


def _utc(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).strftime(_CLOCK)
