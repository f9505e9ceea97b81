"""Canonical keys: one function per question, so that a record has one name everywhere.

Sage 100 keys keep padding and case (reference: sage100 section 4); only trailing blanks are cut.
Parts are escaped so that separators inside a CustomerNo can never make two records one:
`%`, `:`, `>`, `/` and control characters become %XX. Shapes:

    AR_Customer 01, ABF                        01-ABF
    AR_CustomerContact 01, ABF, JOE            01-ABF:JOE
    AR_Invoice 01, ABF, 0100215, 000001, IN    01-ABF:0100215-000001-IN
    AR_Payment …                               01-ABF:0100215-IN:20261101-000001
    AR_CustomerSalesHistory …                  01-ABF:2026-05
    AP_Vendor 00, V001                         00-V001
    AR_InvoiceDetail 0100215, 000001, 000002   0100215-000001-000002

The external key in HubSpot is the company code, a colon and that: `ABC:01-ABF`.
A target names a HubSpot object: `companies/ABC:01-ABF`; its stream is `hubspot/` + target.
"""

from __future__ import annotations

import re
from typing import Final

# How the key columns of an entity are grouped: "-" inside a group, ":" between groups.
_GROUPS: Final[dict[str, tuple[tuple[int, ...], ...]]] = {
    "AR_Customer": ((0, 1),),
    "AR_CustomerContact": ((0, 1), (2,)),
    "AR_TermsCode": ((0,),),
    "AR_CustomerSalesHistory": ((0, 1), (2, 3)),
    "AR_Invoice": ((0, 1), (2, 3, 4)),
    "AR_InvoiceDetail": ((0, 1, 2),),
    "AR_Payment": ((0, 1), (2, 3), (4, 5)),
    "AP_Vendor": ((0, 1),),
}

KEY_COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "AR_Customer": ("ARDivisionNo", "CustomerNo"),
    "AR_CustomerContact": ("ARDivisionNo", "CustomerNo", "ContactCode"),
    "AR_TermsCode": ("TermsCode",),
    "AR_CustomerSalesHistory": ("ARDivisionNo", "CustomerNo", "FiscalYear", "FiscalPeriod"),
    "AR_Invoice": ("ARDivisionNo", "CustomerNo", "InvoiceNo", "HeaderSeqNo", "InvoiceType"),
    "AR_InvoiceDetail": ("InvoiceNo", "HeaderSeqNo", "DetailSeqNo"),
    "AR_Payment": (
        "ARDivisionNo",
        "CustomerNo",
        "InvoiceNo",
        "InvoiceType",
        "TransactionDate",
        "SequenceNo",
    ),
    "AP_Vendor": ("APDivisionNo", "VendorNo"),
}

# HubSpot objects keyed under a customer, `contacts/ABC:01-ABF:JOE`; each is linked to its parent.
PARTS: Final = ("contacts", "invoices", "line_items")

# The same as templates, "{0}-{1}:{2}": a key is made for every row that is read.
_FORMS: Final = {
    entity: ":".join("-".join(f"{{{part}}}" for part in group) for group in groups)
    for entity, groups in _GROUPS.items()
}
_ESCAPED: Final = re.compile(r"%([0-9A-F]{2})")
_UNSAFE: Final = re.compile(r"[%:>/\x00-\x1f\x7f]")


def escape(part: str) -> str:
    """One part of a key as keys hold it."""
    if _UNSAFE.search(part) is None:
        return part
    return _UNSAFE.sub(lambda found: f"%{ord(found.group()):02X}", part)


def record_key(entity: str, parts: list[str]) -> str:
    """The key of one source row, without its company code. Parts in the entity's key order."""
    cut = [part.rstrip(" ") for part in parts]
    if _UNSAFE.search(" ".join(cut)) is not None:
        cut = [escape(part) for part in cut]
    form = _FORMS.get(entity)
    return ":".join(cut) if form is None else form.format(*cut)


def plain(key: str) -> str:
    """A record key as people read it in Sage 100, escapes undone: `01-C%2FO` -> `01-C/O`."""
    return _ESCAPED.sub(lambda found: chr(int(found.group(1), 16)), key) if "%" in key else key


def external_key(company: str, key: str) -> str:
    """`ABC:01-ABF`: unique over all companies of a deployment."""
    return f"{company}:{key}"


def customer_of(external: str) -> str:
    """`ABC:01-ABF:0100215-000001-IN` -> `ABC:01-ABF`: the customer an external key belongs to."""
    company, _, rest = external.partition(":")
    return f"{company}:{rest.partition(':')[0]}"


def company_code(external: str) -> str:
    """`ABC:01-ABF` -> `ABC`."""
    return external.partition(":")[0]


def bill_of(invoice: str) -> str:
    """`ABC:01-ABF:0100215-000001-IN` -> `ABC:01-ABF:0100215-IN`, what payments refer to."""
    head, _, tail = invoice.rpartition(":")
    number, _, sequence_type = tail.rpartition("-")
    number, _, _ = number.rpartition("-")
    return f"{head}:{number}-{sequence_type}"


def invoice_of(bill: str, sequence: str) -> str:
    """The invoice of a bill (`ABC:01-ABF:0100215-IN`) that has this HeaderSeqNo."""
    number, _, invoice_type = bill.rpartition("-")
    return f"{number}-{sequence}-{invoice_type}"


def sequence_of(invoice: str) -> str:
    """`ABC:01-ABF:0100215-000001-IN` -> `000001`."""
    return invoice.rpartition(":")[2].rsplit("-", 2)[1]


def code_of(external: str) -> str:
    """`ABC:N%2F3` -> `N/3`: a record of one key column as the rows of others refer to it."""
    return plain(external.partition(":")[2])


def details_of(invoice: str) -> str:
    """`ABC:01-ABF:0100215-000001-IN` -> `ABC:0100215-000001-`: what its lines' keys begin with."""
    tail = invoice.rpartition(":")[2].rpartition("-")[0]
    return f"{company_code(invoice)}:{tail}-"


def line_of(detail: str, invoice: str) -> str:
    """The line `ABC:0100215-000001-000002` of an invoice: the invoice's key, `:` and `000002`.

    Sage 100 keys lines without their customer; HubSpot is told of them as parts of their invoice.
    """
    return f"{invoice}:{detail.rpartition('-')[2]}"


def detail_of(line: str) -> str:
    """`ABC:01-ABF:0100215-000001-IN:000002` -> `ABC:0100215-000001-000002`."""
    invoice, _, number = line.rpartition(":")
    return details_of(invoice) + number


def sage_stream(instance: str, company: str, entity: str, key: str) -> str:
    """The stream of one source record."""
    return f"sage/{instance}/{company}/{entity}/{key}"


def poll_stream(instance: str, company: str, entity: str) -> str:
    """The stream of one entity's passes."""
    return f"poll/{instance}/{company}/{entity}"


def hubspot_stream(target: str) -> str:
    """The stream of one target."""
    return f"hubspot/{target}"


def target_of(stream: str) -> str:
    """The target of a `hubspot_stream`."""
    return stream.removeprefix("hubspot/")


def target(kind: str, external: str) -> str:
    """`companies/ABC:01-ABF`."""
    return f"{kind}/{external}"


def split_target(name: str) -> tuple[str, str]:
    """`companies/ABC:01-ABF` -> ("companies", "ABC:01-ABF")."""
    kind, _, external = name.partition("/")
    return kind, external


def association(child: str, parent: str) -> str:
    """The association target of two targets: `associations/contacts:K>companies:P`."""
    return f"associations/{child.replace('/', ':', 1)}>{parent.replace('/', ':', 1)}"


def ends(association_key: str) -> tuple[str, str]:
    """`contacts:K>companies:P` -> ("contacts/K", "companies/P")."""
    left, _, right = association_key.partition(">")
    return left.replace(":", "/", 1), right.replace(":", "/", 1)


def joined(name: str) -> tuple[str, ...]:
    """The two targets that a link joins; none of any other target."""
    kind, external = split_target(name)
    return ends(external) if kind == "associations" else ()


def parents(name: str) -> tuple[str, ...]:
    """The targets that must exist in HubSpot before this one is sent (architecture, rule 8)."""
    kind, external = split_target(name)
    if kind == "associations":
        return ends(external)
    if kind in {"contacts", "invoices"}:
        return (target("companies", customer_of(external)),)
    if kind == "line_items":
        return (target("invoices", external.rpartition(":")[0]),)
    return ()
