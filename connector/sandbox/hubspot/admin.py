"""Rules that an administrator may add: properties that a record must have.

From version 2026-09 on they hold for writes through the API; older versions do not know them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from .changes import Record
from .refusals import Invalid


class Required(msgspec.Struct, frozen=True, kw_only=True):
    """A property that must be set: when a record is made, or as soon as another has a value."""

    property: str
    when: tuple[str, str] | None = None
    """The other property and its value."""


def broken(
    rules: Iterable[Required], target: Record | None, clean: Mapping[str, str]
) -> list[Invalid]:
    """What a write would leave without a value it must have."""
    held = {} if target is None else target.properties
    after = {name: value for name, value in (held | dict(clean)).items() if value}
    wrong = []
    for rule in rules:
        if rule.property in after:
            continue
        if rule.when is None:
            if target is None:
                message = f"{rule.property} is required to create this record."
                wrong.append(Invalid(rule.property, "MISSING_REQUIRED_PROPERTY", message))
            continue
        name, value = rule.when
        if after.get(name) == value and (name in clean or rule.property in clean):
            message = f"{rule.property} is required when {name} is {value}."
            wrong.append(Invalid(rule.property, "MISSING_CONDITIONAL_REQUIRED_PROPERTY", message))
    return wrong
