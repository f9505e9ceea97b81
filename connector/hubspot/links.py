"""Carrying out associations: up to 2,000 pairs of one kind per call, each one accounted for.

Making an association twice is harmless, yet one of unknown outcome, or passed over in silence, is
read back first, so that the log says what happened and not what was hoped for. Where HubSpot does
not know an end, that record was deleted or merged: it is looked for, and the association waits
until there is one again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connector import rows
from connector.hubspot import journal
from connector.hubspot.answer import Answer
from connector.hubspot.api import LINK_READ_LIMIT
from connector.hubspot.associations import Link, Pair, linked, read_links, settle_links
from connector.hubspot.errors import NoAnswer
from connector.hubspot.journal import Entry
from connector.hubspot.looking import LookingDelivery
from connector.hubspot.outcomes import Attempt
from connector.hubspot.settle import (
    Outcome,
    Refused,
    Settlement,
    Undone,
    general_verdict,
    settle_unanswered,
)
from connector.tracing import origin, tracer
from eventstore import WrongVersion
from projections import events, keys, ledger
from projections.tables import Target
from projections.workspace import Workspace

_NO_SUCH_END: Final = frozenset({"INVALID_IDENTIFIER", "INVALID_OBJECT_IDS", "OBJECT_NOT_FOUND"})
_CLAIM_TRIES: Final = 5
_MAX_PAGES: Final = 50  # of one read back; what is beyond stays unknown


class LinkDelivery(LookingDelivery):
    """Batches of the associations lane."""

    async def deliver(self, names: Sequence[str]) -> Settlement:
        """Carry out the open commands of these associations; the first verdict that is not good.

        A kind of association that the token may not write does not keep the others.
        """
        orphans = await self.hold_orphans(names)
        kinds: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name in names:
            if name not in orphans:
                left, right = keys.parents(name)
                kinds[keys.split_target(left)[0], keys.split_target(right)[0]].append(name)
        held = Settlement()
        for (left, right), group in kinds.items():
            settlement = await self._deliver_kind(left, right, group)
            if settlement.verdict in {"stop", "pause", "spare"}:
                return settlement
            if settlement.verdict == "hold":
                held = settlement
        return held

    async def _deliver_kind(self, left: str, right: str, names: list[str]) -> Settlement:
        store = self.around.store
        objects = self.around.mapping().objects()
        types = objects[left].hubspot_type, objects[right].hubspot_type
        work, links = await self._links(names)
        docs = {name: journal.target_of(work, name) for name in links}
        context, origins = await origin(store, (await journal.emitted(store, docs)).values())
        attributes: dict[str, str | int] = {
            "hubspot.object": f"{left}>{right}",
            "hubspot.commands": len(names),
        }
        with tracer.start_as_current_span("link", context, links=origins, attributes=attributes):
            doubtful = [links[name] for name, doc in docs.items() if doc.unknown]
            there, trouble = await self._read_back(types, doubtful)
            if trouble is not None and trouble.verdict:
                if trouble.verdict == "bar":
                    await self.park_unsent(names, trouble)
                return trouble
            batch = self.around.new_id()
            claimed, attempts = await self._claim(names, there, batch)
            if not claimed:
                return Settlement()
            return await self._send(types, batch, claimed, attempts)

    async def _links(self, names: Sequence[str]) -> tuple[Workspace, dict[str, Link]]:
        """The loaded rows, and the pair of HubSpot ids of each association."""
        work = Workspace()
        ends = {name: keys.parents(name) for name in names}
        wanted = {*names, *(end for pair in ends.values() for end in pair)}
        await rows.load(self.around.store, work, {"target": wanted})
        links = {}
        for name, (left, right) in ends.items():
            a, b = work.get("target", Target, left), work.get("target", Target, right)
            if a is not None and b is not None and all(map(ledger.exists_in_hubspot, (a, b))):
                links[name] = Link(name, (a.hubspot_id, b.hubspot_id))
        return work, links

    async def _claim(
        self, names: Sequence[str], there: set[Pair], batch: str
    ) -> tuple[dict[str, Link], dict[str, Attempt]]:
        store = self.around.store
        for _ in range(_CLAIM_TRIES):
            work, links = await self._links(names)
            docs = {
                name: doc
                for name in links
                if (doc := journal.target_of(work, name)).state == "pending"
            }
            causes = await journal.emitted(store, docs)
            entries = []
            for name, doc in docs.items():
                event: events.Event = events.CommandSent(doc.command, batch, doc.attempt + 1)
                if doc.unknown and links[name].pair in there:
                    event = events.CommandSucceeded(doc.command, links[name].hubspot_id, "found")
                entries.append(Entry(name, event, causes[name]))
            if not entries:
                break
            try:
                commit = await journal.append(store, work, entries)
            except WrongVersion:
                continue
            self.count(entries)
            attempts = {
                entry.name: Attempt(
                    name=entry.name,
                    key=entry.name,
                    command=entry.event.command,
                    attempt=entry.event.attempt,
                    sent=commit.first + index,
                    linking=True,
                )
                for index, entry in enumerate(entries)
                if isinstance(entry.event, events.CommandSent)
            }
            return {name: links[name] for name in attempts}, attempts
        return {}, {}

    async def _send(
        self,
        types: tuple[str, str],
        batch: str,
        links: Mapping[str, Link],
        attempts: Mapping[str, Attempt],
    ) -> Settlement:
        async def call(asked: Sequence[str]) -> Answer:
            pairs = dict.fromkeys(links[name].pair for name in asked)
            return await self.around.hubspot.associate_default(*types, list(pairs))

        async def settle(asked: Sequence[str], answer: Answer) -> Settlement:
            settled = settle_links([links[name] for name in asked], answer)
            settled = await self._look_for_ends(settled)
            return await self._look_again(types, settled, links)

        return await self.exchange(batch, attempts, call, settle)

    async def _look_for_ends(self, settled: Settlement) -> Settlement:
        """Put off what HubSpot refused because an end was deleted or merged meanwhile."""
        refused = [
            one.key
            for one in settled.outcomes
            if isinstance(one, Refused) and one.why.reason in _NO_SUCH_END
        ]
        if not refused:
            return settled
        moved = await self.look_for_lost({end for name in refused for end in keys.parents(name)})
        outcomes = tuple(
            Undone(one.key, "end_moved", one.why.message, one.why.status)
            if isinstance(one, Refused) and not moved.isdisjoint(keys.parents(one.key))
            else one
            for one in settled.outcomes
        )
        return msgspec.structs.replace(settled, outcomes=outcomes)

    async def _look_again(
        self, types: tuple[str, str], settled: Settlement, links: Mapping[str, Link]
    ) -> Settlement:
        """Read back what the answer passed over: linked after all, or surely not."""
        silent = [
            links[one.key]
            for one in settled.outcomes
            if isinstance(one, Undone) and one.category == "unaccounted"
        ]
        if not silent:
            return settled
        there, trouble = await self._read_back(types, silent)
        if trouble is not None:
            return settled  # of unknown outcome, as it stands
        outcomes: list[Outcome] = []
        for one in settled.outcomes:
            if isinstance(one, Undone) and one.category == "unaccounted":
                link = links[one.key]
                sure = msgspec.structs.replace(one, unknown=False)
                outcomes.append(linked(link) if link.pair in there else sure)
            else:
                outcomes.append(one)
        return msgspec.structs.replace(settled, outcomes=tuple(outcomes))

    async def _read_back(
        self, types: tuple[str, str], links: Sequence[Link]
    ) -> tuple[set[Pair], Settlement | None]:
        """Which pairs HubSpot holds; or a settlement when that cannot be said."""
        there: set[Pair] = set()
        todo = list(dict.fromkeys((link.pair[0], "") for link in links))
        for _ in range(_MAX_PAGES):
            if not todo:
                break
            asked, todo = todo[:LINK_READ_LIMIT], todo[LINK_READ_LIMIT:]
            keys_asked = [key for key, _ in asked]
            try:
                answer = await self.answered(
                    lambda asked=asked: self.around.hubspot.read_associations(*types, asked)  # type: ignore[misc]
                )
            except NoAnswer as problem:
                return set(), settle_unanswered(keys_asked, problem)
            trouble = general_verdict(keys_asked, answer)
            if trouble is not None or not answer.ok:
                return set(), trouble or Settlement()
            pairs, more = read_links(answer)
            there |= pairs
            todo += more
        return there, None
