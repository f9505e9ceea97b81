"""Carrying out commands on companies, vendors, contacts and invoices.

Look before writing where the record may exist unknown to us, decide per command what that means,
put the attempts into the log, write, record. What is new is upserted under our own key; what we
know is updated by that key, never upserted, so that a record which people deleted or merged away
gets no twin behind their backs: HubSpot then says that it is not there, and it is looked for. See
`records` for the decisions.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec

from connector import rows
from connector.hubspot import advice as advices
from connector.hubspot import journal
from connector.hubspot.answer import Answer
from connector.hubspot.api import WriteInput
from connector.hubspot.contested import look_again
from connector.hubspot.culprit import Input
from connector.hubspot.definitions import Live, objections
from connector.hubspot.holds import types_of
from connector.hubspot.journal import Entry
from connector.hubspot.looking import Look, LookingDelivery
from connector.hubspot.outcomes import Attempt
from connector.hubspot.records import (
    Adopt,
    Decision,
    Found,
    Lose,
    Park,
    Send,
    must_look,
    resolve,
)
from connector.hubspot.refusal import Why
from connector.hubspot.settle import Settlement, settle
from connector.hubspot.withholding import LeftOut, withhold, without
from connector.tracing import origin, tracer
from eventstore import WrongVersion
from projections import events, keys
from projections.mapping.rules import ObjectMapping
from projections.tables import Target
from projections.workspace import Workspace

_CLAIM_TRIES: Final = 5
_NOT_MAPPED: Final = Why(
    "NOT_MAPPED",
    "the mapping in force does not say what they are",
    "Apply a mapping that does, or wait until the projector has taken these commands back.",
)


class _Claimed(msgspec.Struct):
    """Attempts that stand in the log, by key: what is sent, and what was left out of it."""

    batch: str
    sends: dict[str, Input]
    attempts: dict[str, Attempt]
    left_out: dict[str, LeftOut]

    def take(self, key: str, send: Send, mapping: ObjectMapping, live: Live | None) -> Send | Park:
        """Add one, without the values that the portal does not allow; Park when none is left."""
        one = Input(
            key=key,
            properties={**send.properties, mapping.key: key},
            trace=f"{self.batch}-{len(self.sends)}",
            hubspot_id=send.hubspot_id,
            how=send.how,
        )
        blames = [] if live is None else objections(one.properties, live, but=mapping.key)
        if blames:
            less = without(one, blames, mapping.hubspot_type, mapping.key)
            if less is None:
                first = blames[0]
                advice = advices.advice(first.code, properties=[first.property])
                return Park(Why(first.code, f"{first.property}: {first.message}", advice))
            one, left_out = less
            self.left_out[key] = {
                name: msgspec.structs.replace(what, unsent=True) for name, what in left_out.items()
            }
        self.sends[key] = one
        return send


class ObjectDelivery(LookingDelivery):
    """Batches of one lane of HubSpot objects."""

    async def deliver(self, lane: str, names: Sequence[str]) -> Settlement:
        """Carry out the open commands of these targets; the verdict of the last answer."""
        store = self.around.store
        mapping = self.around.mapping().objects().get(lane)
        if mapping is None:  # kept by the mapping before; what is open is superseded in a moment
            return Settlement(verdict="hold", why=_NOT_MAPPED)
        orphans = await self.hold_orphans(names)
        work = Workspace()
        names = [name for name in names if name not in orphans]
        await rows.load(store, work, {"target": names})
        docs = {name: journal.target_of(work, name) for name in names}
        context, links = await origin(store, (await journal.emitted(store, docs)).values())
        attributes: dict[str, str | int] = {"hubspot.object": lane, "hubspot.commands": len(names)}
        with tracer.start_as_current_span("write", context, links=links, attributes=attributes):
            look = await self.look(lane, mapping, docs)
            if look.trouble is not None:
                asked = [name for name, doc in docs.items() if must_look(doc)]
                return await self.turned_back(asked, look.trouble) if look.blocked else look.trouble
            await self._park_unreadable(names, look)
            live = await self._definitions(mapping, docs)
            claimed = await self._claim(mapping, names, look, live)
            if not claimed.sends:
                return Settlement(heard=bool(look.asked or look.ids))
            return await self._send(lane, mapping, claimed, look.overruled)

    async def _definitions(self, mapping: ObjectMapping, docs: Mapping[str, Target]) -> Live | None:
        written = [doc.changes for doc in docs.values() if doc.state == "pending"]
        if self.around.definitions is None or not written:
            return None
        return await self.around.definitions.for_writing(
            mapping.hubspot_type, written, self.around.mapping()
        )

    async def _park_unreadable(self, names: Sequence[str], look: Look) -> None:
        for name in names:
            why = look.refused.get(_key(name))
            if why is not None:
                await self.park_unsent([name], Settlement(why=why))

    async def _claim(
        self, mapping: ObjectMapping, names: Sequence[str], look: Look, live: Live | None
    ) -> _Claimed:
        """Decide on what stands in the log now; put all that follows, and attempts, into it."""
        store = self.around.store
        batch = self.around.new_id()
        types = types_of(mapping)
        for _ in range(_CLAIM_TRIES):
            work = Workspace()
            await rows.load(store, work, {"target": names})
            docs = {
                name: doc
                for name in names
                if (doc := journal.target_of(work, name)).state == "pending"
                # What has changed so that it should be looked for first waits for the next turn.
                and look.covers(_key(name), doc)
            }
            causes = await journal.emitted(store, docs)
            entries: list[Entry] = []
            claimed = _Claimed(batch, {}, {}, {})
            decided: dict[str, Send] = {}
            for name, doc in docs.items():
                key = _key(name)
                decision = _decide(doc, key, look, mapping, types)
                if isinstance(decision, Send):
                    decided[name] = decision
                    decision = claimed.take(key, decision, mapping, live)
                entries.append(Entry(name, _event(decision, doc, mapping, batch), causes[name]))
            if not entries:
                break
            try:
                commit = await journal.append(store, work, entries)
            except WrongVersion:
                continue
            self.count(entries)
            claimed.attempts = _attempts(entries, commit.first, decided, claimed.left_out)
            return claimed
        return _Claimed(batch, {}, {}, {})

    async def _send(
        self, lane: str, mapping: ObjectMapping, claimed: _Claimed, decided: Collection[str]
    ) -> Settlement:
        sends, attempts, left_out = claimed.sends, claimed.attempts, claimed.left_out

        async def call(asked: Sequence[str]) -> Answer:
            hubspot = self.around.hubspot
            inputs = [_input(sends[key], mapping.key) for key in asked]
            if sends[asked[0]].how == "create":
                return await hubspot.batch_upsert(mapping.hubspot_type, inputs)
            return await hubspot.batch_update(mapping.hubspot_type, inputs)

        async def settled(asked: Sequence[str], answer: Answer) -> Settlement:
            found = settle([sends[key] for key in asked], answer, mapping.key)
            found = await look_again(
                self.around.matching, lane, mapping, found, sends, decided, self.answered
            )
            found = withhold(found, sends, left_out, mapping.hubspot_type, mapping.key)
            for key in found.resend:
                attempts[key] = msgspec.structs.replace(attempts[key], withheld=left_out[key])
            return found

        def groups(keys_: Sequence[str]) -> list[tuple[str, ...]]:
            alike: dict[str, list[str]] = {}
            for key in keys_:
                alike.setdefault(sends[key].how, []).append(key)
            return [tuple(group) for group in alike.values()]

        return await self.exchange(claimed.batch, attempts, call, settled, kind=lane, groups=groups)


def _key(name: str) -> str:
    return keys.split_target(name)[1]


def _input(one: Input, key_property: str) -> WriteInput:
    if one.how == "take":
        return WriteInput(one.hubspot_id, one.properties, one.trace)
    return WriteInput(one.key, one.properties, one.trace, key_property)


def _decide(
    doc: Target, key: str, look: Look, mapping: ObjectMapping, types: Mapping[str, str]
) -> Decision:
    if not must_look(doc):
        return Send(dict(doc.changes), {}, "update", doc.hubspot_id)
    decision = resolve(doc, look.found.get(key), look.known.get(doc.hubspot_id), mapping, types)
    match = look.matches.get(key)
    if match is not None and isinstance(decision, Send) and decision.how == "create":
        return decision if isinstance(match, Park) and key in look.overruled else match
    if isinstance(decision, Park) and key in look.overruled:
        return Lose("a person has it created anew")
    return decision


def _event(decision: Decision, doc: Target, mapping: ObjectMapping, batch: str) -> events.Event:
    match decision:
        case Adopt(record=record):
            values = {name: value for name, value in record.values.items() if name != mapping.key}
            return events.RecordAdopted(
                record.hubspot_id, decision.rule, values, unkeyed=decision.unkeyed
            )
        case Found() as found:
            return events.CommandSucceeded(
                doc.command,
                found.hubspot_id,
                "found",
                kept=found.kept,
                overtaken=found.overtaken,
            )
        case Lose(why=why):
            return events.RecordLost(doc.hubspot_id, why)
        case Park(why=why):
            return events.CommandParked(
                doc.command, why.reason, why.message, why.advice, why.status
            )
        case Send():
            return events.CommandSent(doc.command, batch, doc.attempt + 1)


def _attempts(
    entries: Sequence[Entry],
    first: int,
    decided: Mapping[str, Send],
    left_out: Mapping[str, LeftOut],
) -> dict[str, Attempt]:
    """The attempts among what was appended, by key."""
    return {
        _key(entry.name): Attempt(
            name=entry.name,
            key=_key(entry.name),
            command=entry.event.command,
            attempt=entry.event.attempt,
            sent=first + index,
            kept=decided[entry.name].kept,
            withheld=left_out.get(_key(entry.name), {}),
            overtaken=decided[entry.name].overtaken,
        )
        for index, entry in enumerate(entries)
        if isinstance(entry.event, events.CommandSent)
    }
