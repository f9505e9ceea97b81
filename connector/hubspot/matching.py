"""Recognising an existing HubSpot record that does not carry our key, before a new one is made.

In this order, each off, proposing or adopting: a property in which the portal keeps the customer
number, the e-mail address, the web domain, the exact name. The address is read by, which does not
lag and knows secondary ones; the rest is searched for, 100 values a call. Only a free record is a
candidate, one that carries no key of ours; several candidates are a person's to choose from, and a
value that several of our own records share leads nowhere. Whatever is found by the index is read
again before it is written, and where HubSpot cannot be asked nothing is created.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from connector.hubspot import advice as advices
from connector.hubspot.answer import Answer, clean, entries, text_of
from connector.hubspot.api import BATCH_LIMIT, SEARCH_BODY_LIMIT, SEARCH_LIMIT, HubSpot
from connector.hubspot.records import Adopt, Park, Record, record_of, wanted_properties
from connector.hubspot.refusal import Why, why_whole
from connector.hubspot.sharing import Sharing, Trait, folded
from projections import keys
from projections.mapping.rules import ObjectMapping

Mode = Literal["off", "propose", "adopt"]
Read = Callable[[Callable[[], Awaitable[Answer]]], Awaitable[Answer | None]]
Match = Adopt | Park

_DESCRIBING: Final = ("name", "domain", "email", "firstname", "lastname")
_SECONDARY: Final = "hs_additional_emails"
_MOST_PAGES: Final = 10
_SHOWN: Final = 5


class MatchRules(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with a candidate found by each rule.

    `several_companies`: customer numbers may repeat; then only the whole key is a number.
    """

    customer_number: Mode = "off"
    customer_number_property: str = ""
    email: Mode = "off"
    domain: Mode = "off"
    name: Mode = "off"
    several_companies: bool = False


class _Rule(msgspec.Struct, frozen=True):
    """One rule on one kind of object. `property`: where HubSpot has the value."""

    label: str
    property: str
    mode: Mode
    trait: Trait | None


class Matching:
    """The rules of a deployment at work."""

    def __init__(self, rules: MatchRules, hubspot: HubSpot, sharing: Sharing) -> None:
        self._rules = rules
        self._hubspot = hubspot
        self._sharing = sharing

    async def find(
        self,
        lane: str,
        mapping: ObjectMapping,
        wanted: Mapping[str, Mapping[str, str]],
        read: Read,
    ) -> dict[str, Match]:
        """Key to what a rule says of it; `wanted`: key to the properties of the new record.

        `read` makes a call and gives None when nothing can be said; then the answer is incomplete.
        """
        out: dict[str, Match] = {}
        for rule in self._of(lane):
            values = {
                key: found
                for key, properties in wanted.items()
                if key not in out and (found := self._values(rule, key, properties))
            }
            asked = sorted({one for group in values.values() for one in group})
            if not asked:
                continue
            records = await self._records(rule, mapping, asked, read)
            if records is None:
                return {}
            if isinstance(records, Why):
                out |= {key: Park(_cannot_look(rule, records)) for key in values}
                continue
            for key, group in values.items():
                match = await self._match(lane, mapping, rule, key, group, records)
                if match is not None:
                    out[key] = match
        return await self._read_again(mapping, out, read)

    async def _read_again(
        self, mapping: ObjectMapping, matches: Mapping[str, Match], read: Read
    ) -> dict[str, Match]:
        """The same, each record to be adopted as it is now, once, and only if it is still free."""
        out: dict[str, Match] = {
            key: match for key, match in matches.items() if isinstance(match, Park)
        }
        adopts = {key: match for key, match in matches.items() if isinstance(match, Adopt)}
        fresh: dict[str, Record] = {}
        ids = list(dict.fromkeys(match.record.hubspot_id for match in adopts.values()))
        properties = wanted_properties(mapping)
        for part in _parts(ids, BATCH_LIMIT, 10**9):
            answer = await read(
                lambda part=part: self._hubspot.batch_read(  # type: ignore[misc]
                    mapping.hubspot_type, "", part, properties
                )
            )
            if answer is None or not answer.ok:
                return {}
            found = [record_of(one, properties) for one in entries(answer.body, "results")]
            fresh |= {one.hubspot_id: one for one in found if one is not None}
        for key, match in adopts.items():
            record = fresh.pop(match.record.hubspot_id, None)  # no second time
            if record is not None and not record.values.get(mapping.key):
                out[key] = msgspec.structs.replace(match, record=record)
        return out

    def _of(self, lane: str) -> list[_Rule]:
        rules = self._rules
        found: list[_Rule] = []
        if lane == "companies":
            place = rules.customer_number_property
            found.append(_Rule("customer number", place, rules.customer_number, None))
        if lane == "contacts":
            found.append(_Rule("e-mail", "email", rules.email, "email"))
        if lane in {"companies", "vendors"}:
            found.append(_Rule("domain", "domain", rules.domain, "domain"))
            found.append(_Rule("name", "name", rules.name, "name"))
        return [rule for rule in found if rule.mode != "off" and rule.property]

    def _values(self, rule: _Rule, key: str, properties: Mapping[str, str]) -> set[str]:
        if rule.trait is not None:
            return {folded(rule.trait, properties.get(rule.property, ""))} - {""}
        numbers = {key}
        if not self._rules.several_companies:
            numbers.add(keys.plain(key.partition(":")[2]))
        return {number.casefold() for number in numbers}

    async def _match(
        self,
        lane: str,
        mapping: ObjectMapping,
        rule: _Rule,
        key: str,
        group: set[str],
        records: Mapping[str, Mapping[str, Record]],
    ) -> Match | None:
        found = {one.hubspot_id: one for value in group for one in records.get(value, {}).values()}
        free = [one for one in found.values() if not one.values.get(mapping.key)]
        if not free:
            return None
        if rule.trait is not None:
            for value in group:
                if await self._sharing.is_shared(lane, rule.trait, value):
                    return None
        if len(free) == 1 and rule.mode == "adopt":
            return Adopt(free[0], rule.label, unkeyed=True)
        reason = advices.MATCH_PROPOSED if len(free) == 1 else advices.MATCH_AMBIGUOUS
        shown = "; ".join(f"{one.hubspot_id} ({_described(one)})" for one in free[:_SHOWN])
        more = f" and {len(free) - _SHOWN} more" if len(free) > _SHOWN else ""
        message = (
            f"{len(free)} HubSpot {'record has' if len(free) == 1 else 'records have'} the same "
            f"{rule.label} as {key}: {shown}{more}."
        )
        advice = advices.advice(reason, properties=[mapping.key], owner=free[0].hubspot_id)
        return Park(Why(reason, message, advice))

    async def _records(
        self, rule: _Rule, mapping: ObjectMapping, asked: Sequence[str], read: Read
    ) -> dict[str, dict[str, Record]] | Why | None:
        """Value to the records that have it, by id; why HubSpot refuses to say, or None."""
        properties = list(dict.fromkeys([mapping.key, rule.property, *_DESCRIBING]))
        out: dict[str, dict[str, Record]] = {}
        if rule.trait == "email":
            for part in _parts(asked, SEARCH_LIMIT, 10**9):
                answer = await read(
                    lambda part=part: self._hubspot.batch_read(  # type: ignore[misc]
                        mapping.hubspot_type, "email", part, [*properties, _SECONDARY]
                    )
                )
                if answer is None or not answer.ok:
                    return None if answer is None else why_whole(answer)
                _add(answer, rule, properties, out)
            return out
        room = SEARCH_BODY_LIMIT - len(msgspec.json.encode(properties)) - 300
        for part in _parts(asked, SEARCH_LIMIT, room):
            after = ""
            for _ in range(_MOST_PAGES):
                answer = await read(
                    lambda part=part, after=after: self._hubspot.search(  # type: ignore[misc]
                        mapping.hubspot_type, rule.property, part, properties, after
                    )
                )
                if answer is None or not answer.ok:
                    return None if answer is None else why_whole(answer)
                _add(answer, rule, properties, out)
                after = _next(answer)
                if not after:
                    break
        return out


def _add(
    answer: Answer, rule: _Rule, properties: Sequence[str], out: dict[str, dict[str, Record]]
) -> None:
    """Sort the records of an answer by the value they have, as we compare it."""
    trait = rule.trait
    for result in entries(answer.body, "results"):
        record = record_of(result, [*properties, _SECONDARY])
        if record is None:
            continue
        texts = [record.values.get(rule.property, "")]
        if trait == "email":
            texts += record.values.get(_SECONDARY, "").split(";")
        for text in texts:
            value = text.strip().casefold() if trait is None else folded(trait, text)
            if value:
                out.setdefault(value, {})[record.hubspot_id] = record


def _cannot_look(rule: _Rule, why: Why) -> Why:
    """Nothing is created on the strength of a search that could not be made."""
    message = f"HubSpot cannot be searched for an existing record by {rule.label}: {why.message}"
    advice = advices.advice(advices.MATCH_FAILED, properties=[rule.property])
    return Why(advices.MATCH_FAILED, message, advice, why.status)


def _next(answer: Answer) -> str:
    paging = answer.body.get("paging") if isinstance(answer.body, dict) else None
    following = paging.get("next") if isinstance(paging, dict) else None
    return text_of(following.get("after")) if isinstance(following, dict) else ""


def _parts(values: Iterable[str], most: int, room: int) -> list[list[str]]:
    """The values in groups of so many and so many characters as JSON; longer ones left out."""
    out: list[list[str]] = []
    used = room
    for value in values:
        size = len(msgspec.json.encode(value).decode()) + 1
        if size > room:
            continue
        if not out or used + size > room or len(out[-1]) == most:
            out.append([])
            used = 0
        out[-1].append(value)
        used += size
    return out


def _described(record: Record) -> str:
    person = [record.values.get(name, "") for name in ("firstname", "lastname")]
    texts = [record.values.get("name", ""), " ".join(person).strip()]
    texts += [record.values.get(name, "") for name in ("domain", "email")]
    return clean(", ".join(text for text in texts if text), 120)
