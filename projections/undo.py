"""What can be put back of chosen commands to one HubSpot record, and what cannot, and why.

Pure: reads the record's stream. Of each property the value from before the first chosen command
counts, and the value of the last one is ours; whether HubSpot still holds it is for others to find
out. Nothing is deleted and no link is taken back: those are told.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from projections import events as e
from projections.folding import Entry
from projections.likeness import same
from projections.mapping.compiled import CompiledObject
from projections.tables import Target

Pins = dict[str, tuple[str, str]]


class Left(msgspec.Struct, frozen=True):
    """What is not put back: one property of a record, or ("") the record as a whole."""

    target: str
    property: str
    reason: str


class Asked(NamedTuple):
    """A property of which the log does not know what HubSpot held before we wrote `ours`.

    `sent`: position of the first attempt of the first chosen command that wrote it (0: none was
    needed), `acked`: that of the last one's success.
    """

    ours: str
    sent: int
    acked: int


class Undoing(NamedTuple):
    """Property to (the value we wrote, the value from before), and what is left.

    `asked`: properties to ask HubSpot about; `known`: position of the last thing known of the
    record before the first chosen command (0: nothing).
    """

    fields: Pins
    left: list[Left]
    asked: dict[str, Asked]
    known: int = 0


class _Written(NamedTuple):
    before: str | None
    ours: str
    sent: int
    acked: int


def undoing(
    name: str,
    entries: Sequence[Entry],
    chosen: Collection[int],
    doc: Target,
    mapping: CompiledObject | None,
    made: Collection[str],
) -> Undoing | None:
    """What undoing the chosen commands (by number) of one stream means; None: nothing was done.

    `mapping`: of the object, None for associations. `made`: properties ("companies.sage100_x")
    that setup created, which therefore held nothing before we wrote them.
    """
    written: dict[str, _Written] = {}
    later: dict[str, int] = {}
    created = linked = False
    known = sent = 0
    begun = False
    emitted: e.CommandEmitted | None = None
    for entry in sorted(entries, key=lambda one: one.version):
        match entry.payload:
            case e.CommandEmitted() as emitted:
                sent = 0
            case e.CommandSent() if emitted is not None:
                sent = sent or entry.position
                begun = begun or emitted.command in chosen
            case e.RecordAdopted():
                known = known if begun else entry.position
            case e.CommandSucceeded() as done if emitted is not None:
                known = known if begun else entry.position
                values = _values(emitted, done)
                if done.replaced:
                    written.clear()
                if emitted.command in chosen:
                    created = created or done.outcome == "created"
                    linked = linked or mapping is None
                    for prop, (before, after) in values.items():
                        first = written.get(prop) or _Written(before, after, sent, 0)
                        written[prop] = first._replace(ours=after, acked=entry.position)
                        later.pop(prop, None)
                else:
                    later |= dict.fromkeys(values, emitted.command)
            case e.RecordLost():
                written.clear()
            case _:
                pass
    if mapping is None:
        left = [Left(name, "", "a link: links are not taken back")] if linked else []
        return Undoing({}, left, {}) if linked else None
    if created:
        left = [Left(name, "", "it was created: nothing is deleted in HubSpot")]
        return Undoing({}, left, {})
    if not written:
        return None
    found = _judge(name, written, later, doc, mapping, made)
    return found._replace(known=known)


def _values(emitted: e.CommandEmitted, done: e.CommandSucceeded) -> dict[str, e.Change]:
    return {
        prop: change
        for prop, change in emitted.changes.items()
        if prop not in done.kept and prop not in done.withheld
    }


def _judge(
    name: str,
    written: dict[str, _Written],
    later: dict[str, int],
    doc: Target,
    mapping: CompiledObject,
    made: Collection[str],
) -> Undoing:
    fields: Pins = {}
    left: list[Left] = []
    asked: dict[str, Asked] = {}
    for prop, (before, ours, sent, acked) in sorted(written.items()):
        rule = mapping.by_property.get(prop)
        if prop in later:
            why = f"command {later[prop]} has written it since"
        elif rule is not None and rule.rank is not None:
            why = "HubSpot lets this property move forward only"
        elif not doc.hubspot_id:
            why = "the record is not in HubSpot any more"
        elif (before is None and f"{mapping.hubspot_type}.{prop}" not in made) or same(
            before or "", ours, "string" if rule is None else rule.kind
        ):
            asked[prop] = Asked(ours, sent, acked)
            continue
        else:
            fields[prop] = (ours, before or "")
            continue
        left.append(Left(name, prop, why))
    return Undoing(fields, left, asked)
