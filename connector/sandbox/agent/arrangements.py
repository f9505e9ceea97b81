"""Customers whose receivables are kept in another way: national accounts and balance forward.

Under a national account one customer buys and another owes: CustomerNo of the open item is the
payer, SoldTo* the buyer (reference 2.3, 2.4). A balance-forward customer (OpenItemCustomer N) has
single items only until its period ends; then one line BF holds what is left, and charges come as
BC (reference 5.1). Neither BF nor BC is an invoice.
"""

from __future__ import annotations

from typing import Any

from connector.sandbox.agent import maintenance, posting
from connector.sandbox.agent.errors import ModelError
from connector.sandbox.agent.model import Company
from connector.sandbox.agent.posting import CustomerKey, InvoiceKey, Money
from connector.sandbox.agent.renumbering import invoice_key
from connector.sandbox.agent.values import amount as text_of
from connector.sandbox.agent.values import cents

FORWARD_NO = "BALFWD"


def national_invoice(
    company: Company, payer: CustomerKey, buyer: CustomerKey, total: Money, **more: Any
) -> InvoiceKey:
    """Post an invoice that `buyer` caused and `payer` owes; `more` as for `post_invoice`."""
    company.row("AR_Customer", buyer)
    sold_to = {"SoldToDivisionNo": buyer[0], "SoldToCustomerNo": buyer[1]}
    fields = {**(more.pop("fields", None) or {}), **sold_to}
    return posting.post_invoice(company, payer, total, fields=fields, **more)


def keep_balance_forward(company: Company, customer: CustomerKey, *, stamp: bool = True) -> None:
    """Make the customer a balance-forward customer; its items stay until `carry_forward`."""
    maintenance.change_customer(company, customer, {"OpenItemCustomer": "N"}, stamp=stamp)


def carry_forward(company: Company, customer: CustomerKey) -> InvoiceKey | None:
    """The period end of a balance-forward customer: its items become one line BF, no stamp.

    Each item is written off by an adjustment and leaves the open file (history stays), the BF line
    takes the sum, and AR_Customer.BalanceForward shows it. None when there was nothing to carry.
    The adjustments are this simulator's way to keep the books; the reference does not tell Sage's.
    """
    row = company.row("AR_Customer", customer)
    if row["OpenItemCustomer"] != "N":
        raise ModelError(f"{'-'.join(customer)} is an open-item customer: nothing is carried")
    today = company.clock().date()
    carried = 0
    count = 0
    forward = (*customer, FORWARD_NO, "000000", "BF")
    for item in list(company.rows("AR_Invoice", *customer)):
        key = invoice_key(item)
        if item["IsOpen"] != "Y" or key == forward:
            continue
        balance = cents(item["Balance"])
        if balance:
            posting.apply(company, key, "A", -balance, today, "", {}, stamp=False)
        carried += balance
        count += 1
        if item["ModuleCode"]:
            company.update("AR_Invoice", key, {"Balance": "0", "IsOpen": "N"})
        else:
            company.table("AR_Invoice").remove(key)
    if not count:
        return None
    there = company.find("AR_Invoice", forward)
    if there is not None and there["IsOpen"] == "Y":
        if carried:
            posting.apply(company, forward, "A", carried, today, "", {}, stamp=False)
    elif carried:
        posting.post_invoice(
            company,
            customer,
            text_of(carried),
            invoice_type="BF",
            invoice_no=FORWARD_NO,
            stamp=False,
        )
    left = company.find("AR_Invoice", forward)
    company.update(
        "AR_Customer", customer, {"BalanceForward": "0" if left is None else left["Balance"]}
    )
    return None if left is None else forward
