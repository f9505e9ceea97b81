"""Trying again what HubSpot would not take of a record, once it would.

A value is left out for another record's sake or because the portal has no place for it, and either
may end without a word in the log. So it is looked into now and then, and before each single run;
what would be taken by now is sent again, by a ReplayRequested that the service asks for.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from connector import documents, replaying, withheld
from connector.hubspot.api import HubSpot
from connector.hubspot.definitions import Definitions
from connector.hubspot.yielded import allowed, claims, let_go
from connector.keeping import every
from eventstore import EventStore
from projections.mapping.rules import Mapping
from projections.tables import PlainText, Target

EVERY_S: Final = 1800.0
_WHY: Final = "HubSpot would take what was left out"


class SecondLook:
    """The looks of one store."""

    def __init__(
        self,
        store: EventStore,
        hubspot: HubSpot,
        mapping: Callable[[], Mapping],
        definitions: Definitions,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock`: monotonic seconds."""
        self._store = store
        self._hubspot = hubspot
        self._mapping = mapping
        self._definitions = definitions
        self._clock = clock

    async def look(self) -> int:
        """Ask for what HubSpot would take by now; of how many records. No call without need."""
        docs = {name: doc async for name, doc in withheld.ledgers(self._store)}
        docs |= await self._behind_others()
        objects = self._mapping().objects()
        # What an earlier mapping wrote and this one does not know is left as it is.
        docs = {name: doc for name, doc in docs.items() if name.partition("/")[0] in objects}
        if not docs:
            return 0
        wanted = [claim for name, doc in docs.items() for claim in claims(name, doc)]
        names = await let_go(self._hubspot, objects, wanted) if wanted else []
        by_lane: dict[str, dict[str, Target]] = defaultdict(dict)
        for name, doc in docs.items():
            by_lane[name.partition("/")[0]][name] = doc
        for lane, group in by_lane.items():
            names += await allowed(self._definitions, objects[lane], group)
        names = list(dict.fromkeys(names))
        await replaying.request_replay(self._store, _WHY, names, dry_run=False, by="service")
        return len(names)

    async def keep(self, stop: asyncio.Event) -> None:
        """Look now and then until `stop`."""
        what = "looking again at what HubSpot would not take"
        await every(EVERY_S, self.look, stop, what=what, first_s=EVERY_S, clock=self._clock)

    async def _behind_others(self) -> dict[str, Target]:
        """Targets parked whole because another record has what they want."""
        names: dict[str, None] = {}
        async for _, blocked in documents.each(self._store, "blocked", PlainText):
            names[blocked.text] = None
        docs = await documents.some(self._store, "target", Target, names)
        return {name: doc for name, doc in docs.items() if doc.state == "parked"}
