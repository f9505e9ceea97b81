"""Recognising a record under another key: what stays the same when Sage 100 renumbers it.

"Delete and Change Customers" and the expansion of invoice numbers rewrite keys and leave no
trace, so that one record seems to vanish and another to appear. Each has a likeness, a digest of
what the utility leaves alone. Those of records that newly appear are kept until the second
complete sweep after, beside the poller's other work; those of records that vanish are looked up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from connector import paging
from eventstore.types import EventStore, Remove, Row, Table

# Likeness to the newcomer that has it. A work table, no fold of the log.
NEWCOMERS: Final = Table("sweep_new")

_PAGE: Final = 500
_AMOUNTS: Final = ("TaxableAmt", "NonTaxableAmt", "FreightAmt", "SalesTaxAmt")
_INVOICE: Final = ("InvoiceType", "InvoiceDate", *_AMOUNTS)
_PARTNER: Final = ("AddressLine1", "City", "ZipCode", "TelephoneNo", "EmailAddress")

# entity -> (columns that must hold something, columns that must be the same, in words)
_LIKENESSES: Final[dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...]]] = {
    "AR_Customer": ((("CustomerName",), ("CustomerName", *_PARTNER), "name and address"),),
    "AP_Vendor": ((("VendorName",), ("VendorName", *_PARTNER), "name and address"),),
    "AR_CustomerContact": (
        (("ContactName",), ("ContactCode", "ContactName", "EmailAddress"), "code and name"),
    ),
    "AR_Invoice": (
        # The number has changed …
        (
            ("InvoiceDate",),
            ("ARDivisionNo", "CustomerNo", *_INVOICE),
            "customer, date and amounts",
        ),
        # … or that of its customer.
        (
            ("InvoiceNo", "InvoiceDate"),
            ("InvoiceNo", "HeaderSeqNo", *_INVOICE),
            "number, date and amounts",
        ),
    ),
}


class Newcomer(msgspec.Struct, frozen=True, array_like=True):
    """A record that appeared when so many sweeps had been completed."""

    key: str
    sweeps: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Newcomer)


def likenesses(place: str, entity: str, row: Mapping[str, str]) -> dict[str, str]:
    """The row's likenesses to what they say in words. `place`: "ABC/AR_Customer/"."""
    found = {}
    for number, (needed, columns, words) in enumerate(_LIKENESSES.get(entity, ())):
        if all(row.get(name) for name in needed):
            content = _encoder.encode([number, *(row.get(name, "") for name in columns)])
            found[place + blake2b(content, digest_size=16).hexdigest()] = words
    return found


def newcomer(key: str, sweeps: int, likeness: str) -> Row:
    """The row that remembers a newcomer."""
    return Row(likeness, _encoder.encode(Newcomer(key, sweeps)))


async def twins(
    store: EventStore, asked: Sequence[Mapping[str, str]], sweeps: int
) -> list[tuple[str, str, str] | None]:
    """For each record's likenesses: (likeness, the newcomer's key, in words), or None.

    Only those count that appeared since the last complete sweep but one; no newcomer is given
    for two records.
    """
    wanted = {likeness for one in asked for likeness in one}
    if not wanted:
        return [None] * len(asked)
    rows = (await store.rows({NEWCOMERS.name: sorted(wanted)})).get(NEWCOMERS.name, {})
    taken: set[str] = set()
    out: list[tuple[str, str, str] | None] = []
    for one in asked:
        match = None
        for likeness, words in one.items():
            found = _decoder.decode(rows[likeness].value) if likeness in rows else None
            if found and found.sweeps >= sweeps - 1 and found.key not in taken:
                taken.add(found.key)
                match = (likeness, found.key, words)
                break
        out.append(match)
    return out


async def forget(store: EventStore, place: str, sweeps: int) -> None:
    """Drop newcomers that no vanishing record can be any more, a page at a time."""
    async for page in paging.pages(store, NEWCOMERS.name, place, size=_PAGE):
        old = [row.key for row in page if _decoder.decode(row.value).sweeps < sweeps - 1]
        if old:
            await store.append([], also=[Remove(NEWCOMERS.name, old)])
