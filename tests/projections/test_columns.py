"""The table of what each derived fact is made of, held against the code that makes the facts.

Two companies stand for all: the simulated Sage 100's messiest, in which no column that is not
listed may matter, and one written by hand, for what is so rare that the other has none of it.
"""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

import projections
from connector.sandbox.agent import AgentOptions, ManualClock, build_model
from connector.sandbox.agent.layouts import ENTITIES
from projections import columns, desire, keys, source
from projections import events as e
from projections.desire import Knowledge, Skip
from projections.folding import Entry, Folding
from projections.mapping import compiled
from projections.mapping.facts import DERIVED
from projections.source import ADDED_UP
from projections.tables import OpenItem, Source, SourceRow
from projections.workspace import Workspace
from tests.projections.rig import MAPPING, Row, bill, contact, customer, payment, terms
from tests.sage100.wire import NOW

Told = dict[tuple[str, str], str]
AS_OF: Final = f"{NOW:%Y%m%d}"


class Column(NamedTuple):
    """One column of one entity."""

    entity: str
    name: str


LISTED: Final = {
    (kind, fact, Column(*listed.split(".")))
    for kind, facts in columns.FACTS.items()
    for fact, made_of in facts.items()
    for listed in made_of
}
COLUMNS: Final = sorted({column for _, _, column in LISTED})


@functools.cache
def every_fact() -> compiled.CompiledMapping:
    """A mapping that shows each fact of each object, under a property named after it."""
    text = ["version = 1"]
    for kind, facts in columns.FACTS.items():
        head = f'[{kind}]\nhubspot_type = "{kind}"\nkey = "k"\nkey_label = "K"'
        text.append(f'{head}\ngroup = "g"\ngroup_label = "G"')
        text += [
            f'[[{kind}.rules]]\nproperty = "{fact.replace(".", "__")}"\nfrom = "{fact}"'
            for fact in facts
        ]
    return compiled.parse("\n".join(text))


def told_of(rows: list[Row]) -> Told:
    """(target, fact) to what would be in HubSpot, after these rows in this order."""
    work = Workspace()
    limits = (30, 60, 90, 120)
    settings = Source("acme", "USD", aging_limits=limits, as_of=AS_OF, read=ADDED_UP)
    work.put("source", "ABC", settings)
    into = Folding(work)
    targets: dict[str, None] = {}
    for position, (entity, parts, row) in enumerate(rows, 1):
        stream = keys.sage_stream("acme", "ABC", entity, keys.record_key(entity, parts))
        seen = e.RecordObserved(parts, {name: cell for name, cell in row.items() if cell}, "")
        record = source.record_of(stream)
        wanted: dict[str, set[str]] = defaultdict(set)
        source.wants(record, seen, wanted)
        work.load(wanted, {})
        source.fold(Entry(position, stream, 1, seen), into)
        targets |= dict.fromkeys(_targets(record, rows))
    work.load(desire.reads(targets).rows, {})
    known = _knowledge(work)
    told: Told = {}
    for name in targets:
        shown = desire.properties(name, work, every_fact(), known)
        if shown is not None and not isinstance(shown, Skip):
            told |= {(name, prop.replace("__", ".")): value for prop, value in shown.items()}
    return told


def _targets(record: source.Record, rows: list[Row]) -> Iterator[str]:
    match record.entity:
        case "AR_Customer":
            yield f"companies/{record.key}"
            yield f"contacts/{record.key}"
        case "AP_Vendor":
            yield f"vendors/{record.key}"
        case "AR_CustomerContact":
            yield f"contacts/{record.key}"
        case "AR_Invoice":
            yield f"invoices/{record.key}"
            begin = keys.details_of(record.key)
            for entity, parts, _ in rows:
                detail = f"ABC:{keys.record_key(entity, parts)}"
                if entity == "AR_InvoiceDetail" and detail.startswith(begin):
                    yield f"line_items/{keys.line_of(detail, record.key)}"


def _knowledge(work: Workspace) -> Knowledge:
    items: dict[str, list[OpenItem]] = defaultdict(list)
    for key, item in work.changed("open_item").items():
        if isinstance(item, OpenItem):
            items[keys.customer_of(key)].append(item)
    found = work.changed("terms").items()
    described = {key[4:]: one.row for key, one in found if isinstance(one, SourceRow)}
    return Knowledge(items, {"ABC": described})


@functools.cache
def whole(company: Callable[[], list[Row]]) -> Told:
    """What is told of a company when every column is served."""
    return told_of(company())


def matters(company: Callable[[], list[Row]], missing: set[Column]) -> set[tuple[str, str]]:
    """(object, fact) of all that is told otherwise when an agent does not serve these columns."""
    less = [
        (entity, parts, {n: cell for n, cell in row.items() if Column(entity, n) not in missing})
        for entity, parts, row in company()
    ]
    before, after = whole(company), told_of(less)
    known = {name for name, _ in before}
    return {
        (name.partition("/")[0], fact)
        for name, fact in before.keys() | after.keys()
        if name in known
        if before.get((name, fact)) != after.get((name, fact))
        if fact == "key.sold_to" or not fact.startswith("key.")  # of a line that is left out
    }


@functools.cache
def messy() -> list[Row]:
    """A small company with twenty years of odd data."""
    options = AgentOptions(profile="messy", customers=25, invoices=90, vendors=6, today=NOW.date())
    company = build_model(options, ManualClock(NOW)).company()
    return [
        (entity, [row[name] for name in keys.KEY_COLUMNS[entity]], row)
        for entity in ENTITIES
        for row in company.rows(entity)
    ]


@functools.cache
def rare() -> list[Row]:
    """What makes a difference in few companies only, and yet does."""
    ways = {"URLAddress": "www.one.example", "EmailAddress": "a@two.example"}
    remembered = {"DateLastPayment": "20261120", "LastPaymentAmt": "77"}
    rows = [
        terms("30", DaysBeforeDue="30"),
        terms("10", DaysBeforeDue="10", DueDateADayOfTheMonth="Y", MinimumDaysAllowedInv="35"),
        customer("A", ContactCode="JOE", **ways),
        contact("A", "JOE", TelephoneNo1="555", TelephoneExt1="12"),
        customer("B", **remembered),
        ("AP_Vendor", ["00", "V"], {"URLAddress": "v.example", "EmailAddress": "a@w.example"}),
        ("AP_Vendor", ["00", "W"], {"EmailAddress": "a@w.example"}),
        # Amounts each of which decides whether the whole is a credit, or paid in part.
        *[bill("A", f"00001{at}", "50", **_only(name, "60")) for at, name in enumerate(AMOUNTS)],
        *[bill("A", f"00002{at}", "0", **_only(name, "-60")) for at, name in enumerate(AMOUNTS)],
        # A payment that was corrected: Sage 100's own memory of a later one is believed again.
        customer("C", **remembered),
        bill("C", "0000301", "0", InvoiceDate="20261001"),
        payment("C", "0000301", "20261101", "12"),
        payment("C", "0000301", "20261101", "11"),
        # One that was posted to another invoice of the same number.
        customer("D"),
        bill("D", "0000401", "0", InvoiceDate="20261001"),
        payment("D", "0000401", "20261101", "12"),
        _posted("D", "0000401", PaymentDate="20261110", InvoiceHistoryHeaderSeqNo="000009"),
        ("AR_InvoiceDetail", ["0000401", "000001", "01"], {"CommentText": "C", **_SOLD}),
        ("AR_InvoiceDetail", ["0000401", "000001", "02"], {"ItemCode": "I", **_SOLD}),
    ]
    # Each bucket has one whose due date is stored, and one by each kind of terms.
    for number, month in (("E", "11"), ("F", "10"), ("G", "09"), ("H", "08"), ("I", "06")):
        rows.append(customer(number))
        for at, code in enumerate(("30", "10")):
            day = f"2026{month}01"
            rows.append(bill(number, f"00005{at}", "9", InvoiceDate=day, TermsCode=code))
        rows.append(
            bill(number, "000059", "7", InvoiceDate="20260601", InvoiceDueDate=f"2026{month}05")
        )
    late: dict[str, str] = {"InvoiceDate": "20261115", "TermsCode": "10"}
    return [*rows, customer("K"), bill("K", "0000601", "9", **late)]


AMOUNTS: Final = ("TaxableAmt", "NonTaxableAmt", "FreightAmt", "SalesTaxAmt")
_SOLD: Final = {"QuantityShipped": "2", "UnitPrice": "3", "ExtensionAmt": "6"}


def _only(name: str, amount: str) -> dict[str, str]:
    return {**dict.fromkeys(AMOUNTS, ""), name: amount}


def _posted(number: str, invoice: str, **cells: Any) -> Row:
    entity, parts, row = payment(number, invoice, "20261110", "1")
    return entity, [*parts[:-1], "000002"], {**row, **cells}


@pytest.mark.parametrize("column", COLUMNS, ids=".".join)
def test_each_column_that_is_listed_makes_the_facts_it_is_listed_for(column: Column) -> None:
    """Without it these facts change, and no other."""
    found = matters(messy, {column}) | matters(rare, {column})
    assert found == {(kind, fact) for kind, fact, listed in LISTED if listed == column}


@pytest.mark.parametrize("entity", list(ENTITIES))
def test_columns_that_are_not_listed_make_no_fact(entity: str) -> None:
    """Without all of them together everything stays as it was."""
    others = {Column(entity, name) for name in ENTITIES[entity].names}
    others -= {*COLUMNS, *(Column(entity, name) for name in keys.KEY_COLUMNS[entity])}
    assert matters(messy, others) | matters(rare, others) == set()


def test_every_fact_is_in_the_table() -> None:
    """What a mapping may name is listed for some object, if only with no columns."""
    assert {fact for facts in columns.FACTS.values() for fact in facts} == set(DERIVED)


def test_every_column_the_code_names_is_in_the_table() -> None:
    """A cell that some module of the projections looks up is a key's, or makes a listed fact."""
    known = {column.name for column in COLUMNS}
    known |= {name for names in keys.KEY_COLUMNS.values() for name in names}
    every = {name for entity in ENTITIES.values() for name in entity.names}
    named = {
        node.value
        for path in Path(projections.__file__).parent.rglob("*.py")
        if path.name not in {"columns.py", "personal.py"}  # lists, where nothing is looked up
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in every
    }
    assert named - known == set()
    assert {"TaxableAmt", "DueDateADayOfTheMonth"} <= named


def test_what_a_mapping_reads_is_known_by_column() -> None:
    """Rules on columns and on facts both count, each with the property it shows; keys do not."""
    found = columns.uses(MAPPING.source)
    assert [use.shown for use in found["AR_Invoice"]["TaxableAmt"]] == [
        "invoices.hs_invoice_status",
        "invoices.hs_amount_billed",
        "invoices.sage100_status",
        "invoices.sage100_total",
    ]
    assert found["AR_Customer"]["CreditLimit"] == (columns.Use("companies.sage100_credit_limit"),)
    assert (
        columns.Use("companies.sage100_aging_1_30", "aging.bucket_1")
        in found["AR_TermsCode"]["DaysBeforeDue"]
    )
    assert "InvoiceNo" not in found["AR_Invoice"]
    assert "FaxNo" not in found["AR_Customer"]
    assert "AR_InvoiceDetail" not in found
