"""Property definitions and groups as the API takes and shows them."""

from __future__ import annotations

import msgspec


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of an enumeration."""

    label: str
    value: str
    displayOrder: int = -1  # noqa: N815
    hidden: bool = False
    description: str = ""


class ModificationMetadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What may be changed about a property."""

    archivable: bool
    read_only_definition: bool
    read_only_options: bool = False
    read_only_value: bool


class Property(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A property definition, in the shape the API answers with."""

    name: str
    label: str
    type: str
    field_type: str
    group_name: str
    description: str | None = None
    options: tuple[Option, ...] | None = None
    display_order: int | None = None
    calculated: bool | None = None
    external_options: bool | None = None
    has_unique_value: bool | None = None
    hidden: bool | None = None
    hubspot_defined: bool | None = None
    form_field: bool | None = None
    data_sensitivity: str | None = None
    modification_metadata: ModificationMetadata | None = None
    referenced_object_type: str | None = None
    number_display_hint: str | None = None
    text_display_hint: str | None = None
    show_currency_symbol: bool | None = None
    currency_property_name: str | None = None
    calculation_formula: str | None = None
    archived: bool | None = None
    archived_at: str | None = None
    created_at: str | None = None
    updated_at: str | None = None

    @property
    def read_only(self) -> bool:
        """True when a value of it cannot be written through the API."""
        return self.modification_metadata is not None and self.modification_metadata.read_only_value


class PropertyCreate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a client sends to create a property."""

    name: str
    label: str
    type: str
    field_type: str
    group_name: str
    description: str = ""
    options: tuple[Option, ...] = ()
    display_order: int = -1
    has_unique_value: bool = False
    hidden: bool = False
    form_field: bool = False
    external_options: bool = False
    data_sensitivity: str = "non_sensitive"
    referenced_object_type: str | None = None
    number_display_hint: str | None = None
    text_display_hint: str | None = None
    show_currency_symbol: bool | None = None
    currency_property_name: str | None = None
    calculation_formula: str | None = None


class PropertyUpdate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a client sends to change a property; `hasUniqueValue` is taken and ignored."""

    label: str | msgspec.UnsetType = msgspec.UNSET
    type: str | msgspec.UnsetType = msgspec.UNSET
    field_type: str | msgspec.UnsetType = msgspec.UNSET
    group_name: str | msgspec.UnsetType = msgspec.UNSET
    description: str | msgspec.UnsetType = msgspec.UNSET
    options: tuple[Option, ...] | msgspec.UnsetType = msgspec.UNSET
    display_order: int | msgspec.UnsetType = msgspec.UNSET
    hidden: bool | msgspec.UnsetType = msgspec.UNSET
    form_field: bool | msgspec.UnsetType = msgspec.UNSET


class Group(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A property group."""

    name: str
    label: str
    display_order: int = -1
    archived: bool = False


class GroupUpdate(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a client sends to change a group."""

    label: str | msgspec.UnsetType = msgspec.UNSET
    display_order: int | msgspec.UnsetType = msgspec.UNSET
