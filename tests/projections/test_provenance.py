"""What a value was made of: columns of Sage 100, and who showed them last."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from projections import events as e
from projections import provenance
from projections.columns import ENTITY_OF, FACTS, made_of
from projections.folding import Entry
from projections.mapping.facts import DERIVED
from tests.projections.rig import MAPPING

STREAM = "sage/acme/ABC/AR_Customer/01-ACME"
CITY = MAPPING.objects["companies"].by_property["city"]
DOMAIN = MAPPING.objects["companies"].by_property["domain"]


def shown(position: int, stamp: str, via: e.Via = "cursor", **row: str) -> Entry:
    """A row as Sage 100 showed it."""
    payload = e.RecordObserved(["01", "ACME"], row, "", stamp, via)
    return Entry(position, STREAM, position, payload)


def test_every_fact_says_what_it_is_made_of() -> None:
    """A new fact without its columns would have no reason to give, nor one that leaves some out."""
    assert {fact for facts in FACTS.values() for fact in facts} == DERIVED.keys()
    for kind, section in MAPPING.objects.items():
        for rule in section.rules:
            if rule.derived:
                told = provenance.columns_of(rule, ENTITY_OF[kind])
                assert set(FACTS[kind][rule.source]) <= set(told), rule.property


@pytest.mark.parametrize("module", ["customer", "contact", "vendor", "line", "invoice"])
def test_columns_are_those_that_the_facts_read(module: str) -> None:
    """A column that no module reads is misspelt: every one is found in the code of a projection."""
    texts = [
        (resources.files("projections") / f"{one}.py").read_text("utf-8")
        for one in (
            "customer",
            "contact",
            "vendor",
            "line",
            "invoice",
            "source",
            "fiscal",
            "bills",
            "terms",
        )
    ]
    read = set(re.findall(r'"([A-Z][A-Za-z0-9]+)"', "".join(texts)))
    prefix = {"customer": "account.", "vendor": "account."}.get(module, f"{module}.")
    for kind, facts in FACTS.items():
        for fact in facts:
            if fact.startswith(prefix):
                names = {column.rpartition(".")[2] for column in made_of(kind, fact)}
                assert names <= read, fact


def test_the_event_that_gave_a_cell_its_value_counts() -> None:
    """Not the newest that shows it: the value had come with an earlier stamp, by the sweep."""
    entries = [
        shown(1, "one", City="Oslo"),
        shown(2, "two", "sweep", City="Bergen"),
        shown(3, "three", City="Bergen", ZipCode="1"),
        shown(9, "nine", City="Molde"),
    ]
    found = provenance.origin(CITY, "AR_Customer", {"AR_Customer": entries}, 8)
    assert found.source == "AR_Customer.City"
    assert (found.cells, found.position) == ({"AR_Customer.City": "Bergen"}, 2)
    assert (found.stamp, found.via) == ("two", "sweep")


def test_a_fact_names_its_columns_and_their_cells() -> None:
    """An empty cell is one too; the newest of them tells the stamp."""
    entries = [
        shown(1, "one", EmailAddress="a@b.example"),
        shown(2, "two", EmailAddress="a@c.test"),
    ]
    found = provenance.origin(DOMAIN, "AR_Customer", {"AR_Customer": entries}, 8)
    assert found.source == (
        "account.domain: web domain from the URL or the e-mail address, of AR_Customer.URLAddress, "
        "AR_Customer.EmailAddress"
    )
    assert found.cells == {"AR_Customer.URLAddress": "", "AR_Customer.EmailAddress": "a@c.test"}
    assert (found.position, found.stamp) == (2, "two")


def test_a_due_date_is_told_of_the_terms_that_moved_it() -> None:
    """The invoice had not changed: its terms code had, and with that row's stamp it came."""
    due = MAPPING.objects["invoices"].by_property["hs_due_date"]
    code = "sage/acme/ABC/AR_TermsCode/30"
    entries = [
        Entry(2, code, 1, e.RecordObserved(["30"], {"DaysBeforeDue": "30"}, "", "old")),
        Entry(5, code, 2, e.RecordObserved(["30"], {"DaysBeforeDue": "45"}, "", "new")),
    ]
    row = {"InvoiceDate": "20261101", "TermsCode": "30"}
    bill = Entry(3, "sage/acme/ABC/AR_Invoice/01-A:1-1-IN", 1, e.RecordObserved([], row, ""))
    streams = {"AR_Invoice": [bill], "AR_TermsCode": entries}
    found = provenance.origin(due, "AR_Invoice", streams, 8)
    assert (found.position, found.stamp) == (5, "new")
    assert found.cells["AR_TermsCode.DaysBeforeDue"] == "45"


def test_what_was_erased_is_not_known() -> None:
    """Blanked events say nothing; a column that is left says when it was kept."""
    entries = [
        Entry(1, STREAM, 1, None),
        Entry(5, STREAM, 2, e.RecordErased(["01", "ACME"], {"CreditLimit": "9"}, "", "kept")),
    ]
    streams = {"AR_Customer": entries}
    assert provenance.origin(CITY, "AR_Customer", streams, 8).cells == {}
    limit = MAPPING.objects["companies"].by_property["sage100_credit_limit"]
    found = provenance.origin(limit, "AR_Customer", streams, 8)
    assert (found.cells, found.position) == ({"AR_Customer.CreditLimit": "9"}, 5)


def test_an_aging_names_the_invoices_that_are_open() -> None:
    """At that position: not what was paid until then, nor what came later."""

    def seen(position: int, number: str, balance: str) -> Entry:
        row = {"Balance": balance, "IsOpen": "N" if balance == "0" else "Y", "InvoiceType": "IN"}
        stream = f"sage/acme/ABC/AR_Invoice/01-ACME:{number}-000001-IN"
        return Entry(position, stream, position, e.RecordObserved([], row, ""))

    entries = [seen(1, "1", "5"), seen(2, "2", "7"), seen(3, "1", "0"), seen(9, "3", "1")]
    assert provenance.open_invoices(entries, 8) == {
        "AR_Invoice.Balance of 01-ACME:2-000001-IN": "7"
    }
