"""The smallest change from what the log says HubSpot holds to what it should hold.

Ownership decides what is ours to write (architecture, "What goes to HubSpot"): `sage` always,
`create` only into a record we create, `fill` only where HubSpot's value is empty. An empty
desired value clears; a property that HubSpot never held and should not hold is no change. Values
an attempt of unknown outcome may have written (`doubt`) are always written again. A value that
HubSpot would not take is not sent again; another value of that property is. What was left out of a
record's creation is written to it later only where HubSpot's value is empty.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from projections import likeness
from projections.mapping.compiled import CompiledObject, CompiledRule
from projections.tables import Target


class Difference(msgspec.Struct, frozen=True):
    """Property to (before, after), and those of them to write only where HubSpot's is empty.

    `expected`: property to what HubSpot must still hold when it is written.
    """

    changes: dict[str, tuple[str | None, str]]
    fill: list[str]
    expected: dict[str, str]


def compare(
    mapping: CompiledObject, desired: Mapping[str, str], ledger: Target, *, force: bool = False
) -> Difference:
    """What to write. `force`: everything that is ours, changed or not (a replay)."""
    new = ledger.hubspot_id == ""
    if new and not ledger.held and not ledger.doubt:
        explicit = mapping.explicit
        created: dict[str, tuple[str | None, str]] = {
            name: (None, value) for name, value in desired.items() if value or name in explicit
        }
        return Difference(created, [], {})
    changes: dict[str, tuple[str | None, str]] = {}
    fill: list[str] = []
    rules = mapping.by_property
    held = ledger.held
    doubt = ledger.doubt
    withheld = ledger.withheld
    for name, value in desired.items():
        before = held.get(name)
        left_out = withheld.get(name)
        if left_out is not None and left_out.value == value and not force:
            continue
        # Whatever the property is to be now, what was left out of it is out of date.
        again = name in doubt or left_out is not None
        if before == value and not force and not again:
            continue
        rule = rules[name]
        if not new and rule.owner != "sage":
            if (rule.owner == "create" and left_out is None) or before or not value:
                continue
            fill.append(name)
        elif not again and _settled(rule, before, value, force=force):
            continue
        changes[name] = (before, value)
    return Difference(changes, fill, {})


def outdated(mapping: CompiledObject, desired: Mapping[str, str], ledger: Target) -> set[str]:
    """Properties left out of a write that nothing will write any more, not even a replay."""
    if not ledger.withheld:
        return set()
    left = {name: desired[name] for name in ledger.withheld if name in desired}
    return ledger.withheld.keys() - compare(mapping, left, ledger, force=True).changes.keys()


def _settled(rule: CompiledRule, before: str | None, value: str, *, force: bool) -> bool:
    """Whether HubSpot already shows this value, or may not be moved to it."""
    if not before:
        return not value
    if force:
        return False
    if rule.rank is not None and rule.rank.get(before, -1) > rule.rank.get(value, -1):
        return True
    return likeness.same(before, value, rule.kind)
