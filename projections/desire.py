"""What HubSpot should hold for one target, from the rows as they stand.

A target is its kind and external key. The answer is a set of properties, a reason why the record
becomes no object, or None: not enough is known yet, and the rows still missing will bring the
question back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from projections import contact, customer, invoice, keys, line, personal, vendor
from projections.mapping.compiled import CompiledMapping
from projections.tables import Account, Bill, OpenItem, Source, SourceRow, Target
from projections.workspace import Workspace

# As the log has told it from the first: what begins with "gone" is known by that.
GONE: Final = "gone from Sage 100 before it was ever sent"
REPLACED: Final = "gone from the open items: another row of its number is open, its own comes later"
_NOWHERE: Final = Source()
_NO_BILL: Final = Bill()
_LINKED: Final = tuple(f"{kind}/" for kind in keys.PARTS)


class Skip(NamedTuple):
    """By rule this record becomes no HubSpot object."""

    reason: str


class Knowledge(NamedTuple):
    """Rows found by prefix. `open_items`: company target key to its receivables; `terms`:
    company code to terms code to raw row."""

    open_items: dict[str, list[OpenItem]]
    terms: dict[str, dict[str, dict[str, str]]]


class Reads(NamedTuple):
    """Rows to load: table to keys, and prefixes of `open_item` and `terms` to scan."""

    rows: dict[str, set[str]]
    open_items: set[str]
    terms: set[str]


def reads(targets: Iterable[str]) -> Reads:
    """The rows that deciding on these targets needs."""
    rows: dict[str, set[str]] = defaultdict(set)
    open_items: set[str] = set()
    terms: set[str] = set()
    for name in targets:
        kind, key = keys.split_target(name)
        code = keys.company_code(key)
        rows["target"].add(name)
        rows["source"].add(code)
        terms.add(f"{code}:")
        if kind == "companies":
            rows["account"].add(key)
            open_items.add(f"{key}:")
        elif kind == "vendors":
            rows["vendor"].add(key)
        elif kind == "line_items":
            rows["detail"].add(keys.detail_of(key))
            rows["target"].add(keys.association(name, keys.parents(name)[0]))
        elif kind == "associations":
            child_kind, child = keys.split_target(keys.ends(key)[0])
            rows["account"].add(keys.customer_of(child))
            if child_kind == "invoices":
                rows["bill"].add(keys.bill_of(child))
        elif kind in {"contacts", "invoices"}:
            parent = keys.customer_of(key)
            rows["account"].add(parent)
            if kind == "contacts":
                rows["contact"].add(key)
            else:
                rows["bill"].add(keys.bill_of(key))
            rows["target"].add(keys.association(name, f"companies/{parent}"))
    return Reads(rows, open_items, terms)


def links(name: str, work: Workspace) -> list[str]:
    """The association targets a contact, invoice or line should have, from loaded rows."""
    if not name.startswith(_LINKED):
        return []
    kind, key = keys.split_target(name)
    if kind == "line_items":
        return [keys.association(name, keys.parents(name)[0])]
    parent = keys.customer_of(key)
    found = [keys.association(name, f"companies/{parent}")]
    if kind == "invoices":
        own = contact.primary_key(parent, work.get("account", Account, parent))
        if own is not None:
            found.append(keys.association(name, f"contacts/{own}"))
        bought = _buyer(key, work)
        if bought:
            found.append(keys.association(name, f"companies/{bought}"))
        ledger = work.get("target", Target, name)
        if ledger is not None and ledger.deal:
            found.append(keys.association(name, f"deals/{ledger.deal}"))
    return found


def wants_link(name: str, work: Workspace) -> bool:
    """Whether two records belong together still: an invoice's contact, deal and sold-to customer
    may be others now.

    Needs the rows of `reads`, and both ends.
    """
    left, right = keys.ends(keys.split_target(name)[1])
    (child_kind, child), (kind, key) = keys.split_target(left), keys.split_target(right)
    if child_kind != "invoices":
        return True
    if kind == "deals":
        ledger = work.get("target", Target, left)
        return ledger is not None and ledger.deal == key
    if kind == "contacts":
        parent = keys.customer_of(child)
        own = contact.primary_key(parent, work.get("account", Account, parent))
        return own is None or own == key
    return key in {keys.customer_of(child), _buyer(child, work)}


def _buyer(key: str, work: Workspace) -> str:
    """Who bought what this invoice bills, where another one pays; "" else."""
    bill = work.get("bill", Bill, keys.bill_of(key)) or _NO_BILL
    return invoice.buyer(key, bill.rows.get(keys.sequence_of(key), {}))


def garbage(name: str, work: Workspace) -> dict[str, str]:
    """The amounts of an invoice that are no numbers: column to what it holds."""
    if not name.startswith("invoices/"):
        return {}
    key = keys.split_target(name)[1]
    bill = work.get("bill", Bill, keys.bill_of(key))
    row = invoice.standing(key, bill) if bill is not None else None
    return invoice.unread(row) if row is not None else {}


def gone(name: str, work: Workspace) -> str:
    """Why a company, vendor, contact, invoice or line is not to be made in HubSpot any more; ""
    while its source record is there.
    """
    kind, key = keys.split_target(name)
    if kind == "invoices":
        bill = work.get("bill", Bill, keys.bill_of(key)) or _NO_BILL
        if keys.sequence_of(key) in bill.gone:
            return GONE
        return REPLACED if keys.sequence_of(key) in bill.ended else ""
    found: Account | SourceRow | None
    match kind:
        case "companies":
            found = work.get("account", Account, key)
        case "vendors":
            found = work.get("vendor", SourceRow, key)
        case "line_items":
            found = work.get("detail", SourceRow, keys.detail_of(key))
        case "contacts":
            # A company's own contact has no row; it goes with its company.
            found = work.get("contact", SourceRow, key)
            found = found or work.get("account", Account, keys.customer_of(key))
        case _:
            return ""
    return GONE if found is not None and found.vanished else ""


def _exists(name: str, work: Workspace) -> bool:
    ledger = work.get("target", Target, name)
    return ledger is not None and ledger.hubspot_id != ""


def properties(
    name: str, work: Workspace, mapping: CompiledMapping, known: Knowledge
) -> dict[str, str] | Skip | None:
    """The desired properties of a company, vendor, contact, invoice or line of an invoice."""
    kind, key = keys.split_target(name)
    code = keys.company_code(key)
    source = work.get("source", Source, code) or _NOWHERE
    terms = known.terms.get(code, {})
    derived: dict[str, str] | None
    match kind:
        case "companies":
            account = work.get("account", Account, key)
            if account is None or account.row is None:
                return None
            row = account.row
            derived = customer.facts(key, account, known.open_items.get(key, []), terms, source)
            served = source.columns.get("AR_Customer", ())
        case "vendors":
            found = work.get("vendor", SourceRow, key)
            if found is None:
                return None
            if found.erased and not _exists(name, work):
                return Skip(personal.ERASED)
            row = found.row
            derived = vendor.facts(key, row)
            served = source.columns.get("AP_Vendor", ())
        case "contacts":
            person = work.get("contact", SourceRow, key)
            row = person.row if person is not None else {}
            account = work.get("account", Account, keys.customer_of(key))
            ledger = work.get("target", Target, name)
            erased = bool(account and account.erased) or bool(person and person.erased)
            if erased and not _exists(name, work):
                return Skip(personal.ERASED)
            derived = contact.facts(
                key,
                person.row if person is not None else None,
                account,
                is_known=ledger is not None and ledger.version > 0,
                is_erased=erased,
            )
            served = source.columns.get("AR_CustomerContact", ())
        case "invoices":
            bill = work.get("bill", Bill, keys.bill_of(key))
            found_row = bill.rows.get(keys.sequence_of(key)) if bill is not None else None
            if bill is None or found_row is None:
                return None
            row = invoice.standing(key, bill) or found_row
            reason = invoice.skip_reason(row)
            if reason:
                return Skip(reason)
            derived = invoice.facts(key, bill, terms, source)
            served = source.columns.get("AR_Invoice", ())
        case "line_items":
            detail = work.get("detail", SourceRow, keys.detail_of(key))
            if detail is None:
                return None
            if kind not in mapping.objects:
                return Skip(line.NOT_MAPPED)
            row = detail.row
            reason = line.skip_reason(key, row)
            if reason and not _exists(name, work):
                return Skip(reason)
            derived = line.facts(key, row)
            served = source.columns.get("AR_InvoiceDetail", ())
        case _:
            return None
    if derived is None:
        return None
    return mapping.objects[kind].shape(row, derived, served)
