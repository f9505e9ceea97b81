"""What an operator can do about each reason for which HubSpot refuses a record.

Reasons are HubSpot's own codes where it gives one, in its spelling, so that they can be looked up
in its documentation; ours are in lower case. The advice says what to change and how to release the
record afterwards.
"""

from __future__ import annotations

from typing import Final

RETRIES_EXHAUSTED: Final = "retries_exhausted"
MISSING_SCOPE: Final = "missing_scope"
OBJECT_UNAVAILABLE: Final = "object_unavailable"
KEY_PROPERTY: Final = "key_property"
REJECTED: Final = "rejected"
SAME_BUT_FOR_CASE: Final = "same_but_for_case"
TOO_LARGE: Final = "too_large"
MERGED: Final = "merged"
MATCH_PROPOSED: Final = "match_proposed"
MATCH_AMBIGUOUS: Final = "match_ambiguous"
MATCH_FAILED: Final = "match_failed"

ADD_CURRENCY: Final = "Add it in HubSpot: Settings > Account defaults > Currency > Add currency."

_REPLAY: Final = "Then: ml-connector retry {reason}"
_CORRECTED: Final = "Once corrected in Sage 100 it is sent again by itself."

_ADVICE: Final[dict[str, str]] = {
    "PROPERTY_DOESNT_EXIST": (
        "The portal has no property {properties}. Run 'ml-connector setup', or correct its name in "
        "the mapping. " + _REPLAY
    ),
    "INVALID_OPTION": (
        "The value is not one of the options of {properties} in this portal. Add the option in "
        "HubSpot, or map the value to an existing one in the mapping. " + _REPLAY
    ),
    "INVALID_EMAIL": (
        "HubSpot does not accept the e-mail address. Correct it in Sage 100. " + _CORRECTED
    ),
    "INVALID_INTEGER": "{properties} takes whole numbers only: correct the mapping. " + _REPLAY,
    "INVALID_LONG": "{properties} takes whole numbers only: correct the mapping. " + _REPLAY,
    "INVALID_NUMBER": "{properties} takes numbers only: correct the mapping. " + _REPLAY,
    "INVALID_DATE": (
        "{properties} takes a date: use the transform 'date' (or 'datetime') in the mapping. "
        + _REPLAY
    ),
    "INVALID_BOOLEAN": "{properties} is yes or no: use the transform 'flag'. " + _REPLAY,
    "VALUE_TOO_LONG": "The value is too long for {properties}. Shorten it. " + _CORRECTED,
    "READ_ONLY_VALUE": (
        "HubSpot computes {properties} itself and lets nobody write it: take it out of the "
        "mapping. " + _REPLAY
    ),
    "CONFLICTING_UNIQUE_VALUE": (
        "HubSpot record {owner} already has this value of {properties}, which must be unique. Open "
        "both records in HubSpot: merge them, or clear the value in one. " + _REPLAY
    ),
    "CONFLICT": (
        "The e-mail address belongs to HubSpot record {owner} already, and HubSpot allows it only "
        "once. Merge the two contacts in HubSpot, or give one another address in Sage 100. "
        + _REPLAY
    ),
    "MISSING_CONDITIONAL_REQUIRED_PROPERTY": (
        "A rule in HubSpot (Settings > Properties, conditional logic) demands {properties} here. "
        "Map a value for it, or relax the rule. " + _REPLAY
    ),
    "MISSING_REQUIRED_PROPERTY": (
        "HubSpot demands {properties} when such a record is created. Map a value for it, or make "
        "it optional in HubSpot (Settings > Objects, record creation). " + _REPLAY
    ),
    "INVOICE_TO_LINE_ITEM": (
        "HubSpot will not set this status on an invoice without line items. Nothing needs doing: "
        "the Sage 100 status has its own property."
    ),
    "INVOICE_STATUS": (
        "HubSpot does not let the invoice go to this status. Nothing needs doing: the Sage 100 "
        "status has its own property."
    ),
    "INVALID_IDENTIFIER": (
        "One of the two records is not in HubSpot any more (deleted or merged). Restore it there, "
        "or replay the record itself first. " + _REPLAY
    ),
    "OBJECT_NOT_FOUND": (
        "The record is not in HubSpot any more (deleted or merged). Restore it there. " + _REPLAY
    ),
    MISSING_SCOPE: (
        "The token may not do this: {properties}. Grant the scope to the service key in HubSpot "
        "(Development > Keys); what waits for it then goes on by itself."
    ),
    OBJECT_UNAVAILABLE: (
        "The portal does not offer this kind of object at this address. Check hubspot_type in the "
        "mapping and the portal's edition. " + _REPLAY
    ),
    KEY_PROPERTY: (
        "The key property is missing in the portal or does not hold unique values. Run "
        "'ml-connector setup' and do what it says. " + _REPLAY
    ),
    SAME_BUT_FOR_CASE: (
        "Another record of Sage 100, HubSpot record {owner}, has this key in other capitals. "
        "Nothing is written, so that neither overwrites the other. Rename one of them in Sage 100 "
        "(Delete and Change Customers); it is sent under its new key by itself."
    ),
    MERGED: (
        "Sage 100 still has both records. Merge them there as well (then this one is of no use any "
        "more), or let it have a HubSpot record of its own again: ml-connector replay --key KEY"
    ),
    MATCH_PROPOSED: (
        "If they are the same, put the key into {properties} of HubSpot record {owner}. If not, "
        "leave HubSpot as it is: a new record is created. " + _REPLAY
    ),
    MATCH_FAILED: (
        "Correct [hubspot.matching] in the configuration: does the portal have {properties}? "
        + _REPLAY
    ),
    MATCH_AMBIGUOUS: (
        "If one of them is the same, put the key into its {properties}. If none is, leave HubSpot "
        "as it is: a new record is created. " + _REPLAY
    ),
    TOO_LARGE: "The record is larger than HubSpot takes. Shorten its values. " + _REPLAY,
    RETRIES_EXHAUSTED: (
        "HubSpot failed on this record every time, with no reason it would name. Look at the "
        "record in HubSpot; ask HubSpot's support with the correlation id. " + _REPLAY
    ),
}
# Where a reason has another remedy for one property.
_ADVICE_ON: Final[dict[tuple[str, str], str]] = {
    ("INVALID_OPTION", "hs_currency"): (
        "The account does not have this currency, the one that the company's books are kept in. "
        + ADD_CURRENCY
        + " "
        + _REPLAY
    ),
}
_OTHERWISE: Final = (
    "HubSpot's message says what it objects to. Correct the record in Sage 100, the mapping or the "
    "portal. " + _REPLAY
)


def advice(reason: str, *, properties: list[str] | None = None, owner: str = "") -> str:
    """What to do about `reason`, naming the properties and the record HubSpot named."""
    template = _ADVICE.get(reason, _OTHERWISE)
    for name in properties or ():
        template = _ADVICE_ON.get((reason, name), template)
    named = ", ".join(dict.fromkeys(properties or ())) or "named in the message"
    return template.format(
        reason=reason, properties=named[:200], owner=owner or "named in the message"
    )
