"""Associations between records: which types exist, which pairs hold, kept in both directions.

Adding a pair a second time changes nothing. A record's first company becomes its primary one; a
pair's set of types is replaced when it is created again with types named.
"""

from __future__ import annotations

from collections.abc import Iterable

Types = tuple[int, ...]
Ends = dict[int, Types]

DEFAULT_TYPES: dict[tuple[str, str], int] = {
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
    ("contacts", "contacts"): 449,
    ("companies", "companies"): 450,
}
"""The unlabelled type of each direction."""

PRIMARY_TYPES: dict[tuple[str, str], int] = {
    ("contacts", "companies"): 1,
    ("companies", "contacts"): 2,
    ("deals", "companies"): 5,
    ("companies", "deals"): 6,
}

OTHER_TYPES: dict[tuple[str, str], dict[int, int]] = {
    ("companies", "companies"): {13: 14, 14: 13},
    ("contacts", "companies"): {931: 930},
    ("companies", "contacts"): {930: 931},
}
"""Further types of a direction, each with its reverse."""

LABELS: dict[int, str] = {
    1: "Primary",
    2: "Primary",
    5: "Primary",
    6: "Primary",
    13: "Child Company",
    14: "Parent Company",
    930: "Billing contact",
    931: "Billing contact",
}


def known_types(from_type: str, to_type: str) -> dict[int, int]:
    """The type ids allowed in this direction, each with its reverse."""
    direction, reverse = (from_type, to_type), (to_type, from_type)
    if direction not in DEFAULT_TYPES:
        return {}
    known = {DEFAULT_TYPES[direction]: DEFAULT_TYPES[reverse]}
    if direction in PRIMARY_TYPES:
        known[PRIMARY_TYPES[direction]] = PRIMARY_TYPES[reverse]
    return known | OTHER_TYPES.get(direction, {})


class Associations:
    """Every association of the portal."""

    def __init__(self) -> None:
        self._edges: dict[tuple[str, str], dict[int, Ends]] = {}
        self._interned: dict[Types, Types] = {}

    def ends(self, from_type: str, from_id: int, to_type: str) -> Ends:
        """What a record is associated with, and by which types; do not change it."""
        return self._edges.get((from_type, to_type), {}).get(from_id, {})

    def pairs(self, from_type: str, to_type: str) -> set[tuple[int, int]]:
        """All pairs of ids of one direction."""
        edges = self._edges.get((from_type, to_type), {})
        return {(from_id, to_id) for from_id, ends in edges.items() for to_id in ends}

    def typed_pairs(self) -> Iterable[tuple[str, str, int, int, Types]]:
        """Everything, for a snapshot: from type, to type, from id, to id, type ids."""
        for (from_type, to_type), edges in sorted(self._edges.items()):
            for from_id, ends in sorted(edges.items()):
                for to_id, types in sorted(ends.items()):
                    yield from_type, to_type, from_id, to_id, types

    def associate(
        self, from_type: str, from_id: int, to_type: str, to_id: int, types: Types | None = None
    ) -> Types:
        """Associate two records; `types` None means the default one, else the set that shall hold.

        Gives the types that now hold from `from` to `to`.
        """
        known = known_types(from_type, to_type)
        default = DEFAULT_TYPES[from_type, to_type]
        primary = PRIMARY_TYPES.get((from_type, to_type))
        held = self.ends(from_type, from_id, to_type).get(to_id)
        if types is None:
            wanted = set(held or ()) | {default}
        else:
            wanted = {*types, default}
            if primary is not None and held is not None and primary in held:
                wanted.add(primary)
        if primary is not None:
            self._keep_one_primary(from_type, from_id, to_type, to_id, wanted, primary)
        self._put(from_type, from_id, to_type, to_id, wanted)
        self._put(to_type, to_id, from_type, from_id, {known[one] for one in wanted})
        return self.ends(from_type, from_id, to_type)[to_id]

    def _keep_one_primary(
        self,
        from_type: str,
        from_id: int,
        to_type: str,
        to_id: int,
        wanted: set[int],
        primary: int,
    ) -> None:
        """A contact or deal has at most one primary company; its first one is that by itself."""
        if to_type == "companies":
            of_type, of_id, other = from_type, from_id, to_id
            own_primary = primary
        else:
            of_type, of_id, other = to_type, to_id, from_id
            own_primary = PRIMARY_TYPES[to_type, from_type]
        ends = self.ends(of_type, of_id, "companies")
        holders = [one for one, types in ends.items() if own_primary in types and one != other]
        if not holders:
            wanted.add(primary)
        elif primary in wanted:
            reverse = PRIMARY_TYPES["companies", of_type]
            for one in holders:
                self._put(of_type, of_id, "companies", one, set(ends[one]) - {own_primary})
                back = set(self.ends("companies", one, of_type)[of_id]) - {reverse}
                self._put("companies", one, of_type, of_id, back)

    def _put(self, from_type: str, from_id: int, to_type: str, to_id: int, types: set[int]) -> None:
        kept = tuple(sorted(types))
        kept = self._interned.setdefault(kept, kept)
        edges = self._edges.setdefault((from_type, to_type), {})
        edges.setdefault(from_id, {})[to_id] = kept

    def remove(
        self,
        from_type: str,
        from_id: int,
        to_type: str,
        to_id: int,
        types: Iterable[int] | None = None,
    ) -> None:
        """Take away the given types between two records, or all of them (both directions)."""
        held = self.ends(from_type, from_id, to_type).get(to_id)
        if held is None:
            return
        known = known_types(from_type, to_type)
        left = set() if types is None else set(held) - set(types)
        if left:
            self._put(from_type, from_id, to_type, to_id, left)
            self._put(to_type, to_id, from_type, from_id, {known[one] for one in left})
            return
        for a_type, a_id, b_type, b_id in (
            (from_type, from_id, to_type, to_id),
            (to_type, to_id, from_type, from_id),
        ):
            edges = self._edges[a_type, b_type]
            edges.get(a_id, {}).pop(b_id, None)
            if not edges.get(a_id, True):
                del edges[a_id]

    def forget(self, of_type: str, of_id: int) -> None:
        """Take away everything a record is associated with."""
        for from_type, to_type in list(self._edges):
            if from_type == of_type:
                for to_id in list(self.ends(of_type, of_id, to_type)):
                    self.remove(of_type, of_id, to_type, to_id)
