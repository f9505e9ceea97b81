"""The object types of a portal: what each is called where, what it needs, what it allows.

The native ones are given; custom ones are added per portal by their schema.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One object type."""

    name: str
    """Its name in paths and in this program, such as `companies`."""
    type_id: str
    legacy: str
    """What it is called in messages, such as `COMPANY`."""
    singular: str
    shown: tuple[str, ...] = ()
    """What a read returns besides the record's own three when no property is asked for."""
    needs: tuple[str, ...] = ()
    """What creating needs: all of them, or one when `needs_one`."""
    needs_one: bool = False
    mergeable: bool = False
    staged: bool = False
    """True when its records have a lifecycle stage."""
    custom: bool = False

    @property
    def modified(self) -> str:
        """The property that holds the time of the last change."""
        return "lastmodifieddate" if self.name == "contacts" else "hs_lastmodifieddate"

    @property
    def scope(self) -> str:
        """What it is called in scopes."""
        return "custom" if self.custom else self.name


NATIVE: tuple[Kind, ...] = (
    Kind(
        name="contacts",
        type_id="0-1",
        legacy="CONTACT",
        singular="contact",
        shown=("email", "firstname", "lastname"),
        needs=("email", "firstname", "lastname"),
        needs_one=True,
        mergeable=True,
        staged=True,
    ),
    Kind(
        name="companies",
        type_id="0-2",
        legacy="COMPANY",
        singular="company",
        shown=("domain", "name"),
        needs=("name", "domain"),
        needs_one=True,
        mergeable=True,
        staged=True,
    ),
    Kind(
        name="deals",
        type_id="0-3",
        legacy="DEAL",
        singular="deal",
        shown=("amount", "closedate", "dealname", "dealstage", "pipeline"),
        needs=("dealname", "dealstage", "pipeline"),
        mergeable=True,
    ),
    Kind(name="line_items", type_id="0-8", legacy="LINE_ITEM", singular="line_item"),
    Kind(
        name="invoices",
        type_id="0-53",
        legacy="INVOICE",
        singular="invoice",
        needs=("hs_currency",),
    ),
)


class Kinds:
    """Every object type of one portal, by every way a path may spell it."""

    def __init__(self) -> None:
        self._by_name: dict[str, Kind] = {}
        self._spellings: dict[str, Kind] = {}
        for kind in NATIVE:
            self.add(kind)

    def add(self, kind: Kind, *spellings: str) -> None:
        """Make a type known, under all its names and further spellings."""
        self._by_name[kind.name] = kind
        for one in (kind.name, kind.type_id, kind.singular, kind.legacy, *spellings):
            self._spellings[one] = kind

    def remove(self, kind: Kind) -> None:
        """Forget a custom type."""
        del self._by_name[kind.name]
        self._spellings = {one: of for one, of in self._spellings.items() if of is not kind}

    def __getitem__(self, name: str) -> Kind:
        return self._by_name[name]

    def __iter__(self) -> Iterator[Kind]:
        return iter(tuple(self._by_name.values()))

    def find(self, spelling: str) -> Kind | None:
        """The type a path means; None when there is none."""
        return self._spellings.get(spelling)

    def name(self, spelling: str) -> str:
        """The name of the type a person means; raises LookupError when there is none."""
        found = self._spellings.get(spelling)
        if found is None:
            raise LookupError(f"there is no object type {spelling!r}")
        return found.name
