"""What can be put back of chosen commands to one HubSpot record, and what cannot, and why.

Pure: reads the record's stream. Of each property the value of the last chosen command is ours, and
what stood there before the first one is wanted. The log says what we knew of that; what a person
typed meanwhile only HubSpot's history of the property says, so it is asked of every one. Nothing is
deleted and no link is taken back: those are told.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import msgspec

from projections import events as e
from projections.folding import Entry
from projections.mapping.compiled import CompiledObject
from projections.tables import Target

Pins = dict[str, tuple[str, str]]


class Left(msgspec.Struct, frozen=True):
    """What is not put back: one property of a record, or ("") the record as a whole."""

    target: str
    property: str
    reason: str


class Write(NamedTuple):
    """A chosen command gave a property this value.

    Positions: `known` of the last thing known of the record until then (0: nothing), `sent` of the
    first attempt (0: none was needed), `acked` of its success.
    """

    value: str
    known: int
    sent: int
    acked: int


class Asked(NamedTuple):
    """A property to ask HubSpot about: how the chosen commands wrote it, the first one first.

    `before`: what the log says that HubSpot held before them; None: it does not know. `overtaken`:
    an undo since then found it changed by somebody, and left it.
    """

    before: str | None
    writes: tuple[Write, ...]
    overtaken: bool = False

    @property
    def ours(self) -> str:
        """What HubSpot holds, unless somebody has changed it since."""
        return self.writes[-1].value


class Undoing(NamedTuple):
    """Properties to ask HubSpot about, and what is left."""

    asked: dict[str, Asked]
    left: list[Left]


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
    written: dict[str, Asked] = {}
    later: dict[str, int] = {}
    created = linked = False
    known = sent = 0
    emitted: e.CommandEmitted | None = None
    for entry in sorted(entries, key=lambda one: one.version):
        match entry.payload:
            case e.CommandEmitted() as emitted:
                pass
            case e.CommandSent() if emitted is not None:
                sent = sent or entry.position
            case e.RecordAdopted():
                known = entry.position
            case e.CommandSucceeded() as done if emitted is not None:
                values = _values(emitted, done)
                if done.replaced:
                    written.clear()
                if emitted.command in chosen:
                    created = created or done.outcome == "created"
                    linked = linked or mapping is None
                    for prop, (before, after) in values.items():
                        overwritten = later.pop(prop, None) is not None
                        first = Asked(before, ()) if overwritten else written.get(prop)
                        asked = first or Asked(before, ())
                        write = Write(after, known, sent, entry.position)
                        written[prop] = asked._replace(writes=(*asked.writes, write))
                else:
                    later |= dict.fromkeys(values, emitted.command)
                for prop in done.overtaken.keys() & written.keys():
                    written[prop] = written[prop]._replace(overtaken=True)
                known, sent = entry.position, 0
            case e.RecordLost():
                written.clear()
            case _:
                pass
    if mapping is None:
        left = [Left(name, "", "a link: links are not taken back")] if linked else []
        return Undoing({}, left) if linked else None
    if created:
        left = [Left(name, "", "it was created: nothing is deleted in HubSpot")]
        return Undoing({}, left)
    if not written:
        return None
    return _judge(name, written, later, doc, mapping, made)


def _values(emitted: e.CommandEmitted, done: e.CommandSucceeded) -> dict[str, e.Change]:
    return {
        prop: change
        for prop, change in emitted.changes.items()
        if prop not in done.kept and prop not in done.withheld and prop not in done.overtaken
    }


def _judge(
    name: str,
    written: dict[str, Asked],
    later: dict[str, int],
    doc: Target,
    mapping: CompiledObject,
    made: Collection[str],
) -> Undoing:
    left: list[Left] = []
    asked: dict[str, Asked] = {}
    for prop, one in sorted(written.items()):
        rule = mapping.by_property.get(prop)
        if prop in later:
            why = f"command {later[prop]} has written it since"
        elif rule is not None and rule.rank is not None:
            why = "HubSpot lets this property move forward only"
        elif not doc.hubspot_id:
            why = "the record is not in HubSpot any more"
        else:
            is_new = one.before is None and f"{mapping.hubspot_type}.{prop}" in made
            asked[prop] = one._replace(before="") if is_new else one
            continue
        left.append(Left(name, prop, why))
    return Undoing(asked, left)
