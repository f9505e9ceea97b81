"""Sage 100s of other versions and other sites, messy data, and clocks that cannot be trusted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.sandbox.agent import (
    AgentOptions,
    ManualClock,
    ZonedClock,
    maintenance,
    posting,
    stamps,
)
from connector.sandbox.agent.irregularities import BAD_DATES
from connector.sandbox.agent.layouts import ENTITIES
from connector.sandbox.agent.renumbering import invoice_key
from connector.sandbox.agent.values import parse_day
from tests.sandbox.agent_wire import NOW, A, Wire, serving, small_model

ABF = ("01", "ABF")


async def columns(wire: Wire, entity: str) -> dict[str, str]:
    """Name and length of an entity's columns, as GetInfo tells them."""
    answer = await wire.call("GetInfo", "")
    for element in answer.payload.iter(f"{A}Entity"):
        if element.findtext(f"{A}Name") == entity:
            return {c.attrib["name"]: c.attrib["length"] for c in element.iter(f"{A}Column")}
    raise AssertionError(entity)


async def version(wire: Wire) -> str | None:
    answer = await wire.call("GetInfo", "")
    return answer.payload.findtext(f"{A}Info/{A}Sage100Version")


async def test_an_old_sage_100_is_narrower_and_lacks_columns() -> None:
    """GetInfo and the rows of an old version lack late columns; asking for one is a fault."""
    async with serving(profile="old") as wire:
        told = await columns(wire, "AR_Invoice")
        assert {"DateCreated", "TimeCreated", "SoldToCustomerNo"}.isdisjoint(told)
        assert (await columns(wire, "AR_Customer"))["CustomerName"] == "30"
        assert await version(wire) == "6.20"
        page = await wire.page("AR_Invoice")
        assert page.columns == list(told)
        refused = await wire.page_call("AR_Invoice", columns="DateCreated")
        assert refused.fault[1] == "UnknownColumn"
        names = [row["CustomerName"] for row in (await wire.page("AR_Customer")).rows]
        assert max(map(len, names)) == 30
        invoice = posting.post_invoice(wire.agent.company, ABF, "5")
        assert wire.agent.company.row("AR_Invoice", invoice)["DateUpdated"] == "20261122"


async def test_an_old_invoice_without_updated_stamp_always_comes() -> None:
    """Without created stamps a row that was never updated has none, so ChangedSince keeps it."""
    async with serving(profile="old") as wire:
        rows = (await wire.page("AR_Invoice", since="20991231")).rows
        assert rows == [
            row for row in wire.agent.model.rows("AR_Invoice") if not row["DateUpdated"]
        ]


async def test_a_new_sage_100_has_long_numbers_and_foreign_columns() -> None:
    """From 2025 numbers have 20 characters; sites and third parties add columns of their own."""
    async with serving(profile="new") as wire:
        told = await columns(wire, "AR_Invoice")
        assert told["InvoiceNo"] == "20"
        assert {"UDF_PROJECT", "ARMC_234_EntryCurrency"} <= set(told)
        rows = (await wire.page("AR_Invoice")).rows
        assert {len(r["InvoiceNo"]) for r in rows if r["InvoiceNo"].isdigit()} == {20}
        assert len({row["UDF_PROJECT"] for row in rows}) > 2
        assert (await wire.row_call("AR_Invoice", invoice_key(rows[0]))).status == 200
        assert await version(wire) == "7.40"
    async with serving(profile="new", sage100_version="8.00") as wire:
        assert await version(wire) == "8.00"


def test_the_current_profile_is_the_layout_of_the_contract() -> None:
    """Without a profile every table has the columns of the contract, no more and no fewer."""
    company = small_model().company()
    assert {name: table.entity for name, table in company.tables.items()} == ENTITIES


def test_an_unknown_profile_is_refused() -> None:
    """A profile that there is not is named when the options are built."""
    with pytest.raises(ValueError, match="profile"):
        AgentOptions(profile="ancient")  # type: ignore[arg-type]


def test_messy_data_has_every_oddity() -> None:
    """Bad dates, leftovers of other code pages, unknown codes, BF and PY lines, odd stamps."""
    model = small_model(profile="messy")
    assert model.rows("AR_Customer") == small_model(profile="messy").rows("AR_Customer")
    customers, invoices = model.rows("AR_Customer"), model.rows("AR_Invoice")
    for rows, column in (
        (customers, "DateEstablished"),
        (customers, "DateUpdated"),
        (invoices, "InvoiceDueDate"),
        (invoices, "InvoiceDate"),
        (model.rows("AR_Payment"), "PaymentDate"),
    ):
        found = {row[column] for row in rows}
        assert found & set(BAD_DATES), column
    due = {row["InvoiceDueDate"] for row in invoices}
    assert "00000000" in {day for day in due if day and parse_day(day) is None}
    names = "".join(row["CustomerName"] for row in customers)
    assert {"\x81", "\x8d", "\ufffd"} <= set(names)
    assert "\x01" not in names
    assert any(row["Balance"].endswith("-") for row in invoices)
    assert {"BF", "BC", "PY", "ZZ", "R1"} <= {row["InvoiceType"] for row in invoices}
    types = {row["TransactionType"] for row in model.rows("AR_Payment")}
    assert {"Z", "9"} <= types
    assert {row["OpenItemCustomer"] for row in customers} == {"Y", "N"}
    assert any(row["SoldToCustomerNo"] for row in invoices)
    stamped = [(row["DateUpdated"], row["TimeUpdated"]) for row in customers]
    assert max(stamped.count(stamp) for stamp in stamped if stamp[0]) > 10
    assert ("", "") in stamped
    assert any(date > "20261122" for date, _ in stamped)


async def test_messy_pages_are_well_formed() -> None:
    """Whatever the cells hold, every page parses and says what the model says."""
    async with serving(profile="messy") as wire:
        for entity in ENTITIES:
            rows = [row for page in await wire.everything(entity, limit=50) for row in page.rows]
            assert rows == wire.agent.model.rows(entity)


def test_the_hour_that_comes_twice() -> None:
    """In autumn 01:30 comes twice, so a later change can carry an earlier stamp."""
    clock = ZonedClock(datetime(2026, 11, 1, 6, 30, tzinfo=UTC), "America/Chicago")
    company = small_model().company()
    company.clock = clock
    seen = []
    for _ in range(3):
        maintenance.change_customer(company, ABF, {"CreditLimit": "1"})
        row = company.row("AR_Customer", ABF)
        seen.append((row["DateUpdated"], row["TimeUpdated"]))
        clock.advance(timedelta(minutes=40))
    assert seen == [("20261101", "1.5"), ("20261101", "1.16666"), ("20261101", "1.83333")]
    spring = ZonedClock(datetime(2026, 3, 8, 7, 59, tzinfo=UTC), "America/Chicago")
    spring.advance(timedelta(minutes=2))
    assert spring() == datetime(2026, 3, 8, 3, 1)
    with pytest.raises(ValueError, match="offset"):
        ZonedClock(NOW, "America/Chicago")


@pytest.mark.parametrize(("skew_h", "day"), [(-30, "20261121"), (30, "20261123")])
def test_a_workstation_stamps_by_its_own_clock(skew_h: int, day: str) -> None:
    """A PC ahead of the server stamps the future, one behind it the past; posting dates do not."""
    company = small_model().company()
    company.workstation_skew = timedelta(hours=skew_h)
    maintenance.change_customer(company, ABF, {"CreditLimit": "1"})
    assert company.row("AR_Customer", ABF)["DateUpdated"] == day
    invoice = posting.post_invoice(company, ABF, "5")
    row = company.row("AR_Invoice", invoice)
    assert (row["DateCreated"], row["PostingDate"]) == (day, "20261122")


async def test_a_clock_that_goes_back() -> None:
    """After the server's clock was set back, ServerTime and new stamps lie before older ones."""
    async with serving(clock=ManualClock(NOW)) as wire:
        company = wire.agent.company
        maintenance.change_customer(company, ABF, {"CreditLimit": "1"})
        wire.agent.model.shift_clocks(timedelta(days=-3))
        maintenance.change_customer(company, ("02", "ABF"), {"CreditLimit": "1"})
        page = await wire.page("AR_Customer", since="20261122")
        found = [(row["ARDivisionNo"], row["CustomerNo"]) for row in page.rows]
        assert page.server_time == "2026-11-19T09:15:03"
        assert ABF in found
        assert company.row("AR_Customer", ("02", "ABF"))["DateUpdated"] == "20261119"


async def test_the_server_time_can_be_told_wrongly() -> None:
    """A skewed ServerTime shows in GetInfo and pages, and in no stamp."""
    async with serving() as wire:
        wire.agent.conduct.server_skew_s = 7200
        assert (await wire.page("AR_TermsCode")).server_time == "2026-11-22T11:15:03"
        answer = await wire.call("GetInfo", "")
        told = answer.payload.findtext(f"{A}Info/{A}ServerTime")
        assert told == "2026-11-22T11:15:03"
        maintenance.change_customer(wire.agent.company, ABF, {"CreditLimit": "1"})
        assert wire.agent.company.row("AR_Customer", ABF)["TimeUpdated"] == "9.2509"


def test_rows_can_share_a_stamp_or_have_none() -> None:
    """A job leaves many rows with one stamp, a conversion blanks them, one row can lie ahead."""
    company = small_model().company()
    assert stamps.restamp(company, "AR_Customer", datetime(2026, 5, 1, 2)) == 60
    pairs = {(row["DateUpdated"], row["TimeUpdated"]) for row in company.rows("AR_Customer")}
    assert pairs == {("20260501", "2")}
    stamps.restamp(company, "AR_Customer", datetime(2031, 1, 1), [ABF], created=False)
    row = company.row("AR_Customer", ABF)
    assert (row["DateCreated"], row["DateUpdated"]) == ("20260501", "20310101")
    stamps.restamp(company, "AR_Payment", None)
    assert {row["DateUpdated"] for row in company.rows("AR_Payment")} == {""}
