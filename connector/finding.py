"""Which record a person means: by key, number, HubSpot id or a part of its name.

What is known of a record to people comes first: its key with or without the company code, its
number with or without the division, an invoice's number, its id in HubSpot, each alone or after
its kind (`companies/123`). A part of the name is what is left to try. Several records may go by
the same: they are told apart by their names.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from connector import documents, paging
from connector.naming import by_name
from eventstore import EventStore
from projections import keys, line
from projections.columns import ENTITY_OF
from projections.tables import Account, Bill, PlainText, SourceRow
from projections.workspace import decode

# Tables whose keys are the numbers people know a record by, and what it is in HubSpot.
_NUMBERED: Final = {"account": "companies", "vendor": "vendors"}
_IN_WORDS: Final = {
    "companies": "customer",
    "vendors": "vendor",
    "contacts": "contact",
    "invoices": "invoice",
    "line_items": "line of an invoice",
}
_PAGE: Final = 1000


class Choice(msgspec.Struct, frozen=True):
    """A record that may be meant: its target, its name in Sage 100, and what it is."""

    key: str
    name: str
    kind: str


async def find(store: EventStore, key: str) -> list[str]:
    """Targets that a person may mean by `key`, but for a part of a name."""
    wanted = key.strip()
    kind, slash, rest = wanted.partition("/")
    if not slash or kind not in {*ENTITY_OF, "associations"}:
        return await _find(store, wanted, ENTITY_OF)
    if exact := await _known(store, [wanted]):
        return exact
    # Vendors are companies too, where HubSpot counts.
    for kinds in ([kind], ["vendors"] if kind == "companies" else []):
        if found := await _find(store, rest, kinds):
            return found
    return []


async def meant(store: EventStore, key: str) -> list[str]:
    """What `find` finds, else the records with this in their name; of a customer and its own
    contact, which go by one key, the customer.
    """
    names = await find(store, key) or await by_name(store, key)
    customers = {name.partition("/")[2] for name in names if name.startswith("companies/")}
    own = {f"contacts/{external}" for external in customers}
    return [name for name in names if name not in own] if len(names) == 2 else names


async def choices(store: EventStore, names: Sequence[str]) -> list[Choice]:
    """The records with their names, some hundreds in a few steps."""
    out: list[Choice] = []
    for part in paging.parts(names, _PAGE):
        parts = [(name, *keys.split_target(name)) for name in part]
        wanted: dict[str, set[str]] = {"account": {keys.customer_of(key) for _, _, key in parts}}
        wanted["vendor"] = {key for _, kind, key in parts if kind == "vendors"}
        wanted["contact"] = {key for _, kind, key in parts if kind == "contacts"}
        wanted["bill"] = {keys.bill_of(key) for _, kind, key in parts if kind == "invoices"}
        wanted["detail"] = {keys.detail_of(key) for _, kind, key in parts if kind == "line_items"}
        rows = await store.rows({table: of for table, of in wanted.items() if of})
        docs = {
            table: {row.key: decode(table, row.value) for row in found.values()}
            for table, found in rows.items()
        }
        out += [Choice(name, _name(kind, key, docs), _IN_WORDS[kind]) for name, kind, key in parts]
    return out


def _name(kind: str, key: str, docs: dict[str, dict[str, object]]) -> str:
    account = docs.get("account", {}).get(keys.customer_of(key))
    customer = (account.row or {}).get("CustomerName", "") if isinstance(account, Account) else ""
    row: dict[str, str] = {}
    table = {"vendors": "vendor", "contacts": "contact", "line_items": "detail"}.get(kind, "")
    place = keys.detail_of(key) if kind == "line_items" else key
    found = docs.get(table, {}).get(place)
    if isinstance(found, SourceRow):
        row = found.row
    match kind:
        case "vendors":
            return row.get("VendorName", "")
        case "contacts":
            return row.get("ContactName", "") or customer
        case "line_items":
            return line.facts(key, row)["line.name"] if row else ""
        case "invoices":
            bill = docs.get("bill", {}).get(keys.bill_of(key))
            row = bill.rows.get(keys.sequence_of(key), {}) if isinstance(bill, Bill) else {}
            told = [customer, row.get("InvoiceDate", "")]
            return ", ".join(text for text in told if text)
        case _:
            return customer


async def _known(store: EventStore, names: Sequence[str]) -> list[str]:
    """Those of the targets that the log knows."""
    rows = (await store.rows({"target": names})).get("target", {})
    return [name for name in names if name in rows]


async def _find(store: EventStore, key: str, kinds: Collection[str]) -> list[str]:
    if exact := await _known(store, [f"{kind}/{key}" for kind in kinds]):
        return exact
    aliases = documents.each(store, "alias", PlainText, f"{key.lower()}>")
    names = {alias.text async for _, alias in aliases}
    codes = [row.key async for row in paging.each(store, "source")]
    names.update(await _of_number(store, key, codes))
    found = sorted(name for name in names if name.partition("/")[0] in kinds)
    return found or await _known(
        store, [f"{kind}/{code}:{key}" for kind in kinds for code in codes]
    )


async def _of_number(store: EventStore, number: str, codes: Sequence[str]) -> list[str]:
    """Customers and vendors of this number (01-ABF, or ABF in whichever division, in whatever
    case) in any of the companies.
    """
    wanted = {keys.escape(number), keys.escape(number.upper())}
    external = [keys.external_key(code, one) for code in codes for one in wanted]
    found = await store.rows(dict.fromkeys(_NUMBERED, external))
    if any(found[table] for table in _NUMBERED):
        return [f"{kind}/{key}" for table, kind in _NUMBERED.items() for key in found[table]]
    out: list[str] = []
    for table, kind in _NUMBERED.items():
        divisions = [one for code in codes for one in await _divisions(store, table, code)]
        whole = [f"{division}-{one}" for division in divisions for one in wanted]
        rows = (await store.rows({table: whole})).get(table, {})
        out += [f"{kind}/{key}" for key in rows]
    return out


async def _divisions(store: EventStore, table: str, code: str) -> list[str]:
    """`ABC:01` for each division that has a record: one step each, however many records."""
    out: list[str] = []
    prefix = keys.external_key(code, "")
    after = ""
    while page := await store.scan(table, prefix=prefix, after=after, limit=1):
        division, dash, _ = page[0].key.partition("-")
        out += [division] if dash else []
        after = f"{division}." if dash else page[0].key  # "." comes next to "-"
    return out
