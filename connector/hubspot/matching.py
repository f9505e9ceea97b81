"""Recognising an existing HubSpot record that does not carry our key, before a new one is made.

In this order, each off, proposing or adopting: a property in which the portal keeps the customer
number, the e-mail address, the web domain, the exact name. Only a free record is a candidate, one
that carries no key of ours; several candidates are a person's to choose from, and a value that
several of our own records share leads nowhere. What is found is read again before it counts, and
where HubSpot cannot be asked, or is silent on what it was asked, nothing is created.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from connector.hubspot import advice as advices
from connector.hubspot.api import HubSpot
from connector.hubspot.candidates import Place, seen, telling, values_of
from connector.hubspot.records import Adopt, Park, Record, wanted_properties
from connector.hubspot.refusal import Why
from connector.hubspot.rereading import Reread, reread
from connector.hubspot.searching import Ask
from connector.hubspot.sharing import Sharing, folded
from projections import keys
from projections.mapping.rules import ObjectMapping

Mode = Literal["off", "propose", "adopt"]
Match = Adopt | Park

_READ_AGAIN: Final = 10  # candidates for one record: more are ambiguous whatever they hold by now
_SHOWN: Final = 5
_REMEMBERED: Final = 10_000  # records taken over that may not carry our key yet


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
    """One rule on one kind of object."""

    label: str
    place: Place
    mode: Mode


class Matching:
    """The rules of a deployment at work."""

    def __init__(self, rules: MatchRules, hubspot: HubSpot, sharing: Sharing) -> None:
        self._rules = rules
        self._hubspot = hubspot
        self._sharing = sharing
        self._taken_over: dict[tuple[str, str], str] = {}  # (key property, HubSpot id) to our key
        self._owners: dict[str, set[str]] = {}  # key to the record that has its value after all

    async def find(
        self, lane: str, mapping: ObjectMapping, wanted: Mapping[str, Mapping[str, str]], read: Ask
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
            judged = await self._judge(lane, mapping, rule, values, read) if values else {}
            if judged is None:
                return {}
            out |= judged
        return out

    async def may_be(
        self, lane: str, mapping: ObjectMapping, owners: Mapping[str, tuple[str, str]], read: Ask
    ) -> set[str]:
        """Keys of new contacts that are better looked for again than written without an address:
        the record that has it is free, and may be theirs.

        `owners`: key to (address, HubSpot id of the record that has it).
        """
        rule = next((one for one in self._of(lane) if one.place.trait == "email"), None)
        if rule is None:
            return set()
        asked = {
            key: owner
            for key, (address, owner) in owners.items()
            if owner and not await self._shared(lane, rule, [folded("email", address)])
        }
        properties = telling(mapping, rule.place)
        kind = mapping.hubspot_type
        again = await reread(self._hubspot, kind, asked.values(), properties, read)
        hopeful = set()
        for key, owner in asked.items():
            record = None if again is None else again.found.get(owner)
            unknown = again is None or owner in again.unsaid
            address = folded("email", owners[key][0])
            if unknown or (
                record is not None and self._fits(mapping, rule, key, {address}, record)
            ):
                self._owners[key] = {owner}
                hopeful.add(key)
        return hopeful

    # ------------------------------------------------------------ the rules

    def _of(self, lane: str) -> list[_Rule]:
        rules = self._rules
        found: list[_Rule] = []
        if lane == "companies":
            number = Place(rules.customer_number_property, None)
            found.append(_Rule("customer number", number, rules.customer_number))
        if lane == "contacts":
            found.append(_Rule("e-mail", Place("email", "email"), rules.email))
        if lane in {"companies", "vendors"}:
            found.append(_Rule("domain", Place("domain", "domain"), rules.domain))
            found.append(_Rule("name", Place("name", "name"), rules.name))
        return [rule for rule in found if rule.mode != "off" and rule.place.property]

    def _values(self, rule: _Rule, key: str, properties: Mapping[str, str]) -> set[str]:
        place = rule.place
        if place.trait is not None:
            return {folded(place.trait, properties.get(place.property, ""))} - {""}
        numbers = {key}
        if not self._rules.several_companies:
            numbers.add(keys.plain(key.partition(":")[2]))
        return {number.casefold() for number in numbers}

    async def _shared(self, lane: str, rule: _Rule, values: Iterable[str]) -> bool:
        """Whether several of our own records have one of these."""
        trait = rule.place.trait
        if trait is None:
            return False
        return any([await self._sharing.is_shared(lane, trait, value) for value in values])

    # ------------------------------------------------------------ judging

    async def _judge(
        self,
        lane: str,
        mapping: ObjectMapping,
        rule: _Rule,
        values: Mapping[str, set[str]],
        read: Ask,
    ) -> dict[str, Match] | None:
        """What one rule says of these keys, by the values they look for; None when it cannot."""
        place, kind = rule.place, mapping.hubspot_type
        asked = sorted({one for group in values.values() for one in group})
        shown = await seen(self._hubspot, mapping, place, asked, read)
        if shown is None:
            return None
        if isinstance(shown, Why):
            return {key: Park(_cannot_look(rule, shown)) for key in values}
        out: dict[str, Match] = {}
        likely: dict[str, set[str]] = {}
        for key, group in values.items():
            found = [one for value in group for one in shown.records.get(value, {}).values()]
            free = _once(one for one in found if self._is_free(mapping, key, one))
            ids = {one.hubspot_id for one in free} | self._owners.pop(key, set())
            more = not group.isdisjoint(shown.more)
            if not (ids or more) or await self._shared(lane, rule, group):
                continue
            if more or len(ids) > _READ_AGAIN:
                out[key] = _ask_a_person(mapping, rule, key, free, more=more)
            else:
                likely[key] = ids
        properties = list(dict.fromkeys([*wanted_properties(mapping), *telling(mapping, place)]))
        again = await reread(self._hubspot, kind, _all(likely.values()), properties, read)
        if again is None:
            return None
        for key, ids in likely.items():
            match = self._match(mapping, rule, key, values[key], ids, again)
            if match is not None:
                out[key] = match
        return out

    def _match(
        self,
        mapping: ObjectMapping,
        rule: _Rule,
        key: str,
        group: set[str],
        ids: set[str],
        again: Reread,
    ) -> Match | None:
        """What is to be done about the candidates with these ids, as they are now."""
        unsaid = [again.unsaid[one] for one in sorted(ids) if one in again.unsaid]
        if unsaid:
            return Park(_cannot_look(rule, unsaid[0]))
        records = _once(again.found[one] for one in sorted(ids) if one in again.found)
        free = [one for one in records if self._fits(mapping, rule, key, group, one)]
        if not free:
            return None
        if len(free) > 1 or rule.mode != "adopt":
            return _ask_a_person(mapping, rule, key, free)
        self._remember(mapping, key, free[0])
        ours = frozenset(wanted_properties(mapping))
        values = {name: value for name, value in free[0].values.items() if name in ours}
        return Adopt(Record(free[0].hubspot_id, values), rule.label, unkeyed=True)

    def _fits(
        self, mapping: ObjectMapping, rule: _Rule, key: str, group: set[str], record: Record
    ) -> bool:
        """Whether a record is free, and has one of these values."""
        same = not group.isdisjoint(values_of(rule.place, record))
        return same and self._is_free(mapping, key, record)

    def _is_free(self, mapping: ObjectMapping, key: str, record: Record) -> bool:
        """Whether a record is nobody's; one that `key` itself has taken over is free to it."""
        place = (mapping.key, record.hubspot_id)
        return not record.values.get(mapping.key) and self._taken_over.get(place, key) == key

    def _remember(self, mapping: ObjectMapping, key: str, record: Record) -> None:
        """A record taken over carries our key only with the next write: no second time."""
        self._taken_over[mapping.key, record.hubspot_id] = key
        if len(self._taken_over) > _REMEMBERED:
            del self._taken_over[next(iter(self._taken_over))]


def _once(records: Iterable[Record]) -> list[Record]:
    return list({one.hubspot_id: one for one in records}.values())


def _all(groups: Iterable[set[str]]) -> list[str]:
    return sorted({one for group in groups for one in group})


def _ask_a_person(
    mapping: ObjectMapping, rule: _Rule, key: str, free: Sequence[Record], *, more: bool = False
) -> Park:
    """The candidates, for somebody to choose from; `more`: there may be others."""
    only = len(free) == 1 and not more
    reason = advices.MATCH_PROPOSED if only else advices.MATCH_AMBIGUOUS
    # Ids alone: what stands here stays in this record's stream, whoever is erased from theirs.
    shown = ", ".join(one.hubspot_id for one in free[:_SHOWN])
    if more:
        message = (
            f"More HubSpot records than can be looked through have the same {rule.label} as {key}"
            + (f", among them {shown}." if shown else ".")
        )
    else:
        others = f" and {len(free) - _SHOWN} more" if len(free) > _SHOWN else ""
        message = (
            f"{len(free)} HubSpot {'record has' if only else 'records have'} the same "
            f"{rule.label} as {key}: {shown}{others}."
        )
    owner = free[0].hubspot_id if free else ""
    return Park(Why(reason, message, advices.advice(reason, properties=[mapping.key], owner=owner)))


def _cannot_look(rule: _Rule, why: Why) -> Why:
    """Nothing is created on the strength of a look that could not be made."""
    message = f"HubSpot cannot be asked for an existing record by {rule.label}: {why.message}"
    advice = advices.advice(advices.MATCH_FAILED, properties=[rule.place.property])
    return Why(advices.MATCH_FAILED, message, advice, why.status)
