"""Native invoices and line items: what may become of an invoice, and what HubSpot works out.

A billable invoice leaves the draft only with a contact and a line item; a payment cannot be
recorded through the API. Of non-billable ones the documentation says that nothing is validated,
field reports say otherwise: `InvoiceRules` chooses. Totals follow the line items, where there are
some; a line item belongs to one parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from .changes import CALCULATED, Journal, Record
from .refusals import Invalid, Problem, Refusal

if TYPE_CHECKING:
    from .state import State

TYPES = ("invoices", "line_items")
PARENTS = ("deals", "invoices")
NEEDED = {"contacts": "INVOICE_TO_CONTACT", "line_items": "INVOICE_TO_LINE_ITEM"}
STATUS, BILLABLE, BILLED = "hs_invoice_status", "hs_invoice_billable", "hs_amount_billed"
NEXT = {"draft": ("open",), "open": ("voided",), "paid": (), "voided": ()}
"""What the API may make of a billable invoice; that it is paid is told in the web interface."""

Links = Sequence[tuple[str, int, tuple[int, ...]]]


def settle_new(state: State, object_type: str, values: dict[str, str], links: Links) -> None:
    """Check a new invoice, and add to `values` what HubSpot works out; raises `Refusal`."""
    if object_type == "line_items":
        values |= line_amounts(values)
        return
    linked = {to_type for to_type, _, _ in links}
    status, rules = values[STATUS], state.options.invoices
    if status != "draft":
        if values[BILLABLE] == "true":
            _need(linked, "contacts", "line_items")
            if status != "open":
                raise Refusal(_not_from("draft", status))
        elif rules.status == "strict":
            _need(linked, "line_items")
    if rules.amount == "late" and BILLED in values:
        values[BILLED] = "0"
    values |= amounts(state, values, None)


def settle_change(state: State, object_type: str, record: Record, changes: dict[str, str]) -> None:
    """Check a change, and add to it what HubSpot works out from it; raises `Refusal`."""
    if object_type == "line_items":
        changes |= line_amounts(record.properties | changes)
        return
    held = record.properties
    billable = held.get(BILLABLE, "true")
    if changes.get(BILLABLE, billable) != billable:
        raise Refusal(Problem(message=f"{BILLABLE} can be set only when an invoice is created."))
    before, after = held.get(STATUS, "draft"), changes.get(STATUS) or held.get(STATUS, "draft")
    if after != before:
        _check_step(state, record, before, after)
    lines = total_of_lines(state, record)
    if lines is not None:
        changes.pop(BILLED, None)  # the line items decide
    changes |= amounts(state, held | changes, lines)


def _check_step(state: State, record: Record, before: str, after: str) -> None:
    linked = {to for to in NEEDED if state.graph.ends("invoices", record.id, to)}
    if record.properties.get(BILLABLE, "true") == "true":
        if after not in NEXT[before]:
            raise Refusal(_not_from(before, after))
        if after == "open":
            _need(linked, "contacts", "line_items")
    elif state.options.invoices.status != "documented" and after in ("open", "paid"):
        _need(linked, "line_items")


def _need(linked: set[str], *wanted: str) -> None:
    lacking = [NEEDED[one] for one in wanted if one not in linked]
    if lacking:
        raise Refusal(
            Problem(
                message=(
                    "The invoice cannot be finalized, required associations are missing: "
                    + ", ".join(lacking)
                ),
                context={"missingAssociations": lacking},
            )
        )


def _not_from(before: str, after: str) -> Problem:
    return Problem(message=f"An invoice cannot go from status {before} to {after} this way.")


def need_deletable(state: State, object_type: str, records: Sequence[Record | None]) -> None:
    """Refuse to delete all but drafts, and open ones where the account allows it."""
    if object_type != "invoices":
        return
    allowed = ("draft", "open") if state.options.invoices.delete_open else ("draft",)
    kept = [
        str(one.id)
        for one in records
        if one is not None and one.properties.get(STATUS, "draft") not in allowed
    ]
    if kept:
        raise Refusal(
            Problem(
                message=f"Only invoices with status {' or '.join(allowed)} can be deleted.",
                context={"ids": kept},
            )
        )


def wrong_line(clean: dict[str, str]) -> list[Invalid]:
    """Refuse a negative price."""
    if clean.get("price") and Decimal(clean["price"]) < 0:
        message = f"price must not be negative: {clean['price']}"
        return [Invalid("price", "INVALID_PRICE", message)]
    return []


def other_parent(
    state: State, from_type: str, from_id: int | None, to_type: str, to_id: int
) -> Problem | None:
    """Why two records cannot be associated: the line item among them has another parent."""
    if from_type == "line_items" and to_type in PARENTS and from_id is not None:
        line, parent_type, parent_id = from_id, to_type, to_id
    elif to_type == "line_items" and from_type in PARENTS:
        line, parent_type, parent_id = to_id, from_type, -1 if from_id is None else from_id
    else:
        return None
    held = [(one, end) for one in PARENTS for end in state.graph.ends("line_items", line, one)]
    if not held or held == [(parent_type, parent_id)]:
        return None
    return Problem(
        sub_category="crm.associations.INVALID_IDENTIFIER",
        message=f"Line item {line} already belongs to {held[0][0]} {held[0][1]}.",
        context={"id": [str(line)]},
    )


def line_amounts(values: dict[str, str]) -> dict[str, str]:
    """What a line item comes to: price times quantity, less the discount."""
    if not values.get("price"):
        return {}
    quantity = Decimal(values.get("quantity") or "1")
    before = Decimal(values["price"]) * quantity
    discount = Decimal(values.get("discount") or "0") * quantity
    percentage = Decimal(values.get("hs_discount_percentage") or "0")
    net = before - discount - before * percentage / 100
    return {"amount": _plain(net), "hs_pre_discount_amount": _plain(before)}


def total_of_lines(state: State, invoice: Record) -> Decimal | None:
    """What the line items of an invoice come to; None when there is none."""
    lines = sorted(state.graph.ends("invoices", invoice.id, "line_items"))
    if not lines:
        return None
    if state.options.invoices.totals == "first":
        lines = lines[:1]
    records = [state.stores["line_items"].by_id[one] for one in lines]
    return sum((Decimal(one.properties.get("amount") or "0") for one in records), Decimal(0))


def amounts(state: State, values: dict[str, str], lines: Decimal | None) -> dict[str, str]:
    """The derived amounts of an invoice with these values."""
    found: dict[str, str] = {}
    if lines is not None:
        found[BILLED] = found["hs_subtotal"] = _plain(lines)
    billed_text = found.get(BILLED) or values.get(BILLED)
    if not billed_text:
        return found
    billed, status = Decimal(billed_text), values.get(STATUS)
    paid = billed if status == "paid" else Decimal(0)
    found["hs_amount_paid"] = _plain(paid)
    found["hs_balance_due"] = _plain(Decimal(0) if status == "voided" else billed - paid)
    if values.get("hs_currency") == state.options.company_currency:
        found["hs_amount_billed_in_company_currency"] = _plain(billed)
    return found


def follow_line(state: State, line_id: int) -> None:
    """Work out anew the invoice that a changed line item belongs to."""
    for invoice_id in list(state.graph.ends("line_items", line_id, "invoices")):
        work_out(state, invoice_id)


def work_out(state: State, invoice_id: int) -> None:
    """Write an invoice's totals anew, as HubSpot does by itself."""
    invoice = state.stores["invoices"].live(str(invoice_id))
    if invoice is None:
        return
    derived = amounts(state, invoice.properties, total_of_lines(state, invoice))
    changed = {name: one for name, one in derived.items() if invoice.properties.get(name) != one}
    if changed:
        journal = Journal(state.timestamp(), CALCULATED)
        state.stores["invoices"].update(invoice, changed, journal)
        state.indexed("invoices", invoice)


def _plain(amount: Decimal) -> str:
    """A number as HubSpot shows it: no exponent, no zeros at the end."""
    text = f"{amount.normalize():f}"
    return "0" if text in ("-0", "") else text
