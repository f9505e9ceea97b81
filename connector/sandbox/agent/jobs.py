"""The jobs of Sage 100 that change rows and stamp nothing: what a date filter never sees.

Reference 3.2: Visual Integrator imports, matching credits to open invoices, and the recalculation
of the aging all leave DateUpdated as it was. The books stay right to the cent all the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date

from connector.sandbox.agent import maintenance, posting
from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.model import Company
from connector.sandbox.agent.posting import CustomerKey, InvoiceKey, Money
from connector.sandbox.agent.terms import BUCKETS, bucket
from connector.sandbox.agent.values import amount as text_of
from connector.sandbox.agent.values import cents, day, parse_day

# Type of the credit → TransactionType of the line that it leaves on the invoice.
_APPLIED = {"CM": "C", "PP": "X", "PY": "P"}


def import_customers(
    company: Company,
    fields: Mapping[str, str],
    customers: Iterable[CustomerKey] | None = None,
    *,
    stamp: bool = False,
) -> int:
    """A Visual Integrator import over many customers (None: all): the same cells in each.

    A customer that does not exist is entered. `stamp=True` is the job that maps the stamp fields,
    as integrators ask for. Returns how many rows were written.
    """
    if customers is None:
        customers = [(r["ARDivisionNo"], r["CustomerNo"]) for r in company.rows("AR_Customer")]
    count = 0
    for customer in customers:
        if company.find("AR_Customer", customer) is None:
            maintenance.add_customer(company, customer, fields, stamp=stamp)
        else:
            maintenance.change_customer(company, customer, fields, stamp=stamp)
        count += 1
    return count


def match_credit(
    company: Company, credit: InvoiceKey, invoice: InvoiceKey, amount: Money | None = None
) -> None:
    """Apply an open credit (CM, PP or PY) to an open item: both balances change, no stamp does.

    `amount` is positive and defaults to as much as both can take. Both items get a line in the
    payment history. ModelError when they are not open, of different customers, or too small.
    """
    giver, taker = posting.open_item(company, credit), posting.open_item(company, invoice)
    if credit[:2] != invoice[:2]:
        raise ModelError("a credit can only be matched with items of the same customer")
    most = min(-cents(giver["Balance"]), cents(taker["Balance"]))
    moved = most if amount is None else cents(amount)
    kind = _APPLIED.get(credit[4])
    if kind is None or not 0 < moved <= most:
        raise ModelError(
            f"{'-'.join(credit)} cannot give {text_of(moved)}: it is no credit, or one of the two "
            f"balances is too small ({giver['Balance']} and {taker['Balance']})"
        )
    today = company.clock().date()
    posting.apply(company, invoice, kind, -moved, today, "", {}, stamp=False)
    posting.apply(company, credit, "A", moved, today, "", {}, stamp=False)


def refresh_aging(
    company: Company, as_of: date | None = None, customers: Iterable[CustomerKey] | None = None
) -> int:
    """The aging report with update: recalculates the buckets and DateLastAging, and no more.

    It sorts the open items anew as of that day (None: today), so the buckets move among themselves
    and their sum stays (reference 5.4). Returns how many customers (None: all) were aged.
    """
    at = as_of or company.clock().date()
    wanted = None if customers is None else set(customers)
    sums: defaultdict[CustomerKey, list[int]] = defaultdict(lambda: [0] * len(BUCKETS))
    for row in company.rows("AR_Invoice"):
        customer = (row["ARDivisionNo"], row["CustomerNo"])
        balance = cents(row["Balance"])
        if balance and (wanted is None or customer in wanted):
            invoiced = parse_day(row["InvoiceDate"]) or at
            due = parse_day(row["InvoiceDueDate"]) or invoiced
            sums[customer][bucket(company.options, invoiced=invoiced, due=due, as_of=at)] += balance
    count = 0
    for row in list(company.rows("AR_Customer")):
        customer = (row["ARDivisionNo"], row["CustomerNo"])
        if wanted is None or customer in wanted:
            aged = dict(zip(BUCKETS, map(text_of, sums[customer]), strict=True))
            company.update("AR_Customer", customer, {**aged, "DateLastAging": day(at)})
            count += 1
    return count
