"""From an input to what is to be written: its target, its checked values, its associations."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from . import admin, commerce, deals
from .changes import Record
from .exchange import Request
from .inputs import Inline, Input
from .refusals import Invalid, Problem, Refusal
from .state import State
from .values import Warned, check_values

ADMIN_RULES_FROM = "2026-09"
"""From this version on an administrator's rules hold for API writes too."""


class Plan(msgspec.Struct, kw_only=True, gc=False):
    """One checked input, ready to be carried out."""

    position: int
    trace_id: str | None
    traced: bool = False
    """True in a batch whose inputs can be told apart."""
    target: Record | None
    properties: dict[str, str]
    warned: list[Warned]
    links: list[tuple[str, int, tuple[int, ...]]]


def target_of(portal: State, object_type: str, one: Input) -> Record | None:
    """The live record an input names by id or unique value."""
    store = portal.stores[object_type]
    if one.id_property:
        return store.holder(one.id_property, one.id or "")
    return store.live(one.id or "")


def merged_away(portal: State, object_type: str, one: Input) -> bool:
    """True when an input names a record that was merged into another."""
    return not one.id_property and portal.stores[object_type].merged_away(one.id or "")


def checked(
    portal: State, request: Request, one: Input, target: Record | None
) -> tuple[dict[str, str], list[Invalid], list[Warned]]:
    """The values to store, what is wrong with them, and what was cut down."""
    clean, wrong, warned = check_values(
        portal.usable(request.type),
        one.properties,
        forgive_dates=request.version >= "2026-09",
    )
    poison = portal.poison_of(request.type, one.id, clean)
    if poison is not None:
        wrong.append(Invalid(poison.property, poison.code, poison.message))
    if request.type == "deals":
        wrong += deals.wrong_stage(portal.options, target, clean)
    elif request.type == "line_items":
        wrong += commerce.wrong_line(clean)
    if portal.admin_rules and request.version >= ADMIN_RULES_FROM:
        wrong += admin.broken(portal.admin_rules.get(request.type, ()), target, clean)
    return clean, wrong, warned


def inline_links(
    portal: State, from_type: str, inline: Sequence[Inline]
) -> list[tuple[str, int, tuple[int, ...]]]:
    """Inline associations, checked: one bad target refuses the record's creation."""
    links = []
    for one in inline:
        ids = tuple(spec.association_type_id for spec in one.types)
        to_type = next(
            (
                kind.name
                for kind in portal.kinds
                if ids and set(ids) <= portal.link_types.known(from_type, kind.name).keys()
            ),
            None,
        )
        if to_type is None:
            raise Refusal(
                Problem(
                    message="One or more associations are invalid",
                    context={"INVALID_ASSOCIATION_TYPE_ID": [str(n) for n in ids]},
                )
            )
        target = portal.stores[to_type].live(one.to.id)
        if target is None:
            label = portal.kinds[to_type].legacy
            raise Refusal(
                Problem(
                    message="One or more associations are invalid",
                    context={"INVALID_OBJECT_IDS": [f"{label}={one.to.id} is not valid"]},
                )
            )
        taken = commerce.other_parent(portal, from_type, None, to_type, target.id)
        if taken is not None:
            raise Refusal(taken)
        links.append((to_type, target.id, ids))
    return links
