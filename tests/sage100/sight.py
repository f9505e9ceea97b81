"""What the log says Sage 100 holds, and what it holds, to be compared."""

from __future__ import annotations

from connector.sage100.contract import ENTITIES
from connector.sage100.selection import denied
from connector.sandbox.agent import Company
from eventstore import EventStore
from projections import events as e
from projections.keys import KEY_COLUMNS, record_key

Rows = dict[str, dict[str, str]]


async def view(store: EventStore, entity: str, *, source: str = "acme/ABC") -> Rows:
    """What the log says an entity holds now: key to row, vanished ones left out."""
    held: Rows = {}
    prefix, position = f"sage/{source}/{entity}/", 0
    while page := await store.read(
        position, types=["RecordObserved", "RecordVanished"], limit=5_000
    ):
        position = page[-1].position
        for stored in page:
            if not stored.stream.startswith(prefix):
                continue
            key = stored.stream.removeprefix(prefix)
            event = e.decode(stored.type, stored.data)
            if isinstance(event, e.RecordObserved):
                held[key] = event.row
            else:
                held.pop(key, None)
    return held


def model(company: Company, entity: str) -> Rows:
    """What may be read of Sage 100: key to row, without empty cells."""
    names = KEY_COLUMNS[entity]
    return {
        record_key(entity, [row[name] for name in names]): {
            name: cell.rstrip(" ")
            for name, cell in row.items()
            if cell.rstrip(" ") and not denied(name)
        }
        for row in company.rows(entity)
    }


async def differences(
    store: EventStore, company: Company, *, source: str = "acme/ABC"
) -> dict[str, set[str]]:
    """By entity, the keys that the log and Sage 100 do not hold alike; {} when it is healed."""
    found = {}
    for entity in ENTITIES:
        seen, held = await view(store, entity, source=source), model(company, entity)
        wrong = {key for key in seen.keys() | held.keys() if seen.get(key) != held.get(key)}
        if wrong:
            found[entity] = wrong
    return found
