"""Who the candidates of a match are: looked up in HubSpot when they are shown, and kept nowhere.

A parked match names existing HubSpot records by their ids only. Most of them are no record of Sage
100 at all, so nobody would ever erase their names from our log.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from connector import mappings, paging
from connector.errors import ConnectorError, Refused
from connector.hubspot import advice
from connector.hubspot.answer import clean, entries, message_of, text_of
from connector.hubspot.api import BATCH_LIMIT, HubSpot
from connector.reports import ParkedItem
from eventstore import EventStore
from projections import keys

_REASONS: Final = frozenset({advice.MATCH_PROPOSED, advice.MATCH_AMBIGUOUS})
_NAMED: Final = re.compile(r": (\d{1,20}(?:, \d{1,20})*)(?: and \d+ more)?\.$")
_DESCRIBING: Final = ("name", "firstname", "lastname", "domain", "email")
_PATIENCE_S: Final = 10.0


class Candidate(msgspec.Struct, frozen=True):
    """An existing HubSpot record that may be `target`; `shown`: what it is called there."""

    target: str
    hubspot_id: str
    shown: str


class Candidates(msgspec.Struct, frozen=True):
    """Those that HubSpot told of, and why it told nothing of the others."""

    found: list[Candidate] = []
    trouble: str = ""


def named(item: ParkedItem) -> list[str]:
    """The HubSpot ids that a parked match names."""
    said = _NAMED.search(item.message) if item.reason in _REASONS else None
    return said[1].split(", ") if said is not None else []


async def look_up(store: EventStore, hubspot: HubSpot, items: Iterable[ParkedItem]) -> Candidates:
    """What the candidates of these are called in HubSpot, as far as it can be asked."""
    mapping = await mappings.active(store)
    found: list[Candidate] = []
    wanted: dict[str, list[tuple[str, str]]] = {}
    for item in items:
        section = mapping.objects.get(keys.split_target(item.target)[0]) if mapping else None
        if section is not None:
            pairs = wanted.setdefault(section.hubspot_type, [])
            pairs += [(item.target, hubspot_id) for hubspot_id in named(item)]
    try:
        async with asyncio.timeout(_PATIENCE_S):
            for object_type, pairs in wanted.items():
                ids = list(dict.fromkeys(hubspot_id for _, hubspot_id in pairs))
                shown = await _described(hubspot, object_type, ids)
                found += [Candidate(name, one, shown[one]) for name, one in pairs if one in shown]
    except TimeoutError:
        return Candidates(found, f"HubSpot did not answer within {_PATIENCE_S:.0f} s")
    except ConnectorError as problem:
        return Candidates(found, problem.what)
    return Candidates(found)


async def _described(hubspot: HubSpot, object_type: str, ids: list[str]) -> dict[str, str]:
    out: dict[str, str] = {}
    for part in paging.parts(ids, BATCH_LIMIT):
        answer = await hubspot.batch_read(object_type, "", part, _DESCRIBING)
        if not answer.ok:
            raise Refused(message_of(answer))
        for result in entries(answer.body, "results"):
            properties = result.get("properties")
            values = properties if isinstance(properties, dict) else {}
            texts = [text_of(values.get(name)) for name in _DESCRIBING]
            person = " ".join(text for text in texts[1:3] if text)
            told = ", ".join(text for text in (texts[0], person, *texts[3:]) if text)
            out[text_of(result.get("id"))] = clean(told, 120)
    return out
