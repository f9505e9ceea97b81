"""Columns that are needed and not served, and those that are always blank, in `check`."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.check import CheckLine
from connector.reading import uses_of
from connector.sage100.checks import check_agent
from connector.sandbox.agent import SimulatedAgent
from projections.columns import Uses, uses
from tests.config.sample import TEXT, load
from tests.projections.rig import MAPPING
from tests.sage100.conftest import connect
from tests.sage100.test_check import office
from tests.sage100.world import UTC_NOW, instance

USES = uses(MAPPING.source)


async def lines_of(
    sim: SimulatedAgent, known: Uses = USES, columns: dict[str, str] | None = None
) -> dict[str, CheckLine]:
    """The report by step, of a site with the built-in mapping."""
    async with connect(sim, columns=columns) as agent:
        lines = await check_agent(agent, instance(agent.endpoint), uses=known, now=lambda: UTC_NOW)
    return {line.subject.removeprefix("Sage 100 acme "): line for line in lines}


def without(sim: SimulatedAgent, *columns: str) -> None:
    """The agent serves none of these."""
    sim.conduct.not_served.update(columns)


MISSING = (
    "TaxableAmt",
    "NonTaxableAmt",
    "FreightAmt",
    "SalesTaxAmt",
    "InvoiceDueDate",
    "TermsCode",
)


async def test_invoices_without_amounts_are_not_well() -> None:
    """Every total would be 0: each missing column is named, with what HubSpot shows wrongly."""
    async with office() as sim:
        without(sim, *(f"AR_Invoice.{name}" for name in MISSING))
        lines = await lines_of(sim)
    assert [name for name, line in lines.items() if not line.ok] == ["AR_Invoice columns"]
    line = lines["AR_Invoice columns"]
    assert [name for name in MISSING if name not in line.detail] == []
    amounts = "TaxableAmt, NonTaxableAmt, FreightAmt, SalesTaxAmt (wrong or empty in HubSpot: "
    assert amounts + "invoices hs_invoice_status hs_amount_billed" in line.detail
    assert "sage100_aging_current" in line.detail.partition("TaxableAmt")[0]
    assert {"invoices.sage100_total", "companies.sage100_oldest_due_date"} <= set(line.names)
    assert "[sage100.columns]" in line.remedy


@pytest.mark.parametrize(
    ("column", "effect"),
    [
        ("AR_Customer.CreditLimit", "never filled in HubSpot: companies sage100_credit_limit"),
        ("AR_Customer.TermsCode", "companies sage100_terms; never filled in HubSpot: companies"),
        ("AR_CustomerSalesHistory.DollarsSold", "companies annualrevenue"),
        ("AR_TermsCode.DaysBeforeDue", "hs_due_date"),
        ("AR_Payment.PaymentDate", "companies sage100_last_payment_date"),
        ("AR_CustomerContact.EmailAddress", "contacts email"),
        ("AP_Vendor.VendorStatus", "vendors sage100_vendor_status"),
    ],
)
async def test_each_missing_column_is_named_with_what_is_lost(column: str, effect: str) -> None:
    """Columns of rules and columns that facts are made of, of whichever entity."""
    entity, _, name = column.partition(".")
    async with office() as sim:
        without(sim, column)
        lines = await lines_of(sim)
    assert [one for one, line in lines.items() if not line.ok] == [f"{entity} columns"]
    line = lines[f"{entity} columns"]
    assert f"it has no column {name} (" in line.detail
    assert effect in line.detail


async def test_a_column_that_nothing_is_made_of_is_not_missed() -> None:
    """Other versions and agents serve fewer columns, and are fine with it."""
    async with office(profile="old") as sim:
        without(sim, "AR_Customer.FaxNo", "AR_Invoice.Comment")
        lines = await lines_of(sim)
    assert [name for name, line in lines.items() if not line.ok] == []
    assert "all that is needed" in lines["AR_Customer columns"].detail


async def test_a_name_that_is_much_alike_is_proposed() -> None:
    """The agent's own name of a column is likely the one that is missed; mapped, all is well."""
    async with office() as sim:
        lines = await lines_of(sim, columns={"CreditLimits": "CreditLimit"})
        line = lines["AR_Customer columns"]
        assert not line.ok
        assert 'Perhaps: CreditLimit = "CreditLimits"' in line.remedy


async def test_what_links_deals_is_needed_where_they_are_wanted(tmp_path: Path) -> None:
    """The columns of [hubspot.deals] count as those of the mapping do."""
    config = load(tmp_path, f'{TEXT}\n[hubspot.deals]\nproperty = "sales_order_no"\n')
    known = uses_of(config, MAPPING.source)
    async with office() as sim:
        without(sim, "AR_Invoice.AppliedSalesOrderNos")
        assert (await lines_of(sim))["AR_Invoice columns"].ok
        line = (await lines_of(sim, known))["AR_Invoice columns"]
    assert not line.ok
    assert "links of invoices to deals by sales_order_no" in line.detail


async def test_blank_columns_that_are_read_are_all_named() -> None:
    """What something is made of comes first and in full; the others are counted, and in `names`."""
    blank = ("TermsCode", "CreditLimit", "CustomerStatus", "CreditHold", "State", "City", "ZipCode")
    async with office() as sim:
        sim.conduct.blank_columns.update(f"AR_Customer.{name}" for name in blank)
        line = (await lines_of(sim))["AR_Customer rows"]
    assert line.ok
    named = line.detail.partition(": ")[2].partition(", and ")[0].split(", ")
    assert set(blank) <= set(named)
    assert all(name in USES["AR_Customer"] for name in named)
    assert "FaxNo" not in line.detail
    assert "FaxNo" in line.names
    assert set(named) <= set(line.names)
    others = len(line.names) - len(named)
    assert f"and {others} others of no use" in line.detail


async def test_an_entity_that_is_not_served_says_what_is_lost() -> None:
    """Not only that it is missing: what HubSpot will not show for it."""
    async with office() as sim:
        real = sim.model.entities
        sim.model.entities = lambda: [one for one in real() if one.name != "AR_Payment"]  # type: ignore[method-assign]
        lines = await lines_of(sim)
    line = lines["AR_Payment columns"]
    assert not line.ok
    assert "not served by this agent (wrong or empty in HubSpot: companies" in line.detail
    assert not lines["AR_Payment rows"].tried
