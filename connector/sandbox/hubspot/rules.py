"""What HubSpot does with a record beyond storing what was sent.

Required properties, values it adds by itself, stages that only move forward, choices that are
added to, and the wording of conflicts.
"""

from __future__ import annotations

from .catalog import LIFECYCLE_STAGES
from .changes import Record
from .records import EMAIL, UniqueTaken
from .refusals import Problem, Refusal
from .state import State

STAGE_ORDER = {stage: place for place, stage in enumerate(LIFECYCLE_STAGES)}


def completed(portal: State, object_type: str, clean: dict[str, str], now: str) -> dict[str, str]:
    """The properties of a new record: what was sent and what HubSpot adds."""
    kind = portal.kinds[object_type]
    lacking = [name for name in kind.needs if not clean.get(name)]
    if lacking and (not kind.needs_one or len(lacking) == len(kind.needs)):
        raise Refusal(
            Problem(
                message=(f"Error creating {kind.legacy}. Some required properties were not set."),
                context={"properties": lacking},
            )
        )
    added = {
        "hs_object_source": "INTEGRATION",
        "hs_object_source_id": str(portal.options.app_id),
        "hs_object_source_label": "INTEGRATION",
    }
    stage = portal.options.default_lifecycle_stage
    if kind.staged and stage:
        added["lifecyclestage"] = stage
    if object_type == "companies":
        added["hs_pipeline"] = "companies-lifecycle-pipeline"
        if clean.get("domain"):
            added["website"] = clean["domain"]
    elif object_type == "contacts":
        added["hs_pipeline"] = "contacts-lifecycle-pipeline"
        added["hs_is_contact"] = added["hs_is_unworked"] = "true"
        if clean.get("lifecyclestage", stage) == "lead":
            added["hs_lifecyclestage_lead_date"] = now
        if clean.get(EMAIL):
            added["hs_email_domain"] = clean[EMAIL].rpartition("@")[2]
    elif object_type == "invoices":
        added["hs_invoice_billable"] = "true"
        added["hs_invoice_status"] = "draft"
        added["hs_invoice_date"] = added["hs_due_date"] = now
    return added | clean


def forward_only(record: Record, clean: dict[str, str]) -> None:
    """A lifecycle stage that would move back is dropped without a word."""
    wanted, held = clean.get("lifecyclestage"), record.properties.get("lifecyclestage")
    if wanted and held and STAGE_ORDER.get(wanted, 99) < STAGE_ORDER.get(held, -1):
        del clean["lifecyclestage"]


def append_choices(portal: State, object_type: str, record: Record, clean: dict[str, str]) -> None:
    """A multiple choice that begins with ";" adds to what is chosen already."""
    fields = portal.fields[object_type]
    for name, value in clean.items():
        if value[:1] == ";" and fields[name].multiple:
            held = record.properties.get(name, "").split(";")
            both = dict.fromkeys(one for one in [*held, *value.split(";")] if one)
            clean[name] = ";".join(both)


def conflict(portal: State, object_type: str, taken: UniqueTaken, *, traced: bool) -> Problem:
    """The refusal of a unique value that another record holds."""
    if taken.name == EMAIL and portal.options.email_conflict != "validation":
        named = portal.options.email_conflict == "conflict" or traced
        owner = f" Existing ID: {taken.owner}" if named else ""
        return Problem(
            status=409,
            category="CONFLICT",
            message=f"Contact already exists.{owner}",
            item_context={"existingId": [str(taken.owner)]},
        )
    return Problem(
        message=(
            f"Cannot set PropertyValueCoordinates{{portalId={portal.options.portal_id}, "
            f"objectTypeId=ObjectTypeId{{legacyObjectType={portal.kinds[object_type].legacy}}}, "
            f"propertyName={taken.name}, value={taken.value}}} on {taken.writing}. "
            f"{taken.owner} already has that value."
        )
    )
