"""Properties of HubSpot's own that nobody can write, as far as that holds for every portal.

A plan makes no call, so it knows a portal's definitions only by what is so everywhere. What is
missing here is found when it is first written: the portal's own definitions decide then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from projections.mapping import rules

_EVERYWHERE: Final = frozenset(
    {
        *("hs_object_id", "hs_object_source", "hs_object_source_id", "hs_object_source_label"),
        *("hs_merged_object_ids", "hs_created_by_user_id", "hs_updated_by_user_id"),
        *("createdate", "hs_createdate", "lastmodifieddate", "hs_lastmodifieddate"),
    }
)
_OF: Final[Mapping[str, frozenset[str]]] = {
    "companies": frozenset(
        {
            *("days_to_close", "num_associated_contacts", "num_associated_deals"),
            *("hs_num_open_deals", "recent_deal_amount", "total_revenue"),
        }
    ),
    "contacts": frozenset(
        {
            *("associatedcompanyid", "hs_all_contact_vids", "hs_email_domain", "hs_is_contact"),
            *("hs_is_unworked", "hs_lifecyclestage_lead_date", "hs_marketable_status"),
            "num_associated_deals",
        }
    ),
    "invoices": frozenset(
        {
            *("hs_amount_paid", "hs_balance_due", "hs_subtotal", "hs_days_overdue"),
            *("hs_amount_billed_in_company_currency", "hs_invoice_link", "hs_pdf_download_link"),
            *("hs_invoice_latest_contact_email", "hs_invoice_latest_company_name"),
            *("hs_external_invoice_status", "hs_external_recipient", "hs_invoice_source"),
        }
    ),
    "line_items": frozenset({"amount", "hs_pre_discount_amount"}),
}


class Unproved(NamedTuple):
    """A property of a section that a plan can say nothing of: does the portal have it at all?"""

    object: str
    property: str


def is_read_only(hubspot_type: str, name: str) -> bool:
    """Whether HubSpot lets nobody write this property, in whatever portal."""
    return name in _EVERYWHERE or name in _OF.get(hubspot_type, ())


def unproved(mapping: rules.Mapping, builtin: rules.Mapping) -> Iterator[Unproved]:
    """Properties that neither the mapping defines, for `setup` to create, nor the built-in one
    writes, so that nobody knows here whether HubSpot has them.
    """
    known: dict[str, set[str]] = {}
    for section in (*mapping.objects().values(), *builtin.objects().values()):
        known.setdefault(section.hubspot_type, set()).add(section.key)
    for section in mapping.objects().values():
        known[section.hubspot_type] |= {rule.property for rule in section.rules if rule.define}
    for section in builtin.objects().values():
        known[section.hubspot_type] |= {rule.property for rule in section.rules if not rule.define}
    for kind, section in mapping.objects().items():
        for rule in section.rules:
            here = known[section.hubspot_type]
            if rule.property not in here and not is_read_only(section.hubspot_type, rule.property):
                yield Unproved(kind, rule.property)
