"""The three operations of the agent contract, point by point, over a real socket."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from connector.sandbox.agent import CompanyOptions, ManualClock, maintenance
from tests.sandbox.agent_wire import NOW, A, read, serving

KEYS = {
    "AR_Customer": "ARDivisionNo CustomerNo",
    "AR_CustomerContact": "ARDivisionNo CustomerNo ContactCode",
    "AR_TermsCode": "TermsCode",
    "AR_CustomerSalesHistory": "ARDivisionNo CustomerNo FiscalYear FiscalPeriod",
    "AR_Invoice": "ARDivisionNo CustomerNo InvoiceNo HeaderSeqNo InvoiceType",
    "AR_InvoiceDetail": "InvoiceNo HeaderSeqNo DetailSeqNo",
    "AR_Payment": ("ARDivisionNo CustomerNo InvoiceNo InvoiceType TransactionDate SequenceNo"),
    "AP_Vendor": "APDivisionNo VendorNo",
}
INVOICE_COLUMNS = (
    "ARDivisionNo CustomerNo InvoiceNo HeaderSeqNo InvoiceType SoldToDivisionNo SoldToCustomerNo "
    "InvoiceDate InvoiceDueDate InvoiceDiscountDate PostingDate TermsCode CustomerPONo "
    "SalesOrderNo AppliedSalesOrderNos SalespersonDivisionNo SalespersonNo Comment ModuleCode "
    "TaxableAmt NonTaxableAmt FreightAmt SalesTaxAmt DiscountAmt DepositAmt RetentionAmt Balance "
    "IsOpen DateCreated TimeCreated DateUpdated TimeUpdated"
)


async def test_get_info_describes_agent_companies_and_entities() -> None:
    """GetInfo names versions, the zone, every company with its aging, every entity with its key."""
    company = CompanyOptions(
        code="XY1", name="Acme & Söhne", currency="CAD", aging_basis="InvoiceDate"
    )
    async with serving(companies=(CompanyOptions(), company)) as wire:
        answer = await wire.call("GetInfo", "")
        info = answer.payload.find(f"{A}Info")
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
        assert info is not None
        assert info.findtext(f"{A}AgentVersion") == "1.0.0"
        assert info.findtext(f"{A}Sage100Version") == "7.30"
        assert info.findtext(f"{A}Edition") == "Premium"
        assert info.findtext(f"{A}ServerTime") == "2026-11-22T09:15:03"
        assert info.findtext(f"{A}TimeZone") == "America/Chicago"
        companies = [[part.text for part in c] for c in info.iterfind(f"{A}Companies/{A}Company")]
        assert companies == [
            ["ABC", "ABC Distribution", "USD", "DueDate", "30 60 90 120"],
            ["XY1", "Acme & Söhne", "CAD", "InvoiceDate", "30 60 90 120"],
        ]
        entities = {
            e.findtext(f"{A}Name"): e.findtext(f"{A}Key")
            for e in info.iterfind(f"{A}Entities/{A}Entity")
        }
        assert entities == KEYS


async def test_get_info_describes_every_column() -> None:
    """Columns carry name, one of five types and a length, and are those that pages then serve."""
    async with serving() as wire:
        info = (await wire.call("GetInfo", "")).payload
        for entity in info.iter(f"{A}Entity"):
            columns = list(entity.iter(f"{A}Column"))
            assert {c.get("type") for c in columns} <= {"string", "number", "date", "time", "flag"}
            assert all(re.fullmatch("[1-9][0-9]*", c.get("length") or "") for c in columns)
            page = await wire.page(entity.findtext(f"{A}Name") or "", limit=1)
            assert page.columns == [c.get("name") for c in columns]
        customer_no = next(c for c in info.iter(f"{A}Column") if c.get("name") == "CustomerNo")
        assert dict(customer_no.attrib) == {
            "name": "CustomerNo",
            "type": "string",
            "length": "20",
        }


async def test_invoice_columns_are_exactly_those_of_the_contract() -> None:
    """AR_Invoice has the contract's columns, no more, no fewer, in its order."""
    async with serving() as wire:
        page = await wire.page("AR_Invoice", limit=1)
        assert " ".join(page.columns) == INVOICE_COLUMNS


@pytest.mark.parametrize("entity", KEYS)
async def test_pages_hold_every_row_in_byte_order_of_the_padded_key(entity: str) -> None:
    """A pass returns each row once, with the model's raw cells, ordered by the padded key."""
    async with serving() as wire:
        pages = await wire.everything(entity, limit=37)
        rows = [row for page in pages for row in page.rows]
        assert rows == wire.agent.model.rows(entity)
        layout = wire.agent.company.table(entity).entity
        keys = [layout.padded([row[name] for name in layout.key]) for row in rows]
        assert keys == sorted(keys)
        assert len(set(keys)) == len(keys) == wire.agent.model.count(entity) > 0
        assert all(len(page.rows) == 37 for page in pages[:-1])


async def test_page_ends_are_told_truly() -> None:
    """Complete is true, and Next absent, on the last page only; Scanned counts rows looked at."""
    async with serving() as wire:
        pages = await wire.everything("AR_Customer", limit=25)
        assert [page.complete for page in pages] == [False, False, True]
        assert [page.following is None for page in pages] == [False, False, True]
        assert [page.scanned for page in pages] == [25, 25, 10]
        assert not any(page.capped for page in pages)
        whole = await wire.page("AR_Customer", limit=60)
        assert whole.complete
        assert whole.following is None


async def test_key_columns_always_come() -> None:
    """A page of chosen columns has the key first, then the chosen ones as asked, none twice."""
    async with serving() as wire:
        page = await wire.page("AR_Invoice", columns="Balance  InvoiceNo\nIsOpen Balance", limit=3)
        key = KEYS["AR_Invoice"].split()
        assert page.columns == [*key, "Balance", "IsOpen"]
        wanted = wire.agent.model.rows("AR_Invoice")[:3]
        assert page.rows == [{name: row[name] for name in page.columns} for row in wanted]
        only_key = await wire.page("AR_TermsCode", columns="TermsCode")
        assert only_key.columns == ["TermsCode"]
        assert [row["TermsCode"] for row in only_key.rows][:3] == ["00", "01", "02"]


async def test_server_time_is_local_and_without_offset() -> None:
    """ServerTime follows the server's clock, to the second, with no offset."""
    clock = ManualClock(NOW)
    async with serving(clock=clock) as wire:
        assert (await wire.page("AR_TermsCode")).server_time == "2026-11-22T09:15:03"
        clock.advance(timedelta(hours=20))
        assert (await wire.page("AR_TermsCode")).server_time == "2026-11-23T05:15:03"


async def test_scan_limit_makes_short_pages_that_go_on() -> None:
    """Behind the scan limit a page may be empty, yet has Next, and the pass still finds all."""
    async with serving(scan_limit=10) as wire:
        for row in wire.agent.model.rows("AR_Customer"):
            key = (row["ARDivisionNo"], row["CustomerNo"])
            for column in ("DateCreated", "DateUpdated"):
                maintenance.set_raw(wire.agent.company, "AR_Customer", key, column, "20200101")
        last = wire.agent.model.rows("AR_Customer")[-1]
        key = (last["ARDivisionNo"], last["CustomerNo"])
        maintenance.change_customer(wire.agent.company, key, {"Comment": "changed"})
        pages = await wire.everything("AR_Customer", since="20261122")
        assert [len(page.rows) for page in pages] == [0, 0, 0, 0, 0, 1]
        assert [page.capped for page in pages] == [True] * 5 + [False]
        assert [page.complete for page in pages] == [False] * 5 + [True]
        assert [page.scanned for page in pages] == [10] * 6
        assert pages[-1].rows[0]["Comment"] == "changed"


async def test_read_row_returns_one_row() -> None:
    """ReadRow answers a page of exactly the row with that key; padding does not matter."""
    async with serving() as wire:
        for key in (("01", "ABF"), ("01", "ABF" + " " * 17)):
            page = read(await wire.row_call("AR_Customer", key))
            assert page.rows == [wire.agent.model.row("AR_Customer", ("01", "ABF"))]
            assert page.complete
            assert page.following is None
        other = read(await wire.row_call("AR_Customer", ("02", "ABF")))
        assert other.rows[0]["CustomerName"] == "ABF Freight & Logistics"


@pytest.mark.parametrize("key", [("01", "abf"), ("1", "ABF"), ("01", "A" * 21), ("01", "東")])
async def test_read_row_takes_keys_literally(key: tuple[str, str]) -> None:
    """Keys are case-sensitive and never guessed at: another spelling is another record."""
    async with serving() as wire:
        assert (await wire.row_call("AR_Customer", key)).fault == ("soap:Client", "NotFound")


async def test_cells_travel_unchanged() -> None:
    """Markup, quotes, line ends, leading blanks and Windows-1252 letters arrive as held."""
    text = "  <b>&amp; \"Œuvre\" 'Š' – ™ é\tx\r\ny]]>"
    async with serving() as wire:
        key = ("01", "ABF")
        maintenance.set_raw(wire.agent.company, "AR_Customer", key, "Comment", text)
        page = read(await wire.row_call("AR_Customer", key))
        assert page.rows[0]["Comment"] == text
        projected = await wire.page("AR_Customer", columns="Comment")
        assert text in [row["Comment"] for row in projected.rows]


async def test_forbidden_characters_are_replaced() -> None:
    """A character that XML 1.0 forbids arrives as U+FFFD; trailing blanks are cut."""
    async with serving() as wire:
        key = ("01", "ABF")
        maintenance.set_raw(wire.agent.company, "AR_Customer", key, "Comment", "a\x00b\x1fc\x81  ")
        page = read(await wire.row_call("AR_Customer", key))
        assert page.rows[0]["Comment"] == "a\ufffdb\ufffdc\x81"


async def test_gzip_only_when_asked() -> None:
    """The agent compresses for a client that accepts gzip, and for no other."""
    async with serving() as wire:
        plain = await wire.page_call("AR_Customer", headers={"Accept-Encoding": "identity"})
        packed = await wire.page_call("AR_Customer", headers={"Accept-Encoding": "br, gzip"})
        refused = await wire.page_call("AR_Customer", headers={"Accept-Encoding": "gzip;q=0"})
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"]) / 3
        assert "Content-Encoding" not in refused.headers
        assert packed.body == plain.body == refused.body


async def test_faults_that_the_request_itself_earns() -> None:
    """Wrong company, entity, column or cursor, and a closed company, answer their own codes."""
    closed = CompanyOptions(code="SHT", external_access=False)
    async with serving(companies=(CompanyOptions(), closed)) as wire:
        page = wire.page_call
        assert (await page("AR_Customer", company="abc")).fault[1] == "InvalidCompany"
        assert (await page("AR_Customer", company="SHT")).fault == (
            "soap:Server",
            "ExternalAccessDisabled",
        )
        assert (await page("ar_customer")).fault[1] == "UnknownEntity"
        unknown = await page("AR_Customer", columns="CustomerNo CreditCardGUID")
        assert unknown.fault == ("soap:Client", "UnknownColumn")
        assert "CreditCardGUID" in (unknown.payload.findtext("faultstring") or "")
        assert (await page("AR_Customer", after="x")).fault[1] == "InvalidCursor"
        assert (await wire.row_call("AR_Customer", ("01", "?"))).fault[1] == "NotFound"


async def test_a_fault_says_whether_to_try_again() -> None:
    """AgentFault holds code, message and retryability; a wait is named only where it helps."""
    async with serving() as wire:
        answer = await wire.page_call("AR_Customer", company="ZZZ")
        detail = answer.payload.find(f"detail/{A}AgentFault")
        assert detail is not None
        assert [(child.tag, child.text) for child in detail] == [
            (f"{A}Code", "InvalidCompany"),
            (f"{A}Message", "company code 'ZZZ' is invalid"),
            (f"{A}Retryable", "false"),
        ]


async def test_companies_are_separate() -> None:
    """The same key in two companies is two records; a cursor of one is none of the other."""
    async with serving(companies=(CompanyOptions(), CompanyOptions(code="XYZ"))) as wire:
        maintenance.change_customer(
            wire.agent.model.company("XYZ"), ("01", "ABF"), {"CustomerName": "Other"}
        )
        one = await wire.page("AR_Customer", limit=5)
        names = {
            row["CustomerName"]
            for row in (await wire.page("AR_Customer", company="XYZ")).rows
            if row["CustomerNo"] == "ABF"
        }
        assert names == {"Other", "ABF Freight & Logistics"}
        crossed = await wire.page_call("AR_Customer", company="XYZ", after=one.following)
        assert crossed.fault[1] == "InvalidCursor"
        assert (await wire.page_call("AP_Vendor", after=one.following)).fault[1] == "InvalidCursor"
