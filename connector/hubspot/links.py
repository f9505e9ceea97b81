"""Carrying out associations: up to 2,000 pairs of one kind per call, each one accounted for.

Making an association twice is harmless, and so is taking it away; yet one of unknown outcome, or
passed over in silence, is read back first (see `link_reads`), so that the log says what happened
and not what was hoped for. Where HubSpot does not know an end, that record was deleted or merged:
it is looked for, and the association waits until there is one again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connector import paging, rows
from connector.hubspot import journal
from connector.hubspot.answer import Answer, message_of
from connector.hubspot.api import LINK_READ_LIMIT
from connector.hubspot.associations import Link, linked, settle_links
from connector.hubspot.culprit import parted
from connector.hubspot.journal import Entry
from connector.hubspot.link_reads import ReadBack, read_back
from connector.hubspot.looking import LookingDelivery
from connector.hubspot.lost import look_for_lost
from connector.hubspot.outcomes import Attempt
from connector.hubspot.refusal import why_whole
from connector.hubspot.scopes import pair_of
from connector.hubspot.settle import (
    Outcome,
    Refused,
    Settlement,
    Undone,
    Written,
    general_verdict,
    unaccounted,
)
from connector.tracing import origin, tracer
from eventstore import WrongVersion
from projections import events, keys, ledger
from projections.tables import Target
from projections.workspace import Workspace

_NO_SUCH_END: Final = frozenset({"INVALID_IDENTIFIER", "INVALID_OBJECT_IDS", "OBJECT_NOT_FOUND"})
_CLAIM_TRIES: Final = 5


def _is_parting(doc: Target) -> bool:
    """Whether the open command takes a link away."""
    return doc.changes.get("linked") == ""


def _thousands(names: Sequence[str]) -> list[tuple[str, ...]]:
    return [tuple(part) for part in paging.parts(names, LINK_READ_LIMIT)]


def _left(link: Link, answer: Answer, found: ReadBack) -> Outcome:
    """What became of a link that was to be taken away, as the read back shows it."""
    if found.denies(link):
        return Written(link.key, link.hubspot_id, created=False)
    if found.shows(link) and not answer.ok:
        return Refused(link.key, why_whole(answer))
    said = "" if answer.ok else message_of(answer)
    silent = unaccounted(link.key, answer.status, said)
    return msgspec.structs.replace(silent, unknown=not found.shows(link))


def _together(total: Settlement, one: Settlement, kind: str) -> Settlement:
    """What was found of several kinds: who is refused, who was answered, and whether to go on."""
    refused = total.refused
    if one.verdict == "hold" and one.why is not None:
        refused = refused | {kind: one.why}
    # That HubSpot has no such association has been settled for those that were sent.
    chosen = one if one.verdict not in {"", "bar"} else total
    return msgspec.structs.replace(
        chosen,
        heard=total.heard or one.heard,
        wrote=tuple(dict.fromkeys((*total.wrote, *one.wrote))),
        refused=refused,
    )


class LinkDelivery(LookingDelivery):
    """Batches of the associations lane."""

    async def deliver(self, names: Sequence[str]) -> Settlement:
        """Carry out the open commands of these associations; what was found of each kind.

        A kind of association that the token may not write does not keep the others.
        """
        orphans = await self.hold_orphans(names)
        work = Workspace()
        await rows.load(self.around.store, work, {"target": names})
        kinds: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
        for name in names:
            if name not in orphans:
                left, right = keys.parents(name)
                parting = _is_parting(journal.target_of(work, name))
                ends = keys.split_target(left)[0], keys.split_target(right)[0]
                kinds[*ends, parting].append(name)
        total = Settlement()
        for (left, right, parting), group in kinds.items():
            one = await self._deliver_kind(left, right, group, parting=parting)
            total = _together(total, one, pair_of(left, right))
            if total.verdict in {"stop", "pause", "spare"}:
                break
        return total

    async def _deliver_kind(
        self, left: str, right: str, names: list[str], *, parting: bool
    ) -> Settlement:
        store = self.around.store
        types = self._type(left), self._type(right)
        work, links = await self._links(names)
        docs = {name: journal.target_of(work, name) for name in links}
        context, origins = await origin(store, (await journal.emitted(store, docs)).values())
        attributes: dict[str, str | int] = {
            "hubspot.object": f"{left}>{right}",
            "hubspot.commands": len(names),
        }
        with tracer.start_as_current_span("link", context, links=origins, attributes=attributes):
            doubtful = [links[name] for name, doc in docs.items() if doc.unknown]
            found = await read_back(self, types, doubtful)
            if found.trouble is not None:
                if found.trouble.verdict == "bar":
                    await self.park_unsent(names, found.trouble)
                return found.trouble
            batch = self.around.new_id()
            claimed, attempts = await self._claim(names, found, batch, parting=parting)
            if not claimed:
                return Settlement(heard=bool(doubtful))
            kind = pair_of(left, right)
            if parting:
                return await self._part(kind, types, batch, claimed, attempts)
            return await self._send(kind, types, batch, claimed, attempts)

    def _type(self, kind: str) -> str:
        """HubSpot's type of one of our objects; deals are HubSpot's own."""
        section = self.around.mapping().objects().get(kind)
        return kind if section is None else section.hubspot_type

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
        self, names: Sequence[str], found: ReadBack, batch: str, *, parting: bool
    ) -> tuple[dict[str, Link], dict[str, Attempt]]:
        store = self.around.store
        for _ in range(_CLAIM_TRIES):
            work, links = await self._links(names)
            docs = {
                name: doc
                for name in links
                if (doc := journal.target_of(work, name)).state == "pending"
                and _is_parting(doc) == parting
            }
            causes = await journal.emitted(store, docs)
            entries = []
            for name, doc in docs.items():
                event: events.Event = events.CommandSent(doc.command, batch, doc.attempt + 1)
                link = links[name]
                if doc.unknown and (found.denies(link) if parting else found.shows(link)):
                    event = events.CommandSucceeded(doc.command, link.hubspot_id, "found")
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
                    unlinking=parting,
                )
                for index, entry in enumerate(entries)
                if isinstance(entry.event, events.CommandSent)
            }
            return {name: links[name] for name in attempts}, attempts
        return {}, {}

    async def _send(
        self,
        kind: str,
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
            settled = await self._look_for_ends(settled, links)
            return await self._look_again(types, settled, links)

        return await self.exchange(batch, attempts, call, settle, kind=kind)

    async def _part(
        self,
        kind: str,
        types: tuple[str, str],
        batch: str,
        links: Mapping[str, Link],
        attempts: Mapping[str, Attempt],
    ) -> Settlement:
        """Take links away. HubSpot says nothing of each, so what is left is read back."""

        async def call(asked: Sequence[str]) -> Answer:
            pairs = dict.fromkeys(links[name].pair for name in asked)
            return await self.around.hubspot.archive_associations(*types, list(pairs))

        async def settle(asked: Sequence[str], answer: Answer) -> Settlement:
            trouble = None if answer.ok else general_verdict(asked, answer)
            if trouble is not None:
                return trouble
            if not answer.ok and len(asked) > 1:
                first, second = parted(asked)
                return Settlement(again=(tuple(first), tuple(second)), sought=True)
            found = await read_back(self, types, [links[name] for name in asked])
            outcomes = tuple(_left(links[name], answer, found) for name in asked)
            if found.trouble is not None:
                return msgspec.structs.replace(found.trouble, outcomes=outcomes)
            return Settlement(outcomes)

        return await self.exchange(batch, attempts, call, settle, kind=kind, groups=_thousands)

    async def _look_for_ends(self, settled: Settlement, links: Mapping[str, Link]) -> Settlement:
        """Put off what HubSpot refused because an end was deleted or merged meanwhile."""
        refused = [
            one.key
            for one in settled.outcomes
            if isinstance(one, Refused) and one.why.reason in _NO_SUCH_END
        ]
        if not refused:
            return settled
        ours = self.around.mapping().objects()
        named = {
            end: one
            for name in refused
            for end, one in zip(keys.parents(name), links[name].pair, strict=True)
            if keys.split_target(end)[0] in ours
        }
        moved = await look_for_lost(self, named)
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
        found = await read_back(self, types, silent)
        outcomes: list[Outcome] = []
        for one in settled.outcomes:
            if isinstance(one, Undone) and one.category == "unaccounted":
                link = links[one.key]
                sure = msgspec.structs.replace(one, unknown=not found.denies(link))
                outcomes.append(linked(link) if found.shows(link) else sure)
            else:
                outcomes.append(one)
        return msgspec.structs.replace(settled, outcomes=tuple(outcomes))
