"""What a mapping is: for each HubSpot object its key, its group, and one rule per property.

A mapping is data (TOML), checked as a whole when loaded, stored in the log when activated, and
named by its digest in every command that it led to.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Owner = Literal["sage", "create", "fill"]


class Option(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One choice of an enumeration property."""

    value: str
    label: str


class Definition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A property that `setup` creates when the portal lacks it; names are HubSpot's own.

    Absent for properties HubSpot ships. `type`/`field_type` as in HubSpot's property API.
    """

    label: str
    type: Literal["string", "number", "date", "datetime", "enumeration", "bool"] = "string"
    field_type: str = "text"
    description: str = ""
    unique: bool = False
    options: tuple[Option, ...] = ()
    number_display_hint: str = ""
    show_currency: bool = False


class Rule(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename={
        "source": "from",
    },
):
    """One property: where its value comes from, how it is shaped, and who owns it.

    `source`: a Sage 100 column ("CustomerName") or a derived fact ("aging.balance").
    `owner`: `sage` writes on every change; `create` only when the record is created; `fill` only
    where HubSpot's value is empty. `values`: an explicit map, for enumerations; what is not in it
    is left alone. `forward`: values in the only order in which they may change (HubSpot ignores a
    lifecycle stage that moves back, so it is not sent). `explicit`: sent at creation even when it
    is empty, where HubSpot would put a default of its own.
    """

    property: str
    source: str
    transform: str = "text"
    owner: Owner = "sage"
    values: dict[str, str] = {}
    forward: tuple[str, ...] = ()
    explicit: bool = False
    define: Definition | None = None


class ObjectMapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One of our objects (companies, vendors, contacts, invoices, line items), its properties.

    `hubspot_type`: the path segment of HubSpot's API. `key`: the unique property that holds the
    external key; `setup` creates it.
    """

    hubspot_type: str
    key: str
    key_label: str
    group: str
    group_label: str
    rules: tuple[Rule, ...]


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole mapping file. Without `line_items` lines of invoices are not kept."""

    version: Literal[1]
    companies: ObjectMapping
    vendors: ObjectMapping
    contacts: ObjectMapping
    invoices: ObjectMapping
    line_items: ObjectMapping | None = None

    def objects(self) -> dict[str, ObjectMapping]:
        """Our object name to its mapping, in writing order."""
        found = {
            "companies": self.companies,
            "vendors": self.vendors,
            "contacts": self.contacts,
            "invoices": self.invoices,
        }
        return found if self.line_items is None else {**found, "line_items": self.line_items}
