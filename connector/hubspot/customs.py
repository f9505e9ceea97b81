"""Custom object types that a mapping names and the portal lacks: what creating one takes.

A type is named `p_NAME` in a mapping, as HubSpot's paths take it. Its schema is made with the key
and the property that a record is shown by; everything else is created like any other property.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.hubspot.answer import Answer, message_of
from connector.hubspot.properties import compare
from projections.mapping.rules import ObjectMapping

_PREFIX: Final = "p_"
_ASSOCIATED: Final = ("COMPANY", "CONTACT", "DEAL")
_SINGULAR: Final = {
    "companies": "company",
    "vendors": "vendor",
    "contacts": "contact",
    "invoices": "invoice",
}
_SHOWN_BY: Final = ("sage100_invoice_no", "name")
REMEDY: Final = (
    "Run 'ml-connector setup', which creates this custom object. The account needs HubSpot "
    "Enterprise, and the token the scopes crm.schemas.custom.write and crm.objects.custom.write."
)


def is_custom(object_type: str) -> bool:
    """Whether a mapping's hubspot_type is a custom object's name."""
    return object_type.startswith(_PREFIX)


def is_missing(object_type: str, answer: Answer) -> bool:
    """Whether an answer says that the portal has no such type."""
    if answer.ok or not is_custom(object_type):
        return False
    return answer.status == 404 or message_of(answer).startswith("Unable to infer object type")


def schema_of(lane: str, mapping: ObjectMapping) -> dict[str, Any]:
    """The body that creates the type of one of our objects."""
    bodies = {body["name"]: body for body in compare(mapping, {}).missing}
    shown_by = next((name for name in _SHOWN_BY if name in bodies), mapping.key)
    names = list(dict.fromkeys([mapping.key, shown_by]))
    label = f"{mapping.group_label} {_SINGULAR.get(lane, lane)}"
    plural = f"{label[:-1]}ies" if label.endswith("y") else f"{label}s"
    return {
        "name": mapping.hubspot_type.removeprefix(_PREFIX),
        "labels": {"singular": label, "plural": plural},
        "primaryDisplayProperty": shown_by,
        "secondaryDisplayProperties": [],
        "requiredProperties": [mapping.key],
        "searchableProperties": names,
        "associatedObjects": list(_ASSOCIATED),
        "properties": [_own(bodies[name]) for name in names],
    }


def _own(body: Mapping[str, Any]) -> dict[str, Any]:
    """A property of a type that has no groups yet."""
    return {name: value for name, value in body.items() if name != "groupName"}
