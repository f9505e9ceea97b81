"""Looking whether HubSpot still has records of ours, because it did not know one as a link's end.

What was deleted is to be created anew, and what people merged or took our key from is to be found
again, before anything can be linked to it. Only what HubSpot was asked for and answered counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from connector import rows
from connector.hubspot import journal
from connector.hubspot.journal import Entry
from connector.hubspot.looking import Look, LookingDelivery
from connector.hubspot.records import BY_KEY, Adopt, Lose, resolve
from eventstore import WrongVersion
from projections import events, keys
from projections.mapping.rules import ObjectMapping
from projections.tables import Target
from projections.workspace import Workspace

_TRIES: Final = 5


async def look_for_lost(delivery: LookingDelivery, named: Mapping[str, str]) -> set[str]:
    """Look whether HubSpot still has these records where the ledger says; those of which another
    attempt will know more. `named`: target to the id that HubSpot did not know.

    What is gone is noted as lost, and what lives on under another id as ours: both are decided
    on again. Of what is just being written, and where HubSpot does not answer, nothing is known;
    what has another id by now, or none, somebody else has found out about.
    """
    moved: set[str] = set()
    for lane in dict.fromkeys(keys.split_target(name)[0] for name in named):
        group = {name: one for name, one in named.items() if keys.split_target(name)[0] == lane}
        moved |= await _moved_of(delivery, lane, group)
    return moved


async def _moved_of(delivery: LookingDelivery, lane: str, group: Mapping[str, str]) -> set[str]:
    store, mapping = delivery.around.store, delivery.around.mapping().objects()[lane]
    look: Look | None = None
    for _ in range(_TRIES):
        work = Workspace()
        await rows.load(store, work, {"target": group})
        docs = {name: journal.target_of(work, name) for name in group}
        found_out = {name for name, doc in docs.items() if doc.hubspot_id != group[name]}
        asked = {
            name: msgspec.structs.replace(doc, changes={}, fill=(), expected={}, unknown=True)
            for name, doc in docs.items()
            if doc.state != "sent" and name not in found_out
        }
        if look is None:
            look = await delivery.look(lane, mapping, asked)
        if look.trouble is not None:
            break
        entries = [
            Entry(name, event, None)
            for name, doc in asked.items()
            if (event := _moved(doc, keys.split_target(name)[1], look, mapping)) is not None
        ]
        try:
            await journal.append(store, work, entries)
        except WrongVersion:
            continue  # one of them was decided on meanwhile; what HubSpot said holds still
        delivery.count(entries)
        return (docs.keys() - asked.keys()) | {entry.name for entry in entries}
    return set(group)


def _moved(doc: Target, key: str, look: Look, mapping: ObjectMapping) -> events.Event | None:
    """What is to be noted of a record that HubSpot does not have under the id we know.

    Nothing where HubSpot was not asked for all of it, or would not say: silence is no loss.
    """
    if not look.covers(key, doc):
        return None
    record = look.found.get(key)
    rule = BY_KEY
    if record is None:
        decision = resolve(doc, None, look.known.get(doc.hubspot_id), mapping, {})
        if isinstance(decision, Lose):
            return events.RecordLost(doc.hubspot_id, decision.why)
        if not isinstance(decision, Adopt):
            return None
        record, rule = decision.record, decision.rule
    elif record.hubspot_id == doc.hubspot_id:
        return None
    values = {name: value for name, value in record.values.items() if name != mapping.key}
    return events.RecordAdopted(record.hubspot_id, rule, values, unkeyed=rule != BY_KEY)
