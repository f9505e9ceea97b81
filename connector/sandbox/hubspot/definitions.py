"""Property definitions and groups of one object type: what exists, is writable, is unique.

Rules kept: `hasUniqueValue` only at creation and at most ten times per object; a name cannot be
taken twice (409) and an archived one comes back with its old definition when it is created again.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from .property import Group, ModificationMetadata, Option, Property, PropertyCreate, PropertyUpdate
from .refusals import Context, Detail, Problem, Refusal

MAX_UNIQUE = 10
MAX_CUSTOM = 1000
NAME = re.compile(r"[a-z][a-z0-9_]{0,99}\Z")

FIELD_TYPES: dict[str, frozenset[str]] = {
    "bool": frozenset({"booleancheckbox", "calculation_equation", "radio", "select"}),
    "date": frozenset({"date"}),
    "datetime": frozenset({"date"}),
    "enumeration": frozenset(
        {"booleancheckbox", "calculation_equation", "checkbox", "radio", "select"}
    ),
    "number": frozenset({"calculation_equation", "number"}),
    "phone_number": frozenset({"phonenumber"}),
    "string": frozenset(
        {"calculation_equation", "file", "html", "phonenumber", "text", "textarea"}
    ),
}
"""The field types that go with each type."""


class Definitions:
    """The properties and groups of one object type."""

    def __init__(self, properties: dict[str, Property], groups: dict[str, Group]) -> None:
        self.properties = properties
        """Live definitions by name."""
        self.groups = groups
        self.archived: dict[str, Property] = {}
        self.in_use: set[str] = set()
        """Properties that lists or workflows refer to."""

    def get(self, name: str) -> Property:
        """The live definition called `name`; 404 when there is none."""
        found = self.properties.get(name)
        if found is None:
            raise Refusal(_no_property(name))
        return found

    def create(self, wanted: PropertyCreate, now: str) -> Property:
        """Define a custom property; raises `Refusal` with 409 or 400."""
        if wanted.name in self.properties:
            raise Refusal(_exists(wanted.name))
        if wanted.name in self.archived:
            restored = msgspec.structs.replace(
                self.archived.pop(wanted.name), archived=False, archived_at=None, updated_at=now
            )
            self.properties[wanted.name] = restored
            return restored
        self._check(wanted)
        made = Property(
            **msgspec.structs.asdict(wanted),
            calculated=wanted.field_type == "calculation_equation",
            hubspot_defined=False,
            archived=False,
            created_at=now,
            updated_at=now,
            modification_metadata=ModificationMetadata(
                archivable=True,
                read_only_definition=False,
                read_only_value=wanted.field_type == "calculation_equation",
            ),
        )
        self.properties[made.name] = made
        return made

    def _check(self, wanted: PropertyCreate) -> None:
        if not NAME.match(wanted.name):
            raise Refusal(
                _wrong(
                    f"Property name '{wanted.name}' is not valid: it must start with a lower-case "
                    "letter, hold only lower-case letters, digits and underscores, and be at most "
                    "100 characters long.",
                    "INVALID_PROPERTY_NAME",
                    wanted.name,
                )
            )
        allowed = FIELD_TYPES.get(wanted.type)
        if allowed is None or wanted.field_type not in allowed:
            raise Refusal(
                _wrong(
                    f"Field type '{wanted.field_type}' does not go with type '{wanted.type}'.",
                    "INVALID_FIELD_TYPE",
                    wanted.name,
                )
            )
        if wanted.group_name not in self.groups:
            raise Refusal(
                _wrong(
                    f"Property group '{wanted.group_name}' does not exist.",
                    "GROUP_DOESNT_EXIST",
                    wanted.name,
                )
            )
        if not wanted.label:
            raise Refusal(_wrong("A property needs a label.", "MISSING_LABEL", wanted.name))
        self._check_options(wanted.name, wanted.type, wanted.options)
        custom = [one for one in self.properties.values() if not one.hubspot_defined]
        if wanted.has_unique_value:
            if wanted.type not in ("string", "number"):
                raise Refusal(
                    _wrong(
                        "Only text and number properties can require unique values.",
                        "INVALID_UNIQUE_PROPERTY",
                        wanted.name,
                    )
                )
            if sum(1 for one in custom if one.has_unique_value) >= MAX_UNIQUE:
                raise Refusal(
                    _wrong(
                        f"At most {MAX_UNIQUE} properties of an object can require unique values.",
                        "UNIQUE_PROPERTY_LIMIT_EXCEEDED",
                        wanted.name,
                    )
                )
        if len(custom) >= MAX_CUSTOM:
            raise Refusal(
                _wrong(
                    f"The limit of {MAX_CUSTOM} custom properties is reached.",
                    "PROPERTY_LIMIT_EXCEEDED",
                    wanted.name,
                )
            )

    def _check_options(self, name: str, kind: str, options: tuple[Option, ...]) -> None:
        values = [one.value for one in options]
        if kind == "bool" and sorted(values) != ["false", "true"]:
            raise Refusal(
                _wrong(
                    "Boolean properties must have exactly two options: true and false.",
                    "INVALID_BOOLEAN_OPTION",
                    name,
                )
            )
        if len(set(values)) != len(values):
            raise Refusal(_wrong("Option values must be unique.", "DUPLICATE_OPTION", name))

    def update(self, name: str, change: PropertyUpdate, now: str) -> Property:
        """Change a definition; a list of options replaces the old one wholly."""
        old = self.get(name)
        if old.modification_metadata is not None and old.modification_metadata.read_only_definition:
            raise Refusal(
                _wrong(f"Property '{name}' cannot be changed.", "READ_ONLY_DEFINITION", name)
            )
        fields: dict[str, Any] = {
            key: value
            for key, value in msgspec.structs.asdict(change).items()
            if value is not msgspec.UNSET
        }
        kind = fields.get("type", old.type)
        if fields.get("field_type", old.field_type) not in FIELD_TYPES.get(kind, frozenset()):
            raise Refusal(
                _wrong(f"Field type does not go with type '{kind}'.", "INVALID_FIELD_TYPE", name)
            )
        if fields.get("group_name", old.group_name) not in self.groups:
            raise Refusal(
                _wrong(
                    f"Property group '{fields['group_name']}' does not exist.",
                    "GROUP_DOESNT_EXIST",
                    name,
                )
            )
        if "options" in fields:
            self._check_options(name, kind, fields["options"])
        new = msgspec.structs.replace(old, **fields, updated_at=now)
        self.properties[name] = new
        return new

    def archive(self, name: str, now: str) -> None:
        """Put a custom property aside; its name can bring it back."""
        old = self.get(name)
        if old.modification_metadata is not None and not old.modification_metadata.archivable:
            raise Refusal(
                _wrong(f"Property '{name}' cannot be deleted.", "CANNOT_DELETE_PROPERTY", name)
            )
        if name in self.in_use:
            raise Refusal(
                _wrong(
                    f"Property '{name}' is in use and cannot be deleted.",
                    "CANNOT_DELETE_PROPERTY_IN_USE",
                    name,
                )
            )
        del self.properties[name]
        self.archived[name] = msgspec.structs.replace(old, archived=True, archived_at=now)

    def create_group(self, group: Group) -> Group:
        """Define a group; 409 when the name is taken."""
        if group.name in self.groups:
            raise Refusal(
                Problem(
                    status=409,
                    category="OBJECT_ALREADY_EXISTS",
                    sub_category="Properties.GROUP_WITH_NAME_EXISTS",
                    message=f"A property group named '{group.name}' already exists.",
                    context={"name": [group.name]},
                )
            )
        if not NAME.match(group.name) or not group.label:
            raise Refusal(
                _wrong(f"Group name '{group.name}' is not valid.", "INVALID_GROUP_NAME", group.name)
            )
        self.groups[group.name] = group
        return group

    def delete_group(self, name: str) -> None:
        """Take a group away; raises `Refusal` while it has properties."""
        group = self.group(name)
        if any(one.group_name == group.name for one in self.properties.values()):
            raise Refusal(_wrong(f"Property group '{name}' is not empty.", "GROUP_IN_USE", name))
        del self.groups[name]

    def group(self, name: str) -> Group:
        """The group called `name`; 404 when there is none."""
        found = self.groups.get(name)
        if found is None:
            raise Refusal(
                Problem(
                    status=404,
                    category="OBJECT_NOT_FOUND",
                    message=f"Property group '{name}' does not exist.",
                )
            )
        return found


def _exists(name: str) -> Problem:
    return Problem(
        status=409,
        category="OBJECT_ALREADY_EXISTS",
        sub_category="Properties.PROPERTY_WITH_NAME_EXISTS",
        message=f"A property named '{name}' already exists.",
        context={"name": [name]},
    )


def _no_property(name: str) -> Problem:
    return Problem(
        status=404,
        category="OBJECT_NOT_FOUND",
        message=f'Property "{name}" does not exist',
        context={"name": [name]},
    )


def _wrong(message: str, code: str, name: str) -> Problem:
    context: Context = {"propertyName": [name]}
    return Problem(
        message=message,
        errors=(Detail(message=message, code=code, context=context),),
        context=context,
    )
