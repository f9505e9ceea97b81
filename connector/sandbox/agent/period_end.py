"""Period end and purges: rows that go without a trace, a stamp or a tombstone.

Reference 3.2 and 3.3: period end takes paid items out of the open file and drops temporary
customers, Purge AR History deletes history up to a date. What is gone can only be missed.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

import msgspec

from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.model import Company, Row
from connector.sandbox.agent.posting import CustomerKey, InvoiceKey
from connector.sandbox.agent.renumbering import invoice_key, item_of
from connector.sandbox.agent.table import pack
from connector.sandbox.agent.values import cents, day, number, parse_day

# What the agent takes from the history row, and has not when only the open row is left.
_OF_HISTORY = ("SalesOrderNo", "AppliedSalesOrderNos", "ModuleCode")


class Closed(msgspec.Struct, frozen=True):
    """What a period end took: keys of items that left the open file, and of customers."""

    items: list[InvoiceKey]
    customers: list[CustomerKey]


def period_end(
    company: Company, *, retain_days: int = 0, retain_months: int | None = None
) -> Closed:
    """Remove paid items older than the days (or months) to retain, and temporary customers.

    An item's age is that of its last transaction. Its history row stays: IsOpen becomes N, and the
    stamps are those of the history alone, which posting set. Without history it is gone. A
    temporary customer goes when nothing of it is open. ModelError while a batch is not posted.
    """
    if company.batches:
        raise ModelError(f"batches {', '.join(company.batches)} are not posted: post them first")
    today = company.clock().date()
    until = today - timedelta(days=retain_days)
    if retain_months is not None:
        months = today.year * 12 + today.month - 1 - retain_months
        until = min(date(months // 12, months % 12 + 1, 1) - timedelta(days=1), today)
    latest = _latest(company)
    items = []
    for row in list(company.rows("AR_Invoice")):
        last = latest.get(item_of(row)) or row["InvoiceDate"]
        if row["IsOpen"] != "Y" or cents(row["Balance"]) or last > day(until):
            continue
        key = invoice_key(row)
        if row["ModuleCode"]:
            company.update("AR_Invoice", key, {"Balance": "0", "IsOpen": "N", **_first(row)})
        else:
            company.table("AR_Invoice").remove(key)
        items.append(key)
    return Closed(items, _drop_temporary(company))


def purge_history(company: Company, through: date) -> list[InvoiceKey]:
    """Purge AR History: invoice history with its lines, dated up to and including `through`.

    A closed item's row vanishes. Of an open one the open part stays, under HeaderSeqNo 000000 and
    without what only history knew: the key of a row changes though nobody renumbered it. Returns
    the keys there were.
    """
    gone: list[InvoiceKey] = []
    for row in list(company.rows("AR_Invoice")):
        key = invoice_key(row)
        dated = parse_day(row["InvoiceDate"])
        if not row["ModuleCode"] or dated is None or dated > through:
            continue
        bare = (*key[:3], "000000", key[4])
        if row["IsOpen"] == "Y" and bare != key and company.find("AR_Invoice", bare) is not None:
            continue  # the open file has the number once: this history waits for the other's purge
        company.table("AR_Invoice").remove(key)
        if row["IsOpen"] == "Y":
            left = {**row, **dict.fromkeys(_OF_HISTORY, ""), "DepositAmt": "0"}
            company.put("AR_Invoice", {**left, "HeaderSeqNo": "000000"})
        for line in list(company.rows("AR_InvoiceDetail", row["InvoiceNo"], row["HeaderSeqNo"])):
            company.table("AR_InvoiceDetail").remove((*key[2:4], line["DetailSeqNo"]))
        gone.append(key)
    return gone


def purge_payments(company: Company, through: date) -> int:
    """Purge the payment history of items that are closed and saw nothing after `through`.

    The lines of one item go together, so what is left still adds up. Returns how many lines went.
    """
    table = company.table("AR_Payment")
    open_items = {item_of(row) for row in company.rows("AR_Invoice") if row["IsOpen"] == "Y"}
    sums: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for row in company.rows("AR_Payment"):
        sums[item_of(row)] += int(number(row["TransactionAmt"]) * 100)
    gone = {
        item
        for item, last in _latest(company).items()
        if last <= day(through) and item not in open_items and sums[item] == 0
    }
    rows = list(company.rows("AR_Payment"))
    kept = [row for row in rows if item_of(row) not in gone]
    table.load([pack(table.entity.cells(row)) for row in kept])
    return len(rows) - len(kept)


def _latest(company: Company) -> dict[tuple[str, ...], str]:
    """The date of the last transaction of each item."""
    latest: dict[tuple[str, ...], str] = {}
    for row in company.rows("AR_Payment"):
        item = item_of(row)
        latest[item] = max(latest.get(item, ""), row["TransactionDate"])
    return latest


def _first(row: Row) -> Row:
    """The stamps of the history row: set when it was posted, and never after."""
    if "DateCreated" not in row:
        return {}
    return {"DateUpdated": row["DateCreated"], "TimeUpdated": row["TimeCreated"]}


def _drop_temporary(company: Company) -> list[tuple[str, str]]:
    owing = {
        (row["ARDivisionNo"], row["CustomerNo"])
        for row in company.rows("AR_Invoice")
        if row["IsOpen"] == "Y"
    }
    gone = []
    for row in list(company.rows("AR_Customer")):
        customer = (row["ARDivisionNo"], row["CustomerNo"])
        if row["TemporaryCustomer"] != "Y" or customer in owing:
            continue
        company.table("AR_Customer").remove(customer)
        for contact in list(company.rows("AR_CustomerContact", *customer)):
            company.table("AR_CustomerContact").remove((*customer, contact["ContactCode"]))
        gone.append(customer)
    return gone
