"""From dirty targets to commands: the one place where HubSpot's future is decided.

Per target: compare what it should hold with what the log says it holds, and emit the difference.
At most one command is open on a target. One that has not been sent is superseded by a newer one;
while one is on its way, the decision waits for its outcome, which keeps commands in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from projections import desire, diff, keys, ledger, line, personal, pins
from projections import events as e
from projections.desire import Knowledge, Skip
from projections.folding import stronger
from projections.mapping.compiled import CompiledMapping
from projections.tables import Dirty, PlainText, Target
from projections.workspace import Workspace

_OPEN = frozenset({"pending", "held", "parked"})
_PARTED = "they belong together no more"
_TAKEN = "taken over, to be given our key"


class Emission(msgspec.Struct, frozen=True):
    """Events for one hubspot/ stream that must still stand at version `expect`."""

    stream: str
    expect: int
    events: list[e.Event]
    cause: int | None


def decide(
    dirty: Mapping[str, Dirty], work: Workspace, mapping: CompiledMapping, known: Knowledge
) -> list[Emission]:
    """Commands for these targets; their rows are changed in `work` as if already folded.

    Needs the rows of `desire.reads` and, for contacts and invoices, those of `desire.links` and
    of both ends of each link.
    """
    out: list[Emission] = []
    for name, mark in dirty.items():
        kind, _ = keys.split_target(name)
        if kind == "associations":
            _decide_link(name, mark, work, mapping.digest, out)
            continue
        doc = work.get("target", Target, name) or ledger.EMPTY
        if doc.state == "sent":
            work.put("deferred", name, mark)
            continue
        wanted = desire.properties(name, work, mapping, known)
        gone = "" if doc.hubspot_id or _may_be_there(doc) else desire.gone(name, work)
        if gone:
            wanted = Skip(gone)
        elif doc.pins and not doc.hubspot_id and not _may_be_there(doc) and wanted is not None:
            wanted = Skip(pins.WITHDRAWN)
        garbage = {} if gone else desire.garbage(name, work)
        told: list[e.Event] = (
            [e.GarbageFound("NO_NUMBER", garbage)] if garbage != doc.garbage else []
        )
        if wanted is None:
            continue
        if isinstance(wanted, Skip):
            if doc.withheld:
                told.append(e.WithheldDropped(sorted(doc.withheld)))
            if doc.skipped != wanted.reason and not doc.hubspot_id:
                if doc.state != "idle":
                    told.append(e.CommandSuperseded(doc.command, doc.state, None, wanted.reason))
                told.append(e.RecordSkipped(wanted.reason))
                _emit(name, doc, told, mark.cause, work, out)
                for link in desire.links(name, work):
                    _decide_no_link(link, wanted.reason, mark, work, out)
            elif wanted.reason == line.NOT_MAPPED and doc.state in _OPEN:
                _drop(name, doc, wanted.reason, mark.cause, work, out, told)
            elif told:
                _emit(name, doc, told, mark.cause, work, out)
            continue
        pinned = pins.in_force(doc, wanted) if doc.pins else {}
        if pinned:
            wanted = {prop: value for prop, value in wanted.items() if prop not in pinned}
        if doc.withheld:
            over = diff.outdated(mapping.objects[kind], wanted, doc) - pinned.keys()
            over |= pins.outdated(pinned, doc)
            told += [e.WithheldDropped(sorted(over))] if over else []
        shown = doc
        if mark.force == line.ARRIVED:
            shown = line.lifted(doc)
            mark = Dirty(mark.cause, "", "" if shown is doc else line.ARRIVED)
        difference = diff.compare(mapping.objects[kind], wanted, shown, force=bool(mark.force))
        if pinned:
            difference, mark = pins.put_back(difference, pinned, doc, mark)
        _command(name, doc, difference, mark, mapping.digest, work, out, told)
        for link in desire.links(name, work):
            _decide_link(link, Dirty(mark.cause), work, mapping.digest, out)
    return out


def _may_be_there(doc: Target) -> bool:
    """Whether an attempt of unknown outcome may have made the record: it is looked for first."""
    return doc.unknown or bool(doc.doubt)


def _decide_no_link(name: str, why: str, mark: Dirty, work: Workspace, out: list[Emission]) -> None:
    """One end is not made after all: what was to link it is not carried out."""
    doc = work.get("target", Target, name) or ledger.EMPTY
    if doc.state in _OPEN:
        _drop(name, doc, why, mark.cause, work, out)


def _decide_link(name: str, mark: Dirty, work: Workspace, digest: str, out: list[Emission]) -> None:
    doc = work.get("target", Target, name) or ledger.EMPTY
    if doc.state == "sent":
        work.put("deferred", name, stronger(mark, work.get("deferred", Dirty, name)))
        return
    wants_link = desire.wants_link(name, work)
    if pins.withhold_link(doc, "true" if wants_link else ""):
        if doc.state in _OPEN:
            _drop(name, doc, pins.WITHDRAWN, mark.cause, work, out)
        return
    if not wants_link:
        _decide_unlink(name, doc, mark, work, digest, out)
        return
    if _is_linked(name, doc, work) and not mark.force and not doc.doubt:
        if doc.state in _OPEN and doc.changes.get("linked") == "":
            _drop(name, doc, "they belong together again", mark.cause, work, out)
        return
    if doc.state == "idle" and any(_is_erased(end, work) for end in _ends(name)):
        return
    changes: dict[str, tuple[str | None, str]] = {"linked": (doc.held.get("linked"), "true")}
    _command(name, doc, diff.Difference(changes, [], {}), mark, digest, work, out)


def _decide_unlink(
    name: str, doc: Target, mark: Dirty, work: Workspace, digest: str, out: list[Emission]
) -> None:
    """The two belong together no more: take their link away, if HubSpot has it."""
    held = doc.held.get("linked")
    if held == "true" or "linked" in doc.doubt:
        gone = diff.Difference({"linked": (held, "")}, [], {})
        _command(name, doc, gone, Dirty(mark.cause, "", _PARTED), digest, work, out)
    elif doc.state in _OPEN:
        _drop(name, doc, _PARTED, mark.cause, work, out)


def _drop(
    name: str,
    doc: Target,
    why: str,
    cause: int,
    work: Workspace,
    out: list[Emission],
    told: Sequence[e.Event] = (),
) -> None:
    superseded = e.CommandSuperseded(doc.command, doc.state, None, why)  # type: ignore[arg-type]
    _emit(name, doc, [*told, superseded], cause, work, out)


def _ends(name: str) -> tuple[str, str]:
    return keys.ends(keys.split_target(name)[1])


def _is_erased(name: str, work: Workspace) -> bool:
    """Whether nothing of this record is in HubSpot, nor will be, since it was erased."""
    doc = work.get("target", Target, name)
    return doc is not None and doc.skipped == personal.ERASED and not doc.hubspot_id


def _is_linked(name: str, doc: Target, work: Workspace) -> bool:
    """Whether HubSpot links the two records as they are now; one may have been replaced."""
    if doc.held.get("linked") != "true":
        return False
    known = [work.get("target", Target, end) for end in _ends(name)]
    ids = [end.hubspot_id for end in known if end is not None and end.hubspot_id]
    return len(ids) < len(known) or doc.hubspot_id == ">".join(ids)


def _command(
    name: str,
    doc: Target,
    difference: diff.Difference,
    mark: Dirty,
    digest: str,
    work: Workspace,
    out: list[Emission],
    told: Sequence[e.Event] = (),
) -> None:
    """Emit the difference unless the same is under way already; supersede what it replaces.

    `told`: what else is to be said of the target, before that.
    """
    is_open = doc.state in _OPEN
    events = list(told)
    version = doc.version + len(events)
    if not difference.changes and doc.hubspot_id and not doc.unkeyed:
        if is_open:
            events.append(
                e.CommandSuperseded(doc.command, doc.state, None, "nothing left to do")  # type: ignore[arg-type]
            )
        if events:
            _emit(name, doc, events, mark.cause, work, out)
        return
    if is_open:
        after = {prop: value for prop, (_, value) in difference.changes.items()}
        same = after == doc.changes and set(difference.fill) == set(doc.fill)
        if same and difference.expected == doc.expected and not mark.force:
            if events:
                _emit(name, doc, events, mark.cause, work, out)
            return
        events.append(
            e.CommandSuperseded(doc.command, doc.state, version + 2, "absorbed by a newer command")  # type: ignore[arg-type]
        )
        version += 1
    create = doc.hubspot_id == ""
    events.append(
        e.CommandEmitted(
            command=version + 1,
            changes=difference.changes,
            reason=mark.force
            or mark.why
            or ("new in Sage 100" if create else _TAKEN if doc.unkeyed else "changed in Sage 100"),
            mapping=digest[:12],
            create=create,
            fill=difference.fill,
            expected=difference.expected,
        )
    )
    _emit(name, doc, events, mark.cause, work, out)


def _emit(
    name: str,
    doc: Target,
    events: list[e.Event],
    cause: int | None,
    work: Workspace,
    out: list[Emission],
) -> None:
    for offset, event in enumerate(events, start=1):
        ledger.track(work, name, event, doc.version + offset)
    out.append(Emission(keys.hubspot_stream(name), doc.version, events, cause))


def waiting_reads(children: Iterable[str]) -> set[str]:
    """The target rows that `release` needs for these waiting targets."""
    wanted: set[str] = set()
    for child in children:
        wanted.add(child)
        wanted.update(keys.parents(child))
    return wanted


def release(
    arrived: Mapping[str, int], waiting: Mapping[str, list[PlainText]], work: Workspace
) -> list[Emission]:
    """CommandReleased for every held target all of whose parents now exist in HubSpot.

    `arrived`: parent target to the position that brought it; `waiting`: parent to its children.
    """
    out: list[Emission] = []
    for parent, children in waiting.items():
        for child in children:
            doc = work.get("target", Target, child.text)
            if doc is None or doc.state != "held":
                continue
            if all(
                ledger.exists_in_hubspot(work.get("target", Target, other))
                for other in keys.parents(child.text)
            ):
                released = e.CommandReleased(doc.command, f"{parent} exists in HubSpot")
                _emit(child.text, doc, [released], arrived[parent], work, out)
    return out
