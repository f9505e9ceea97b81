"""The derived facts a mapping may name beside raw columns.

A fact is text in Sage 100's own style (dates YYYYMMDD, decimals), so that every transform works
on columns and facts alike.
"""

from __future__ import annotations

from typing import Final

DERIVED: Final[dict[str, str]] = {
    "key.external": "our external key, e.g. ABC:01-ABF",
    "key.company": "the Sage 100 company code",
    "key.record": "the Sage 100 key as people write it, e.g. 01-ABF",
    "key.customer": "the external key of the customer the record belongs to",
    "key.sold_to": "the external key of the customer who bought, where another one pays",
    "key.invoice": "the external key of the invoice a line belongs to",
    "source.currency": "the company's home currency",
    "terms.description": "the text of the record's terms code",
    "account.stage": "prospect, or customer once an invoice has been posted",
    "account.street": "first address line",
    "account.domain": "web domain from the URL or the e-mail address",
    "account.revenue": "DollarsSold of the last fiscal periods (revenue_periods)",
    "account.last_payment_date": "date of the newest payment",
    "account.last_payment_amount": "amount of the newest payment",
    "account.average_days_to_pay": "mean days from invoice to last payment, over paid invoices",
    "aging.balance": "sum of open balances",
    "aging.current": "not late",
    "aging.bucket_1": "late up to the first limit (1-30 days)",
    "aging.bucket_2": "late up to the second limit (31-60 days)",
    "aging.bucket_3": "late up to the third limit (61-90 days)",
    "aging.bucket_4": "later than that (over 90 days)",
    "aging.oldest_due": "due date of the oldest open debit",
    "aging.as_of": "the day the aging was computed for",
    "sage.aged_balance": "the balance that Sage 100's own aging last wrote on the customer",
    "sage.aged_on": "the day of that aging",
    "contact.first_name": "first name",
    "contact.last_name": "last name",
    "contact.email": "first valid e-mail address",
    "contact.phone": "telephone number with extension",
    "contact.title": "job title",
    "contact.company": "the customer's name",
    "invoice.total": "taxable + non-taxable + freight + tax, signed",
    "invoice.balance": "open balance, signed",
    "invoice.status": "open, partial, paid, credit, void or gone",
    "invoice.native_status": "HubSpot's own status: open, paid or voided; none for credits",
    "invoice.due_date": "stored due date, or the one the terms give",
    "invoice.days_overdue": "whole days past due while open",
    "invoice.type": "the invoice type in words",
    "invoice.last_payment_date": "date of the newest payment on it",
    "line.name": "description of a line of an invoice, or its item code",
    "line.quantity": "quantity, or 1 where quantity and price do not come to what was charged",
    "line.price": "price of one, or what was charged for the whole line",
    "line.amount": "what was charged for the line",
    "constant.true": "true",
    "constant.false": "false",
    "constant.vendor": "VENDOR",
    "constant.prospect": "PROSPECT",
}
