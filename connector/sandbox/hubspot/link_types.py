"""Which association types go from one object type to another, by HubSpot's published ids.

Custom object types get ids of their own, per portal, when their schema is created.
"""

from __future__ import annotations

_DEFAULTS: dict[tuple[str, str], int] = {
    ("contacts", "companies"): 279,
    ("companies", "contacts"): 280,
    ("contacts", "deals"): 4,
    ("deals", "contacts"): 3,
    ("deals", "companies"): 341,
    ("companies", "deals"): 342,
    ("invoices", "contacts"): 177,
    ("contacts", "invoices"): 178,
    ("invoices", "companies"): 179,
    ("companies", "invoices"): 180,
    ("invoices", "deals"): 175,
    ("deals", "invoices"): 176,
    ("deals", "line_items"): 19,
    ("line_items", "deals"): 20,
    ("invoices", "line_items"): 409,
    ("line_items", "invoices"): 410,
    ("contacts", "contacts"): 449,
    ("companies", "companies"): 450,
}
"""The unlabelled type of each direction."""

_PRIMARY: dict[tuple[str, str], int] = {
    ("contacts", "companies"): 1,
    ("companies", "contacts"): 2,
    ("deals", "companies"): 5,
    ("companies", "deals"): 6,
}

_OTHERS: dict[tuple[str, str], dict[int, int]] = {
    ("companies", "companies"): {13: 14, 14: 13},
    ("contacts", "companies"): {931: 930},
    ("companies", "contacts"): {930: 931},
}
"""Further types of a direction, each with its reverse."""

_LABELS: dict[int, str] = {
    1: "Primary",
    2: "Primary",
    5: "Primary",
    6: "Primary",
    13: "Child Company",
    14: "Parent Company",
    930: "Billing contact",
    931: "Billing contact",
}

FIRST_OWN = 1001
"""First id of the associations of custom objects, which every portal numbers by itself."""


class LinkTypes:
    """The association types of one portal."""

    def __init__(self) -> None:
        self._default = dict(_DEFAULTS)
        self._category = dict.fromkeys(_DEFAULTS, "HUBSPOT_DEFINED")
        self._next = FIRST_OWN

    def default(self, from_type: str, to_type: str) -> int | None:
        """The unlabelled type of a direction; None when the two cannot be associated."""
        return self._default.get((from_type, to_type))

    def category(self, from_type: str, to_type: str) -> str:
        """Whether HubSpot or the portal defined the types of a direction."""
        return self._category.get((from_type, to_type), "HUBSPOT_DEFINED")

    def primary(self, from_type: str, to_type: str) -> int | None:
        """The type that marks the primary company, where there is such a thing."""
        return _PRIMARY.get((from_type, to_type))

    def known(self, from_type: str, to_type: str) -> dict[int, int]:
        """The type ids allowed in this direction, each with its reverse."""
        direction, reverse = (from_type, to_type), (to_type, from_type)
        if direction not in self._default:
            return {}
        known = {self._default[direction]: self._default[reverse]}
        if direction in _PRIMARY:
            known[_PRIMARY[direction]] = _PRIMARY[reverse]
        return known | _OTHERS.get(direction, {})

    def label(self, type_id: int, from_type: str, to_type: str) -> str | None:
        """What a type is called; None for the unlabelled one."""
        if self.category(from_type, to_type) != "HUBSPOT_DEFINED":
            return None
        return _LABELS.get(type_id)

    def define(self, from_type: str, to_type: str) -> tuple[int, int]:
        """Let a custom type be associated with another; gives the ids of both directions."""
        direction, reverse = (from_type, to_type), (to_type, from_type)
        if direction not in self._default:
            for one in dict.fromkeys((direction, reverse)):
                self._default[one] = self._next
                self._category[one] = "USER_DEFINED"
                self._next += 1
        return self._default[direction], self._default[reverse]

    def forget(self, object_type: str) -> None:
        """Take away every type of a custom object type that was deleted."""
        for direction in [one for one in self._default if object_type in one]:
            del self._default[direction], self._category[direction]
