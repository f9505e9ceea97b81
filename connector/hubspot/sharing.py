"""Which values several of our own records have in common: those that identify none of them.

Forty branches of one firm have one web domain, and five people one address for invoices. Such a
value must not lead a new record to an existing one of HubSpot, or whoever comes first takes what
may be another's. Counted over everything Sage 100 has shown, when somebody asks, and kept a while.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Literal

from connector import paging
from eventstore import EventStore
from projections import contact, values
from projections.tables import Account, SourceRow
from projections.workspace import decode

Trait = Literal["email", "domain", "name"]

KEPT_S: Final = 600.0


def folded(trait: Trait, value: str) -> str:
    """A value as it is compared: blanks and case make no difference."""
    return " ".join(value.split()).casefold() if trait == "name" else value.strip().casefold()


class Sharing:
    """Counts of values over the records of each kind."""

    def __init__(self, store: EventStore, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock`: monotonic seconds."""
        self._store = store
        self._clock = clock
        self._counted: dict[tuple[str, Trait], tuple[float, Counter[str]]] = {}

    async def is_shared(self, lane: str, trait: Trait, value: str) -> bool:
        """Whether more than one of our companies, vendors or contacts has this value."""
        counted_at, counts = self._counted.get((lane, trait), (-float("inf"), Counter()))
        if self._clock() - counted_at > KEPT_S:
            counts = await self._count(lane, trait)
            self._counted[lane, trait] = (self._clock(), counts)
        return counts[folded(trait, value)] > 1

    async def _count(self, lane: str, trait: Trait) -> Counter[str]:
        if lane == "contacts":
            return await self._addresses()
        counts: Counter[str] = Counter()
        vendors = lane == "vendors"
        async for _, doc in self._rows("vendor" if vendors else "account"):
            row = doc.row or {}
            if trait == "name":
                value = row.get("VendorName" if vendors else "CustomerName", "")
            else:
                value = values.domain(row.get("URLAddress", ""), row.get("EmailAddress", ""))
            counts[folded(trait, value)] += 1
        return counts

    async def _addresses(self) -> Counter[str]:
        """E-mail addresses; a customer's own contact may have only the customer's."""
        found: dict[str, str] = {}
        async for key, person in self._rows("contact"):
            assert isinstance(person, SourceRow)  # noqa: S101 - the table holds nothing else
            found[key] = _first(person.row)
        async for key, account in self._rows("account"):
            assert isinstance(account, Account)  # noqa: S101 - the table holds nothing else
            own = contact.primary_key(key, account)
            if own is not None and not found.get(own):
                found[own] = _first(account.row or {})
        return Counter(folded("email", address) for address in found.values())

    async def _rows(self, table: str) -> AsyncIterator[tuple[str, Any]]:
        async for row in paging.each(self._store, table):
            yield row.key, decode(table, row.value)


def _first(row: dict[str, str]) -> str:
    addresses = values.emails(row.get("EmailAddress", ""))
    return addresses[0] if addresses else ""
