"""The rows of a page beside what the log knows of them. Most have not changed, and cost little.

A sweep reads in Sage 100's order of keys, which is nearly ours: what is known from the page's
first row on is loaded in one go, and a row whose fingerprint is found there is that very record
unchanged, for a fingerprint covers the key columns too. It becomes no record, no event, no row.
What is left is new, changed, or stands elsewhere in our order: it is looked up by key.
"""

from __future__ import annotations

from typing import Final

from connector.sage100.absent import shown_again
from connector.sage100.contract import Page
from connector.sage100.fingerprint import fingerprints
from connector.sage100.observe import Observation, Origin, Record, observe, records
from connector.sage100.selection import Selection
from eventstore.types import EventStore
from projections.tables import Fingerprint
from projections.workspace import DECODERS, decode

_SLACK: Final = 50  # known records between the page's rows that Sage 100 does not have any more
_WINDOWS: Final = 4  # scans at most, where it has very many of those


async def compare(
    store: EventStore, origin: Origin, selection: Selection, page: Page, cursor: str
) -> Observation:
    """What is new in this page, whose columns are those selected; `cursor` as in `observe`."""
    if not page.rows:
        return Observation([], [], [])
    prints = fingerprints(page.columns, page.rows)
    unchanged: list[str] = []
    left = list(zip(page.rows, prints, strict=True))
    found = None
    if origin.via == "sweep":
        (first,) = records(origin, selection, page.columns, left[:1])
        known = await _known_from(store, origin.table_key(selection.entity, ""), first.key, page)
        keys = [known.get(one) for one in prints]
        unchanged = [key for key in keys if key is not None]
        settled = set(unchanged)
        found = records(
            origin,
            selection,
            page.columns,
            [one for one, key in zip(left, keys, strict=True) if key is None],
        )
        if any(record.key in settled for record in found):
            # A record comes twice, and changes in between: they are taken in their order.
            unchanged, found = [], None
    if found is None:
        found = records(origin, selection, page.columns, left)
    seen = observe(origin, found, await _known(store, found), page.server_time, cursor)
    seen.keys += unchanged
    seen.unchanged += len(unchanged)
    seen.again = await shown_again(store, origin.table_key(selection.entity, ""), seen.keys)
    return seen


async def _known(store: EventStore, found: list[Record]) -> dict[str, Fingerprint]:
    """What is known of these records, by their keys."""
    if not found:
        return {}
    rows = (await store.rows({"fingerprint": {one.key for one in found}})).get("fingerprint", {})
    return {key: decode("fingerprint", row.value) for key, row in rows.items()}


async def _known_from(store: EventStore, place: str, first: str, page: Page) -> dict[str, str]:
    """Fingerprint to key of the records from `first` on, as many as the page has rows."""
    known: dict[str, str] = {}
    limit = len(page.rows) + _SLACK
    after = first[:-1]  # next to nothing lies between
    decode_row = DECODERS["fingerprint"].decode
    for _ in range(_WINDOWS):
        window = await store.scan("fingerprint", prefix=place, after=after, limit=limit)
        for row in window:
            print_: Fingerprint = decode_row(row.value)
            if not print_.vanished:
                known[print_.fingerprint] = row.key
        if len(known) >= len(page.rows) or len(window) < limit:
            break
        after = window[-1].key
    return known
