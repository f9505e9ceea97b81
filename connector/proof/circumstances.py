"""What may explain the differences of a page of records, as the read models stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from eventstore import EventStore
from projections import keys, tieout
from projections.receivables import EVERYBODY, SourceRows
from projections.tables import FORCED, ORDINARY, Account, Fanout, Target
from projections.tieout import Circumstances
from projections.workspace import decode


class Standing(msgspec.Struct, frozen=True):
    """How far things were when a take began: the projector's place, changes on their way to many
    targets, and companies that wait for a person.
    """

    projected: int = 0
    fanouts: list[Fanout] = []
    frozen: frozenset[str] = frozenset()


async def circumstances(
    store: EventStore,
    standing: Standing,
    source_rows: SourceRows,
    code: str,
    kind: str,
    page: Mapping[str, Target | None],
    unread: Mapping[str, str],
    *,
    half_read: bool,
) -> dict[str, Circumstances]:
    """By external key, of records of one kind and company; `unread`: its invoices' unread cells;
    `half_read`: the first pass over its invoices has not come to its end.
    """
    names = {key: keys.target(kind, key) for key in page}
    customers = {key: keys.customer_of(key) for key in page}
    found = await store.rows(
        {
            "dirty": [mark + name for name in names.values() for mark in (ORDINARY, FORCED)],
            "deferred": list(names.values()),
            "account": sorted(set(customers.values())),
        }
    )
    listed: Collection[str] = {key[2:] for key in found["dirty"]} | found["deferred"].keys()
    accounts: dict[str, Account] = {
        key: decode("account", row.value) for key, row in found["account"].items()
    }
    touched = source_rows.touched
    for_all = touched.get(f"{code}:{EVERYBODY}", 0) > standing.projected
    no_day = not source_rows.source(code).as_of
    cells: dict[str, tuple[tuple[str, str], ...]] = {}
    for item in sorted(unread.items()):
        of = item[0] if kind == "invoices" else keys.customer_of(item[0])
        cells[of] = (*cells.get(of, ()), item)
    return {
        key: Circumstances(
            doc=doc,
            account=accounts.get(customers[key]),
            held=code in standing.frozen,
            undecided=no_day
            or names[key] in listed
            or tieout.is_spread(standing.fanouts, names[key]),
            unprojected=for_all or touched.get(customers[key], 0) > standing.projected,
            unread=cells.get(key, ()),
            half_read=half_read and kind == "companies",
        )
        for key, doc in page.items()
    }
