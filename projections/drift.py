"""Where HubSpot differs from what the log says it holds, and what follows by ownership.

Only what is ours counts: a property of owner `sage`; one of owner `fill` when it was emptied. What
people have put into the others is theirs. A difference is put right by deciding anew, with what
HubSpot holds in the ledger's place; so whether it will be is asked of `diff` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from projections import diff
from projections.mapping.compiled import CompiledObject
from projections.tables import Target

REASON = "what was changed in HubSpot is put right"
Same = Callable[[str, str, str], bool]


class Drift(msgspec.Struct, frozen=True):
    """One property: what HubSpot had acknowledged, what it holds; `stays`: why it is left."""

    property: str
    ours: str
    theirs: str
    stays: str = ""


def drifts(
    mapping: CompiledObject, doc: Target, shown: Mapping[str, str], same: Same
) -> list[Drift]:
    """The differences of one record, by property.

    `shown`: what HubSpot holds, without empty values. `same`: whether two values of a property are
    one to HubSpot.
    """
    found: dict[str, str] = {}
    for name, ours in doc.held.items():
        rule = mapping.by_property.get(name)
        theirs = shown.get(name, "")
        if rule is None or rule.owner == "create" or same(name, ours, theirs):
            continue
        if rule.owner == "sage" or not theirs:
            found[name] = theirs
    if not found:
        return []
    desired = {name: doc.held[name] for name in found}
    now = msgspec.structs.replace(doc, held=doc.held | found, doubt={})
    changes = diff.compare(mapping, desired, now).changes
    return [
        Drift(name, doc.held[name], theirs, "" if name in changes else _why(mapping, doc, name))
        for name, theirs in sorted(found.items())
    ]


def _why(mapping: CompiledObject, doc: Target, name: str) -> str:
    if name in doc.withheld:
        return "HubSpot does not take our value"
    if mapping.by_property[name].rank is not None:
        return "HubSpot lets it move forward only"
    return "it is one value to HubSpot"
