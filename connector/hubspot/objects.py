"""Carrying out commands on companies, vendors, contacts and invoices.

Look before writing where the record may exist unknown to us, decide per command what that means,
put the attempts into the log, upsert by our own key, record. See `records` for the decisions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connector import rows
from connector.hubspot import advice as advices
from connector.hubspot import journal
from connector.hubspot.answer import Answer
from connector.hubspot.api import UpsertInput
from connector.hubspot.culprit import Input
from connector.hubspot.delivery import Delivery
from connector.hubspot.errors import NoAnswer
from connector.hubspot.holds import types_of
from connector.hubspot.journal import Entry
from connector.hubspot.outcomes import Attempt
from connector.hubspot.records import (
    BY_KEY,
    Adopt,
    Found,
    Record,
    Send,
    must_look,
    records,
    resolve,
    wanted_properties,
)
from connector.hubspot.refusal import Why, why_whole
from connector.hubspot.settle import Settlement, general_verdict, settle, settle_unanswered
from connector.tracing import origin, tracer
from eventstore import WrongVersion
from projections import events, keys, ledger
from projections.mapping.rules import ObjectMapping
from projections.tables import Target
from projections.workspace import Workspace

_CLAIM_TRIES: Final = 5


class Look(msgspec.Struct):
    """What reading by key showed: records found, keys asked for, keys HubSpot will not read.

    `trouble`: why nothing can be said, and nothing must be sent.
    """

    found: dict[str, Record] = {}
    asked: set[str] = set()
    refused: dict[str, Why] = {}
    trouble: Settlement | None = None


class ObjectDelivery(Delivery):
    """Batches of one lane of HubSpot objects."""

    async def deliver(self, lane: str, names: Sequence[str]) -> Settlement:
        """Carry out the open commands of these targets; the verdict of the last answer."""
        store = self.around.store
        mapping = self.around.mapping().objects()[lane]
        orphans = await self.hold_orphans(names)
        work = Workspace()
        names = [name for name in names if name not in orphans]
        await rows.load(store, work, {"target": names})
        docs = {name: journal.target_of(work, name) for name in names}
        context, links = await origin(store, (await journal.emitted(store, docs)).values())
        attributes: dict[str, str | int] = {"hubspot.object": lane, "hubspot.commands": len(names)}
        with tracer.start_as_current_span("write", context, links=links, attributes=attributes):
            look = await self._look(
                mapping, [_key(name) for name in names if must_look(docs[name])]
            )
            if look.trouble is not None:
                return look.trouble
            await self._refuse_namesakes(lane, look)
            await self._park_unreadable(names, look)
            batch = self.around.new_id()
            sends, attempts = await self._claim(mapping, names, look, batch)
            return await self._send(mapping, batch, sends, attempts) if sends else Settlement()

    async def _look(self, mapping: ObjectMapping, wanted: Sequence[str]) -> Look:
        look = Look(found={}, asked=set(), refused={})
        requests = deque([list(wanted)] if wanted else [])
        properties = wanted_properties(mapping)
        hubspot = self.around.hubspot
        while requests:
            asked = requests.popleft()
            try:
                answer = await self.answered(
                    lambda asked=asked: hubspot.batch_read(  # type: ignore[misc]
                        mapping.hubspot_type, mapping.key, asked, properties
                    )
                )
            except NoAnswer as problem:
                look.trouble = settle_unanswered(asked, problem)
                return look
            look.trouble = general_verdict(asked, answer)
            if look.trouble is not None:
                return look
            if answer.ok:
                look.found |= records(answer, mapping)
                look.asked.update(asked)
                continue
            why = why_whole(answer)
            if mapping.key in why.message or "non-unique" in why.message:
                look.trouble = _barred(why, mapping.key)
                return look
            if len(asked) == 1:
                look.refused[asked[0]] = why
            else:
                middle = len(asked) // 2
                requests.extend([asked[:middle], asked[middle:]])
        return look

    async def _refuse_namesakes(self, lane: str, look: Look) -> None:
        """Refuse keys that are another record's of ours to HubSpot, which compares without case."""
        folded = {key.casefold(): key for key in look.found}
        others = {
            key: folded[key.casefold()]
            for key in look.asked - look.found.keys()
            if key.casefold() in folded
        }
        work = Workspace()
        targets = {key: f"{lane}/{other}" for key, other in others.items()}
        await rows.load(self.around.store, work, {"target": targets.values()})
        for key, other in others.items():
            if ledger.exists_in_hubspot(work.get("target", Target, targets[key])):
                look.refused[key] = Why(
                    advices.SAME_BUT_FOR_CASE,
                    f"HubSpot takes the keys {key} and {other} for one: it compares without case.",
                    advices.advice(advices.SAME_BUT_FOR_CASE, owner=look.found[other].hubspot_id),
                )

    async def _park_unreadable(self, names: Sequence[str], look: Look) -> None:
        for name in names:
            why = look.refused.get(_key(name))
            if why is not None:
                await self.park_unsent([name], Settlement(why=why))

    async def _claim(
        self, mapping: ObjectMapping, names: Sequence[str], look: Look, batch: str
    ) -> tuple[dict[str, Input], dict[str, Attempt]]:
        """Decide on what stands in the log now; put adoptions, finds and attempts into it."""
        store = self.around.store
        types = types_of(mapping)
        for _ in range(_CLAIM_TRIES):
            work = Workspace()
            await rows.load(store, work, {"target": names})
            docs = {
                name: doc
                for name in names
                if (doc := journal.target_of(work, name)).state == "pending"
                # What has changed so that it should be looked for first waits for the next turn.
                and (not must_look(doc) or _key(name) in look.asked)
            }
            causes = await journal.emitted(store, docs)
            entries: list[Entry] = []
            sends: dict[str, Input] = {}
            kept: dict[str, dict[str, str]] = {}
            for name, doc in docs.items():
                key = _key(name)
                event: events.Event
                match resolve(doc, look.found.get(key), types):
                    case Adopt(record=record):
                        event = events.RecordAdopted(
                            record.hubspot_id,
                            BY_KEY,
                            {k: v for k, v in record.values.items() if k != mapping.key},
                        )
                    case Found() as found:
                        event = events.CommandSucceeded(
                            doc.command, found.hubspot_id, "found", kept=found.kept
                        )
                    case Send() as send:
                        event = events.CommandSent(doc.command, batch, doc.attempt + 1)
                        sends[key] = Input(
                            key=key,
                            properties={**send.properties, mapping.key: key},
                            trace=f"{batch}-{len(sends)}",
                            hubspot_id=doc.hubspot_id,
                        )
                        kept[name] = send.kept
                entries.append(Entry(name, event, causes[name]))
            if not entries:
                break
            try:
                commit = await journal.append(store, work, entries)
            except WrongVersion:
                continue
            self.count(entries)
            return sends, _attempts(entries, commit.first, kept)
        return {}, {}

    async def _send(
        self,
        mapping: ObjectMapping,
        batch: str,
        sends: Mapping[str, Input],
        attempts: Mapping[str, Attempt],
    ) -> Settlement:
        async def call(asked: Sequence[str]) -> Answer:
            inputs = [
                UpsertInput(key, mapping.key, sends[key].properties, sends[key].trace)
                for key in asked
            ]
            return await self.around.hubspot.batch_upsert(mapping.hubspot_type, inputs)

        async def settled(asked: Sequence[str], answer: Answer) -> Settlement:
            return settle([sends[key] for key in asked], answer, mapping.key)

        return await self.exchange(batch, attempts, call, settled)


def _key(name: str) -> str:
    return keys.split_target(name)[1]


def _barred(why: Why, key_property: str) -> Settlement:
    reason = advices.KEY_PROPERTY
    why = msgspec.structs.replace(
        why, reason=reason, advice=advices.advice(reason, properties=[key_property])
    )
    return Settlement(verdict="bar", why=why)


def _attempts(
    entries: Sequence[Entry], first: int, kept: Mapping[str, dict[str, str]]
) -> dict[str, Attempt]:
    """The attempts among what was appended, by key."""
    return {
        _key(entry.name): Attempt(
            name=entry.name,
            key=_key(entry.name),
            command=entry.event.command,
            attempt=entry.event.attempt,
            sent=first + index,
            kept=kept.get(entry.name, {}),
        )
        for index, entry in enumerate(entries)
        if isinstance(entry.event, events.CommandSent)
    }
