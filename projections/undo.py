"""What can be put back of chosen commands to one HubSpot record, and what cannot, and why.

Pure: reads the record's stream. Of each property the value of the last chosen command is ours, and
what stood there before the first one is wanted. The log says what we knew of that; what a person
typed meanwhile only HubSpot's history of the property says, so it is asked of every one. Nothing is
deleted and no link is taken back: those are told. What was not sent yet is withdrawn.
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
    """Properties to ask HubSpot about, what is left, and what is not to be sent any more: property
    to what the log knows of HubSpot's value, and ours.
    """

    asked: dict[str, Asked]
    left: list[Left]
    withdrawn: dict[str, e.Change]


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
    absorbed: dict[int, e.CommandEmitted] = {}  # by the number of the command that took it up
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
            case e.CommandSuperseded(by=int(newer)) if emitted is not None:
                absorbed[newer] = emitted
            case e.RecordLost():
                written.clear()
            case _:
                pass
    withdrawn: dict[str, e.Change] = {}
    left: list[Left] = []
    if doc.state != "idle" and emitted is not None:
        withdrawn, left = _open(name, emitted, absorbed, chosen, doc)
    if linked:
        left.append(Left(name, "", "a link: links are not taken back"))
    elif created:
        left.append(Left(name, "", "it was created: nothing is deleted in HubSpot"))
    elif written and mapping is not None:
        coming = {} if doc.state == "idle" or emitted is None else emitted.changes
        for prop in coming.keys() - withdrawn.keys():
            later[prop] = doc.command
        questions, more = _judge(name, written, later, doc, mapping, made)
        return Undoing(questions, left + more, withdrawn)
    return Undoing({}, left, withdrawn) if left or withdrawn else None


def _open(
    name: str,
    emitted: e.CommandEmitted,
    absorbed: dict[int, e.CommandEmitted],
    chosen: Collection[int],
    doc: Target,
) -> tuple[dict[str, e.Change], list[Left]]:
    """What is withdrawn of the open command, and what is left of it."""
    number = emitted.command
    older = absorbed.get(number)
    if number not in chosen:
        if older is None or older.command not in chosen:
            return {}, []
        why = f"command {number}, which is no part of this, took up command {older.command}"
        return {}, [Left(name, "", f"{why} before it was sent")]
    if doc.state == "sent" or doc.unknown:
        why = f"command {number} is on its way: undo again when it is known what became of it"
        return {}, [Left(name, "", why)]
    if older is None or older.command in chosen:
        return dict(emitted.changes), []
    why = f"command {older.command}, which is no part of this, was not sent either"
    if emitted.create:
        return {}, [Left(name, "", f"{why}: the record is created")]
    shared = emitted.changes.keys() & older.changes.keys()
    left = [
        Left(name, prop, f"{why}: of the two values the newer one is")
        for prop in sorted(shared)
        if emitted.changes[prop][1] != older.changes[prop][1]
    ]
    return {p: change for p, change in emitted.changes.items() if p not in shared}, left


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
) -> tuple[dict[str, Asked], list[Left]]:
    """What to ask HubSpot about of what was written, and what is left of it."""
    left: list[Left] = []
    asked: dict[str, Asked] = {}
    for prop, one in sorted(written.items()):
        rule = mapping.by_property.get(prop)
        if prop in later:
            is_open = doc.state != "idle" and later[prop] == doc.command
            why = "has written it since" if not is_open else "is open and writes it"
            why = f"command {later[prop]} {why}"
        elif rule is not None and rule.rank is not None:
            why = "HubSpot lets this property move forward only"
        elif not doc.hubspot_id:
            why = "the record is not in HubSpot any more"
        else:
            is_new = one.before is None and f"{mapping.hubspot_type}.{prop}" in made
            asked[prop] = one._replace(before="") if is_new else one
            continue
        left.append(Left(name, prop, why))
    return asked, left
