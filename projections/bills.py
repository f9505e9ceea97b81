"""The fold of bills: what goes by one customer, invoice number and type, and what it adds to whom.

A bill has a row for each HeaderSeqNo that its number was posted under, and payments. The open file
of Sage 100 holds it once whatever the HeaderSeqNo (sage100 section 2.3): where one sequence is seen
open, another one that was open before is so no more, though its own row still has to be seen again:
its history was purged, or its number is in use anew. Where that one is then seen as it was before,
closed and under an older stamp, a backup was restored, and the other stands as its own row says.
Rows may come in any order.
"""

from __future__ import annotations

from typing import Final

import msgspec

from projections import invoice, keys
from projections.folding import Folding
from projections.tables import Account, Bill, PlainText

replace = msgspec.structs.replace
_NEW_ACCOUNT: Final = Account()
_NEW_BILL: Final = Bill()


# ---------------------------------------------------------------- one bill by itself


def observed(bill: Bill, sequence: str, row: dict[str, str]) -> Bill:
    """The bill once a row of it was seen, open or not: what is said of that row holds."""
    ended = {other: by for other, by in bill.ended.items() if other != sequence}
    if invoice.is_open(row):
        ended |= {other: sequence for other in open_rows(bill) if other != sequence}
    elif _was_restored(bill.rows.get(sequence, {}), row):
        ended = _given_back(bill, sequence, ended)
    return replace(
        bill,
        rows={**bill.rows, sequence: row},
        gone=tuple(other for other in bill.gone if other != sequence),
        withdrawn=tuple(other for other in bill.withdrawn if other != sequence),
        ended=ended,
    )


def _was_restored(before: dict[str, str], row: dict[str, str]) -> bool:
    return invoice.is_open(before) and invoice.was_restored(invoice.stamp(before), row)


def vanished(bill: Bill, sequence: str, *, withdrawn: bool) -> Bill:
    """The bill once a row is gone.

    What that row had ended is open again as its own row says, which complete sweeps have seen,
    unless another one is.
    """
    ended = {other: by for other, by in bill.ended.items() if other != sequence}
    return replace(
        bill,
        gone=tuple(sorted({*bill.gone, sequence})),
        withdrawn=tuple(sorted({*bill.withdrawn, sequence})) if withdrawn else bill.withdrawn,
        ended=_given_back(bill, sequence, ended),
    )


def _given_back(bill: Bill, sequence: str, ended: dict[str, str]) -> dict[str, str]:
    """What is ended still once `sequence` has ended nothing."""
    back = sorted(other for other, by in ended.items() if by == sequence)
    standing = next((other for other in open_rows(bill) if other != sequence), "")
    left = dict(ended)
    if back and not standing:
        standing = back.pop()
        del left[standing]
    return left | dict.fromkeys(back, standing)


def open_rows(bill: Bill) -> dict[str, dict[str, str]]:
    """HeaderSeqNo to row of what stands in the open file, as far as rows tell: one, or none."""
    return {
        sequence: row
        for sequence, row in bill.rows.items()
        if invoice.is_open(row) and sequence not in bill.gone and sequence not in bill.ended
    }


# ---------------------------------------------------------------- the fold


def see_invoice(key: str, row: dict[str, str], position: int, into: Folding) -> bool:
    """A row of AR_Invoice (ABC:01-ABF:0100215-000001-IN); whether it is the first of this key."""
    name, sequence = keys.bill_of(key), keys.sequence_of(key)
    before = into.work.get("bill", Bill, name) or _NEW_BILL
    after = observed(before, sequence, row)
    into.work.put("bill", name, after)
    is_new = sequence not in before.rows
    _resell(key, before.rows.get(sequence, {}), row, position, into)
    _reopen(name, sequence, before, after, position, into)
    _contribute(name, before, after, position, into, invoices=int(is_new))
    return is_new


def lose_invoice(key: str, position: int, into: Folding, *, withdrawn: bool) -> None:
    """A row of AR_Invoice is gone; what is `withdrawn` never was, and adds to nothing any more."""
    name, sequence = keys.bill_of(key), keys.sequence_of(key)
    before = into.work.get("bill", Bill, name) or _NEW_BILL
    after = vanished(before, sequence, withdrawn=withdrawn)
    if sequence in before.rows:
        into.work.put("bill", name, after)
        _contribute(name, before, after, position, into)
    _reopen(name, sequence, before, after, position, into)


def see_payment(key: str, row: dict[str, str], position: int, into: Folding) -> None:
    """A row of AR_Payment (ABC:01-ABF:0100215-IN:20261101-000001)."""
    name, _, line = key.rpartition(":")
    before = into.work.get("bill", Bill, name) or _NEW_BILL
    after = replace(before, payments={**before.payments, line: invoice.payment_entry(row)})
    _pay(name, before, after, position, into)


def lose_payment(key: str, position: int, into: Folding) -> None:
    """A payment that never was, seen in a pass that was held. (A purge leaves those made.)"""
    name, _, line = key.rpartition(":")
    before = into.work.get("bill", Bill, name)
    if before is not None and line in before.payments:
        left = {other: paid for other, paid in before.payments.items() if other != line}
        _pay(name, before, replace(before, payments=left), position, into)


def _reopen(
    name: str, sequence: str, before: Bill, after: Bill, position: int, into: Folding
) -> None:
    """Open items as the bill has them now; this row and all whose standing changed are dirty."""
    was, now = open_rows(before), open_rows(after)
    for one in sorted({sequence} | (was.keys() ^ now.keys())):
        key = keys.invoice_of(name, one)
        item = invoice.open_item(now[one]) if one in now else None
        if item is not None:
            into.work.put("open_item", key, item)
        else:
            into.work.remove("open_item", key)
        into.dirty[f"invoices/{key}"] = position
    into.dirty[f"companies/{keys.customer_of(name)}"] = position


def _pay(name: str, before: Bill, after: Bill, position: int, into: Folding) -> None:
    """The bill's payments have changed: its customer and its invoices show them."""
    into.work.put("bill", name, after)
    _contribute(name, before, after, position, into)
    into.dirty[f"companies/{keys.customer_of(name)}"] = position
    for sequence in after.rows:
        into.dirty[f"invoices/{keys.invoice_of(name, sequence)}"] = position


def _resell(
    key: str, before: dict[str, str], row: dict[str, str], position: int, into: Folding
) -> None:
    """Keep the invoices in mind that a customer bought and another one pays; the link of one that
    was sold to somebody else is to be looked at.
    """
    was, now = invoice.buyer(key, before), invoice.buyer(key, row)
    if was and was != now:
        into.work.remove("bought", f"{was}>{key}")
        into.dirty[keys.association(f"invoices/{key}", f"companies/{was}")] = position
    if now:
        into.work.put("bought", f"{now}>{key}", PlainText())


def buyers(key: str, bill: Bill) -> set[str]:
    """Who bought what is billed under the number of this invoice, as far as others pay it."""
    return {found for row in bill.rows.values() if (found := invoice.buyer(key, row))}


def _contribute(
    name: str, before: Bill, after: Bill, position: int, into: Folding, invoices: int = 0
) -> None:
    """Replace what the bill added to its customer, and to who bought, by what it adds now.

    The newest payment of all bills is known, not the one before it. When it is taken back, the
    bill's own one stands in its place, and Sage 100's own memory beside it (`retracted`).
    """
    customer = keys.customer_of(name)
    was, now = invoice.sold_to(name, before), invoice.sold_to(name, after)
    for other in sorted((was ^ now) - {customer}):
        found = into.work.get("account", Account, other) or _NEW_ACCOUNT
        posted = found.posted + (1 if other in now else -1)
        into.work.put("account", other, replace(found, posted=posted))
        into.dirty[f"companies/{other}"] = position
    account = into.work.get("account", Account, customer) or _NEW_ACCOUNT
    old_count, old_days = invoice.paid_days(before)
    count, days = invoice.paid_days(after)
    last, newest = account.last_payment, invoice.newest_payment(after)
    retracted = last is not None and newest != last and last == invoice.newest_payment(before)
    retracted = retracted and invoice.later_payment(newest, last) == last
    into.work.put(
        "account",
        customer,
        replace(
            account,
            posted=account.posted - (customer in was) + (customer in now),
            invoices=account.invoices + invoices,
            last_payment=newest if retracted else invoice.later_payment(last, newest),
            retracted=account.retracted or retracted,
            paid_count=account.paid_count - old_count + count,
            paid_days=account.paid_days - old_days + days,
        ),
    )
