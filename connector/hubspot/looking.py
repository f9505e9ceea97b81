"""Reading what HubSpot holds of the records that commands are for, before anything is sent.

By our key first. One that we knew and that the key does not find is looked for by its HubSpot id,
which tells a deleted record from a merged one and from one whose key somebody removed. One that we
never knew may be recognised by something else (see `matching`). What a person has been asked about
and then had sent again is not asked about again.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec

from connector import paging, rows
from connector.hubspot import advice as advices
from connector.hubspot.answer import Answer
from connector.hubspot.api import BATCH_LIMIT
from connector.hubspot.delivery import Delivery
from connector.hubspot.errors import NoAnswer
from connector.hubspot.matching import Match
from connector.hubspot.passage import is_blocked
from connector.hubspot.records import (
    MERGED_IDS,
    Park,
    Record,
    must_look,
    record_of,
    records,
    records_by_id,
    wanted_properties,
)
from connector.hubspot.refusal import Why, why_whole
from connector.hubspot.settle import Settlement, general_verdict, settle_unanswered
from projections import events, keys, ledger
from projections.mapping.rules import ObjectMapping
from projections.tables import Target
from projections.workspace import Workspace

# Reasons of parking that are questions to a person, and how a command that answers one begins.
_QUESTIONS: Final = frozenset({advices.MATCH_PROPOSED, advices.MATCH_AMBIGUOUS, advices.MERGED})
_BY_PERSON: Final = ("replay: keys", "replay: parked")
_AT_ONCE: Final = 4  # records that are read one by one
_FOREIGN_CAPITALS: Final = (
    "HubSpot record {owner} has this key in other capitals, and no record of Sage 100 that we know "
    "has those. Correct them in HubSpot to {key}, or clear the key there. Then: ml-connector retry "
    "same_but_for_case"
)


class Look(msgspec.Struct):
    """What reading showed: records by key, the keys asked for, those that HubSpot will not read.

    `known`: records by the HubSpot ids asked for (`ids`). `matches`: what a rule says of a key
    that nothing was found by. `overruled`: keys of which a person has said to go ahead.
    `trouble`: why nothing can be said, and nothing must be sent; `blocked`: for it did not get
    through to HubSpot.
    """

    found: dict[str, Record] = {}
    asked: set[str] = set()
    refused: dict[str, Why] = {}
    known: dict[str, Record] = {}
    ids: set[str] = set()
    matches: dict[str, Match] = {}
    overruled: set[str] = set()
    trouble: Settlement | None = None
    blocked: bool = False

    def covers(self, key: str, doc: Target) -> bool:
        """Whether all was looked at that deciding on this target's command needs."""
        if not must_look(doc):
            return True
        if key not in self.asked:
            return False
        return key in self.found or doc.hubspot_id in self.ids or not doc.hubspot_id


class LookingDelivery(Delivery):
    """A delivery that looks before it writes."""

    async def look(self, lane: str, mapping: ObjectMapping, docs: Mapping[str, Target]) -> Look:
        """Read the records of those targets (by name) that must be looked at."""
        look = Look()
        wanted = {_key(name): doc for name, doc in docs.items() if must_look(doc)}
        properties = wanted_properties(mapping, wanted.values())
        await self._by_key(mapping, list(wanted), properties, look)
        if look.trouble is not None:
            return look
        gone: dict[str, list[str]] = {}
        for key, doc in wanted.items():
            if doc.hubspot_id and key in look.asked and key not in look.found:
                gone.setdefault(doc.hubspot_id, []).append(key)
        await self._by_id(mapping, gone, properties, look)
        if look.trouble is None:
            _recognise(mapping, wanted, look)
            await self._refuse_namesakes(lane, wanted, look)
            await self._by_rules(lane, mapping, wanted, look)
            await self._by_person(lane, mapping, wanted, look)
        return look

    async def _by_rules(
        self, lane: str, mapping: ObjectMapping, wanted: Mapping[str, Target], look: Look
    ) -> None:
        """Recognise records that are new to us by something else than our key."""
        if self.around.matching is None:
            return
        new = {
            key: doc.changes
            for key, doc in wanted.items()
            if not doc.hubspot_id and key in look.asked - look.found.keys() - look.refused.keys()
        }

        async def read(call: Callable[[], Awaitable[Answer]]) -> Answer | None:
            return await self._read(list(new), call, look)

        if new:
            look.matches = await self.around.matching.find(lane, mapping, new, read)

    async def _by_person(
        self, lane: str, mapping: ObjectMapping, wanted: Mapping[str, Target], look: Look
    ) -> None:
        """Find the commands by which a person answered what they had been asked."""
        asked = {key for key, match in look.matches.items() if isinstance(match, Park)}
        for key, doc in wanted.items():
            known = look.known.get(doc.hubspot_id)
            if known is not None and known.values.get(mapping.key) and key not in look.found:
                asked.add(key)
        streams = {key: keys.hubspot_stream(f"{lane}/{key}") for key in asked}
        histories = await self.around.store.histories(streams.values()) if streams else {}
        for key, stream in streams.items():
            was_asked = False
            for one in histories[stream]:
                event = events.decode(one.type, one.data)
                if isinstance(event, events.CommandParked):
                    was_asked = event.reason in _QUESTIONS
                elif isinstance(event, events.CommandEmitted):
                    answered = was_asked and event.reason.startswith(_BY_PERSON)
                    if event.command == wanted[key].command and answered:
                        look.overruled.add(key)

    async def _by_key(
        self, mapping: ObjectMapping, wanted: Sequence[str], properties: Sequence[str], look: Look
    ) -> None:
        requests = deque(paging.parts(wanted, BATCH_LIMIT))
        hubspot = self.around.hubspot
        while requests:
            asked = requests.popleft()
            answer = await self._read(
                asked,
                lambda asked=asked: hubspot.batch_read(  # type: ignore[misc]
                    mapping.hubspot_type, mapping.key, asked, properties
                ),
                look,
            )
            if answer is None:
                return
            if answer.ok:
                look.found |= records(answer, mapping.key, properties)
                look.asked.update(asked)
                continue
            why = why_whole(answer)
            if mapping.key in why.message or "non-unique" in why.message:
                look.trouble = _barred(why, mapping.key)
                return
            if len(asked) == 1:
                look.refused[asked[0]] = why
            else:
                middle = len(asked) // 2
                requests.extend([asked[:middle], asked[middle:]])

    async def _by_id(
        self,
        mapping: ObjectMapping,
        wanted: Mapping[str, Sequence[str]],
        properties: Sequence[str],
        look: Look,
    ) -> None:
        """Read records by HubSpot's id (to the keys that they are wanted for)."""
        asked = [*properties, MERGED_IDS]
        hubspot = self.around.hubspot
        for part in paging.parts(wanted, BATCH_LIMIT):
            answer = await self._read(
                part,
                lambda part=part: hubspot.batch_read(  # type: ignore[misc]
                    mapping.hubspot_type, "", part, asked
                ),
                look,
            )
            if answer is None:
                return
            found = records_by_id(answer, properties) if answer.ok else {}
            shown = [record_id for record_id in part if record_id in found]
            look.ids.update(shown)
            look.known |= {record_id: found[record_id] for record_id in shown}
            # Only a record asked for alone is also found by the id of one merged into it.
            silent = [record_id for record_id in part if record_id not in found]
            refused = await self._each_alone(mapping.hubspot_type, silent, properties, look)
            if look.trouble is not None:
                return
            for record_id, why in refused.items():
                look.refused |= dict.fromkeys(wanted[record_id], why)

    async def _each_alone(
        self, object_type: str, ids: Sequence[str], properties: Sequence[str], look: Look
    ) -> dict[str, Why]:
        """Read records one by one, a few at a time, until there is trouble; what was refused."""
        refused: dict[str, Why] = {}
        left = iter(ids)

        async def read() -> None:
            for record_id in left:  # of all of them together: each takes the next
                why = await self._alone(object_type, record_id, properties, look)
                if look.trouble is not None:
                    return
                if why is not None:
                    refused[record_id] = why

        async with asyncio.TaskGroup() as group:
            for _ in ids[:_AT_ONCE]:
                group.create_task(read())
        return refused

    async def _alone(
        self, object_type: str, record_id: str, properties: Sequence[str], look: Look
    ) -> Why | None:
        """Read one record, which may be gone; why not, where HubSpot will not say."""
        hubspot = self.around.hubspot
        answer = await self._read(
            [record_id],
            lambda: hubspot.read_record(object_type, record_id, properties),
            look,
            missing={404},
        )
        if answer is None:
            return None
        if not answer.ok and answer.status != 404:
            return why_whole(answer)
        look.ids.add(record_id)
        if answer.ok and (record := record_of(answer.body, properties)) is not None:
            look.known[record_id] = record
        return None

    async def _read(
        self,
        asked: Sequence[str],
        call: Callable[[], Awaitable[Answer]],
        look: Look,
        *,
        missing: Collection[int] = (),
    ) -> Answer | None:
        """The answer, or None with the trouble noted."""
        try:
            answer = await self.answered(call)
        except NoAnswer as problem:
            look.trouble, look.blocked = settle_unanswered(asked, problem), False
            return None
        if answer.status in missing and isinstance(answer.body, dict):
            return answer
        trouble = general_verdict(asked, answer)
        if trouble is None:
            return answer  # what another call met at the same time stands
        look.trouble, look.blocked = trouble, is_blocked(answer)
        return None

    async def _refuse_namesakes(self, lane: str, wanted: Mapping[str, Target], look: Look) -> None:
        """Refuse keys that are another record's to HubSpot, which compares without case.

        Unless it is the record we know: then only the capitals of its key were changed there.
        """
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
            record, rival = look.found[other], work.get("target", Target, targets[key])
            if record.hubspot_id == wanted[key].hubspot_id and not ledger.exists_in_hubspot(rival):
                look.found[key] = record
                continue
            advice = advices.advice(advices.SAME_BUT_FOR_CASE, owner=record.hubspot_id)
            if rival is None:
                advice = _FOREIGN_CAPITALS.format(owner=record.hubspot_id, key=key)
            message = f"HubSpot takes the keys {key} and {other} for one: it compares without case."
            look.refused[key] = Why(advices.SAME_BUT_FOR_CASE, message, advice)


def _recognise(mapping: ObjectMapping, wanted: Mapping[str, Target], look: Look) -> None:
    """What the id found and the key did not, though it carries the key: HubSpot left it out."""
    for key, doc in wanted.items():
        known = look.known.get(doc.hubspot_id)
        carried = "" if known is None else known.values.get(mapping.key, "")
        if known is not None and carried.casefold() == key.casefold():
            look.found.setdefault(carried, known)


def _key(name: str) -> str:
    return keys.split_target(name)[1]


def _barred(why: Why, key_property: str) -> Settlement:
    reason = advices.KEY_PROPERTY
    why = msgspec.structs.replace(
        why, reason=reason, advice=advices.advice(reason, properties=[key_property])
    )
    return Settlement(verdict="bar", why=why)
