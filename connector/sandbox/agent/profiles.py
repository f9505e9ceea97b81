"""Which Sage 100 the simulated one is: another version has other columns, other widths.

Column names, widths and keys depend on the version and on the site, so a client has to read them
from GetInfo and may not know them by heart. What differs follows the file layouts: created stamps
and the sold-to columns stand at the tail of their files, hence came late; names, addresses and
telephones were narrower; from 2025 invoice numbers may have 20 characters; sites add `UDF_` columns
and third parties prefixed ones (reference 2.0, 2.3 and 4).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from connector.sandbox.agent.layouts import ENTITIES, Entity, revised

Profile = Literal["current", "old", "new", "messy"]
PROFILES: tuple[Profile, ...] = ("current", "old", "new", "messy")
EXPANDED = 20  # characters of an expanded invoice number
NUMBERED = ("AR_Invoice", "AR_InvoiceDetail", "AR_Payment")  # files that hold InvoiceNo

_NARROW = {
    "CustomerName": 30,
    "VendorName": 30,
    "AddressLine1": 30,
    "AddressLine2": 30,
    "AddressLine3": 30,
    "City": 20,
    "TelephoneNo": 17,
    "TelephoneNo1": 17,
    "TelephoneNo2": 17,
    "FaxNo": 17,
    "TelephoneExt": 5,
    "TelephoneExt1": 5,
    "TelephoneExt2": 5,
    "CustomerPONo": 15,
    "AppliedCustomerPONo": 15,
}


class Version(msgspec.Struct, frozen=True):
    """One profile: Sage 100's version, and per entity what it lacks and what it has besides."""

    sage100: str
    lacking: dict[str, str] = {}
    narrow: dict[str, int] = {}
    besides: dict[str, str] = {}
    expanded: bool = False
    irregular: bool = False


VERSIONS: dict[Profile, Version] = {
    "current": Version("7.30"),
    "messy": Version("7.30", irregular=True),
    "old": Version(
        "6.20",
        lacking={
            "AR_Customer": "DefaultCostCode DefaultCostType UseSageCloudForInvPrinting "
            "TelephoneType EInvoicePayments EInvoiceContactId PIIEncryptedDate",
            "AR_CustomerContact": "TelephoneType1 TelephoneType2 PrimaryTelephone1 "
            "PrimaryTelephone2",
            "AR_Invoice": "SoldToDivisionNo SoldToCustomerNo DateCreated TimeCreated",
        },
        narrow=_NARROW,
    ),
    "new": Version(
        "7.40",
        besides={
            "AR_Customer": "UDF_ROUTE S10 UDF_CREDIT_REVIEW D ARMC_234_EntryCurrency S3",
            "AR_CustomerContact": "UDF_NEWSLETTER F",
            "AR_Invoice": "UDF_PROJECT S20 ARMC_234_EntryCurrency S3 ARMC_234_EntryRate N12.6",
            "AP_Vendor": "D546_RemitCode S4",
        },
        expanded=True,
    ),
}


def layouts(profile: Profile) -> dict[str, Entity]:
    """The entities as this profile serves them, by name."""
    version = VERSIONS[profile]
    return {
        name: revised(
            entity,
            without=frozenset(version.lacking.get(name, "").split()),
            widths=version.narrow,
            besides=version.besides.get(name, ""),
        )
        for name, entity in ENTITIES.items()
    }


def sample_cells(entity: Entity, at: int) -> dict[str, str]:
    """What a site has in its own columns in the row of that rank: filled in, but not always."""
    cells = {
        "UDF_ROUTE": f"R-{at % 40:02d}",
        "UDF_CREDIT_REVIEW": ("20260315", "", "00000000")[at % 3],
        "UDF_NEWSLETTER": "YN"[at % 2],
        "UDF_PROJECT": "" if at % 4 else f"Überbau #{at}",
        "ARMC_234_EntryCurrency": ("USD", "CAD", "")[at % 3],
        "ARMC_234_EntryRate": ("1", ".731205", "0")[at % 3],
        "D546_RemitCode": "",
    }
    return {name: text for name, text in cells.items() if name in entity.index}
