"""A mapping against the property definitions of a portal: what is missing, what cannot work.

Checked before a single record is sent, because each of these would otherwise fail record by
record: a property that is not there, one that HubSpot computes itself, an option nobody offers,
a key that is not unique. Rules: HubSpot's property API; `hasUniqueValue` is fixed at creation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from connector.hubspot.answer import Answer, clean, entries, text_of
from projections.mapping.rules import Definition, ObjectMapping, Rule

_FIELD_TYPES: Final = {
    "number": "number",
    "date": "date",
    "datetime": "date",
    "enumeration": "select",
    "bool": "booleancheckbox",
}
_YES_NO: Final = [
    {"label": "Yes", "value": "true", "displayOrder": 0, "hidden": False},
    {"label": "No", "value": "false", "displayOrder": 1, "hidden": False},
]


class Problem(msgspec.Struct, frozen=True):
    """One thing in the way of writing, and the remedy. `key`: it concerns the key property."""

    subject: str
    detail: str
    remedy: str
    key: bool = False


class Comparison(msgspec.Struct, frozen=True):
    """What one of our objects lacks in the portal (bodies to create), and what cannot work."""

    missing: list[dict[str, Any]]
    problems: list[Problem]


def definitions(answer: Answer) -> dict[str, dict[str, Any]]:
    """Property name to definition, without archived ones."""
    return {
        text_of(one.get("name")): one
        for one in entries(answer.body, "results")
        if text_of(one.get("name")) and one.get("archived") is not True
    }


def compare(mapping: ObjectMapping, live: Mapping[str, dict[str, Any]]) -> Comparison:
    """Compare one object of the mapping with the portal's definitions of its type."""
    missing: list[dict[str, Any]] = []
    problems: list[Problem] = []
    key = live.get(mapping.key)
    if key is None:
        missing.append(_body(mapping, mapping.key, _key_definition(mapping)))
    elif key.get("hasUniqueValue") is not True:
        problems.append(
            Problem(
                f"{mapping.hubspot_type}.{mapping.key}",
                "the key property exists in HubSpot but does not demand unique values, and HubSpot "
                "cannot change that afterwards",
                f"Archive and delete the property {mapping.key} in HubSpot, or name another key "
                "for this object in the mapping; then run setup again.",
                key=True,
            )
        )
    seen = {mapping.key}
    for rule in mapping.rules:
        if rule.property in seen:
            continue
        seen.add(rule.property)
        found = live.get(rule.property)
        if found is not None:
            problems += _unfit(mapping, rule, found)
        elif rule.define is not None:
            missing.append(_body(mapping, rule.property, rule.define))
        else:
            problems.append(
                Problem(
                    f"{mapping.hubspot_type}.{rule.property}",
                    "the portal has no such property",
                    "Correct the name in the mapping, or give the rule a 'define' so that setup "
                    "creates it.",
                )
            )
    return Comparison(missing, problems)


def _unfit(mapping: ObjectMapping, rule: Rule, live: Mapping[str, Any]) -> list[Problem]:
    subject = f"{mapping.hubspot_type}.{rule.property}"
    metadata = live.get("modificationMetadata")
    read_only = isinstance(metadata, dict) and metadata.get("readOnlyValue") is True
    if read_only or live.get("calculated") is True:
        return [
            Problem(
                subject,
                "HubSpot computes this property itself and lets nobody write it",
                "Take the rule out of the mapping.",
            )
        ]
    kind = text_of(live.get("type"))
    if rule.define is not None and kind and kind != rule.define.type:
        return [
            Problem(
                subject,
                f"the property is of type {clean(kind, 40)} in HubSpot, the mapping defines it "
                f"as {rule.define.type}",
                "Change 'define' in the mapping to HubSpot's type, or name another property.",
            )
        ]
    return _missing_options(subject, rule, live)


def _missing_options(subject: str, rule: Rule, live: Mapping[str, Any]) -> list[Problem]:
    if text_of(live.get("type")) != "enumeration" or live.get("externalOptions") is True:
        return []
    options = entries(live, "options")
    offered = {text_of(option.get("value")) for option in options}
    wanted = set(rule.values.values())
    if rule.define is not None:
        wanted |= {option.value for option in rule.define.options}
    lacking = sorted(value for value in wanted - offered if value)
    if not lacking:
        return []
    labels = {text_of(one.get("label")).casefold(): text_of(one.get("value")) for one in options}
    meant = [
        f"{value} is the label of {labels[value.casefold()]}"
        for value in lacking
        if value.casefold() in labels
    ]
    hint = f" ({clean('; '.join(meant), 200)})" if meant else ""
    return [
        Problem(
            subject,
            f"the portal offers no option with the value {clean(', '.join(lacking), 200)}{hint}",
            "Add the options to the property in HubSpot, or map to the values it offers.",
        )
    ]


def _key_definition(mapping: ObjectMapping) -> Definition:
    return Definition(
        label=mapping.key_label,
        description="Identifies the Sage 100 record; kept by ml-connector. Do not change.",
        unique=True,
    )


def _body(mapping: ObjectMapping, name: str, define: Definition) -> dict[str, Any]:
    """The body that creates a property (HubSpot's PropertyCreate)."""
    field_type = define.field_type
    if field_type == "text":
        field_type = _FIELD_TYPES.get(define.type, "text")
    body: dict[str, Any] = {
        "name": name,
        "label": define.label,
        "type": define.type,
        "fieldType": field_type,
        "groupName": mapping.group,
        "description": define.description,
        "hasUniqueValue": define.unique,
        "displayOrder": -1,
        "formField": False,
        "hidden": False,
        "options": [
            {"label": one.label, "value": one.value, "displayOrder": place, "hidden": False}
            for place, one in enumerate(define.options)
        ],
    }
    if define.type == "bool":
        body["options"] = _YES_NO
    if define.number_display_hint:
        body["numberDisplayHint"] = define.number_display_hint
    if define.show_currency:
        body["showCurrencySymbol"] = True
    return body
