"""Associations between records: which pairs hold, by which types, kept in both directions.

Adding a pair a second time changes nothing. A record's first company becomes its primary one; a
pair's set of types is replaced when it is created again with types named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .link_types import LinkTypes

Types = tuple[int, ...]
Ends = dict[int, Types]
Changed = Callable[[str, int, str, int], None]
Link = tuple[str, int, Types]
"""The other end of an association: its object type, its id, the type ids."""


class Associations:
    """Every association of the portal."""

    def __init__(self, types: LinkTypes) -> None:
        self.types = types
        self.changed: Changed = lambda *_: None
        """Called after a pair was associated or separated."""
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
        known = self.types.known(from_type, to_type)
        default = self.types.default(from_type, to_type)
        if default is None:
            raise LookupError(f"no association type goes from {from_type} to {to_type}")
        primary = self.types.primary(from_type, to_type)
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
        self.changed(from_type, from_id, to_type, to_id)
        return self.ends(from_type, from_id, to_type)[to_id]

    def put_back(self, from_type: str, from_id: int, link: Link) -> None:
        """Make an association again as it was, though not a second primary company."""
        to_type, to_id, types = link
        known, primary = (
            self.types.known(from_type, to_type),
            self.types.primary(from_type, to_type),
        )
        wanted = set(types)
        if primary in wanted:
            own = primary if to_type == "companies" else known[primary]
            of = (from_type, from_id) if to_type == "companies" else (to_type, to_id)
            if any(own in held for held in self.ends(*of, "companies").values()):
                wanted.discard(primary)
        self._put(from_type, from_id, to_type, to_id, wanted)
        self._put(to_type, to_id, from_type, from_id, {known[one] for one in wanted})
        self.changed(from_type, from_id, to_type, to_id)

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
            own_primary = self.types.known(from_type, to_type)[primary]
        ends = self.ends(of_type, of_id, "companies")
        holders = [one for one, types in ends.items() if own_primary in types and one != other]
        if not holders:
            wanted.add(primary)
        elif primary in wanted:
            reverse = self.types.known(of_type, "companies")[own_primary]
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
        known = self.types.known(from_type, to_type)
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
        self.changed(from_type, from_id, to_type, to_id)

    def of(self, of_type: str, of_id: int) -> list[Link]:
        """Everything a record is associated with: type, id and type ids of the other end."""
        return [
            (to_type, to_id, types)
            for from_type, to_type in sorted(self._edges)
            if from_type == of_type
            for to_id, types in self.ends(of_type, of_id, to_type).items()
        ]

    def forget(self, of_type: str, of_id: int) -> list[Link]:
        """Take away everything a record is associated with; gives what that was."""
        links = self.of(of_type, of_id)
        for to_type, to_id, _ in links:
            self.remove(of_type, of_id, to_type, to_id)
        return links
