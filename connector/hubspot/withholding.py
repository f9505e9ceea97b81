"""Leaving out what HubSpot will not take of a record, so that the rest of it is written.

A bad value must not cost the record: a property that HubSpot refuses, or would refuse by the
portal's own definitions, is left out with the reason, and the ledger remembers it. Only a record of
which nothing sensible would be left is refused as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from connector.hubspot import advice as advices
from connector.hubspot.culprit import Input
from connector.hubspot.refusal import Blame
from connector.hubspot.settle import Outcome, Refused, Settlement
from projections import events

# What creating an object needs: one of these at least (invoices: the one there is).
_NEEDED: Final[dict[str, frozenset[str]]] = {
    "companies": frozenset({"name", "domain"}),
    "contacts": frozenset({"email", "firstname", "lastname"}),
    "invoices": frozenset({"hs_currency"}),
}
_OWNED: Final = frozenset({"CONFLICT", "CONFLICTING_UNIQUE_VALUE"})

LeftOut = dict[str, events.Withheld]


def without(
    one: Input, blames: Iterable[Blame], object_type: str, key_property: str, owner: str = ""
) -> tuple[Input, LeftOut] | None:
    """The input without the blamed properties, and these; None when it makes no sense any more.

    None as well when nothing that is sent is to blame.
    """
    left_out: LeftOut = {}
    for blame in blames:
        name = blame.property
        if name in one.properties and name != key_property and name not in left_out:
            holder = owner if blame.code in _OWNED else ""
            left_out[name] = events.Withheld(
                one.properties[name],
                blame.code,
                blame.message,
                advices.advice(blame.code, properties=[name], owner=holder),
                holder,
            )
    rest = {name: value for name, value in one.properties.items() if name not in left_out}
    if not left_out or not _makes_sense(one, rest, object_type, key_property):
        return None
    return msgspec.structs.replace(one, properties=rest), left_out


def _makes_sense(one: Input, rest: Mapping[str, str], object_type: str, key_property: str) -> bool:
    if one.how == "take":
        return True  # giving it our key is something
    if one.how == "update":
        return rest.keys() != {key_property}
    needed = _NEEDED.get(object_type)
    return needed is None or any(rest.get(name) for name in needed)


def withhold(
    settled: Settlement,
    sends: dict[str, Input],
    left_out: dict[str, LeftOut],
    object_type: str,
    key_property: str,
) -> Settlement:
    """The settlement with refused records that are worth it put to be sent again, without what
    they were refused for; `sends` and `left_out` (by key) are changed accordingly.
    """
    if settled.verdict:
        return settled
    outcomes: list[Outcome] = []
    resend: list[str] = []
    for outcome in settled.outcomes:
        if not isinstance(outcome, Refused):
            outcomes.append(outcome)
            continue
        why, one = outcome.why, sends[outcome.key]
        less = without(one, why.blames, object_type, key_property, why.owner)
        if less is None:
            outcomes.append(outcome)
            continue
        sends[outcome.key] = less[0]
        left_out[outcome.key] = left_out.get(outcome.key, {}) | less[1]
        resend.append(outcome.key)
    return msgspec.structs.replace(settled, outcomes=tuple(outcomes), resend=tuple(resend))
