"""Where a property's value comes from: the source columns it is made of, and who showed them last.

Pure. A rule names a column or a derived fact; a fact is made of columns, of the record itself or of
others. Of every column whose record's stream is given, the newest event that gave the cell its
value says with which stamp it came, and whether a poll or a sweep found it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from projections import bills, columns, keys
from projections import events as e
from projections.folding import Entry
from projections.mapping.compiled import CompiledRule
from projections.mapping.facts import DERIVED
from projections.source import record_of
from projections.tables import Bill

_BALANCE: Final = "AR_Invoice.Balance"


class Origin(msgspec.Struct, frozen=True):
    """`source`: the column, or the fact with what it is made of. `cells`: column to what it held.

    `position`: of the newest event that gave one of these cells its value, 0 when none is known;
    `stamp` and `via` are that event's.
    """

    source: str
    cells: dict[str, str] = {}
    position: int = 0
    stamp: str = ""
    via: str = ""


def columns_of(rule: CompiledRule, entity: str) -> list[str]:
    """The columns a rule's value is made of, each after its entity; `entity`: of the record."""
    if rule.derived:
        return list(columns.made_of(columns.KIND_OF[entity], rule.source))
    return [f"{entity}.{rule.source}"]


def origin(
    rule: CompiledRule, entity: str, streams: Mapping[str, Sequence[Entry]], upto: int
) -> Origin:
    """What a value was made of at a position. `streams`: entity to its record's events."""
    made_of = columns_of(rule, entity)
    source = made_of[0] if not rule.derived else f"{rule.source}: {DERIVED[rule.source]}"
    if rule.derived and made_of:
        source += f", of {', '.join(made_of)}"
    cells: dict[str, str] = {}
    newest = Origin(source)
    for column in made_of:
        name, _, cell = column.partition(".")
        found = _shown(streams.get(name, ()), cell, upto)
        if found is None:
            continue
        value, entry, stamp, via = found
        cells[column] = value
        if entry > newest.position:
            newest = Origin(source, {}, entry, stamp, via)
    return msgspec.structs.replace(newest, cells=cells)


def open_invoices(entries: Iterable[Entry], upto: int) -> dict[str, str]:
    """What is open at a position, of the invoices whose events these are: column of which invoice
    to its balance.
    """
    found: dict[str, Bill] = {}
    for entry in sorted(entries, key=lambda one: one.position):
        if entry.position > upto:
            break
        key = record_of(entry.stream).key
        name, sequence = keys.bill_of(key), keys.sequence_of(key)
        bill = found.get(name) or Bill()
        match entry.payload:
            case e.RecordObserved() as seen:
                found[name] = bills.observed(bill, sequence, seen.row)
            case e.RecordVanished() as gone:
                withdrawn = gone.kind == "withdrawn"
                found[name] = bills.vanished(bill, sequence, withdrawn=withdrawn)
            case _:
                pass
    return {
        f"{_BALANCE} of {keys.invoice_of(name, sequence).partition(':')[2]}": row.get("Balance", "")
        for name, bill in sorted(found.items())
        for sequence, row in bills.open_rows(bill).items()
    }


def _shown(entries: Sequence[Entry], column: str, upto: int) -> tuple[str, int, str, str] | None:
    """A cell's value and the position, stamp and way of the event that gave it; None: unknown."""
    out: tuple[str, int, str, str] | None = None
    via: str
    for entry in entries:
        if entry.position > upto:
            break
        match entry.payload:
            case e.RecordObserved() as seen:
                stamp, via, row = seen.stamp, seen.via, seen.row
            case e.RecordErased() as left if column in left.row:
                stamp, via, row = left.stamp, "", left.row
            case e.RecordErased():
                out = None
                continue
            case _:
                continue
        value = row.get(column, "")
        if out is None or out[0] != value:
            out = value, entry.position, stamp, via
    return out
