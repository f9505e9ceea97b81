"""One record's life, told from its events: what happened, in a sentence, and why.

Pure: takes decoded entries of a target's stream, of its source record's stream and of the events
that led to these, and gives them back in order of the log with words an operator reads. What is
told of another record says of which.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from projections import events as e
from projections.folding import Entry

ERASED: Final = "Erased"  # the event of which nothing is left
_SAGE: Final = "Sage 100: "

Changes = dict[str, tuple[str | None, str | None]]


class Moment(msgspec.Struct, frozen=True):
    """One event of a life. `changes`: field to (before, after). `cause`: position, or None."""

    position: int
    stream: str
    event: str
    text: str
    changes: Changes = {}
    cause: int | None = None
    facts: dict[str, str] = {}


def tell(
    entries: Sequence[Entry],
    causes: Mapping[int, int | None],
    own: Collection[str] | None = None,
    before: Mapping[int, Mapping[str, str]] = MappingProxyType({}),
) -> list[Moment]:
    """Moments ascending by position. `causes`: position to the position that led to it. `own`:
    streams of the record itself (None: all), which begin at their first event; `before`: position
    of an event of another record to the row as it was until then.
    """
    rows: dict[str, Mapping[str, str]] = {}
    told: list[Moment] = []
    for entry in sorted(entries, key=lambda one: one.position):
        if entry.position in before:
            rows[entry.stream] = before[entry.position]
        moment = _moment(entry, rows, causes.get(entry.position))
        if own is not None and entry.stream not in own:
            moment = msgspec.structs.replace(moment, text=_of_another(entry.stream, moment.text))
        told.append(moment)
    return told


def _of_another(stream: str, text: str) -> str:
    """What happened to another record, with its name: "Sage 100: AR_Payment 01-ABF:…: …"."""
    head, _, rest = stream.partition("/")
    if head == "sage":
        _, _, entity, key = rest.split("/", 3)
        return f"{_SAGE}{entity} {key}: {text.removeprefix(_SAGE)}"
    if head == "poll":
        _, code, entity = rest.split("/", 2)
        return f"{entity} of {code}: {text}"
    return f"{rest}: {text}" if head == "hubspot" else text


def _moment(entry: Entry, rows: dict[str, Mapping[str, str]], cause: int | None) -> Moment:
    changes: Changes = {}
    facts: dict[str, str] = {}
    match entry.payload:
        case None:
            text = "the content of this event was erased"
            return Moment(entry.position, entry.stream, ERASED, text, cause=cause)
        case e.RecordObserved() as seen:
            before = rows.get(entry.stream)
            changes = _row_changes(before, seen.row)
            rows[entry.stream] = seen.row
            how = "by the nightly sweep" if seen.via == "sweep" else "by a poll"
            what = "1 field changed" if len(changes) == 1 else f"{len(changes)} fields changed"
            if entry.version == 1:
                what = "seen for the first time"
            elif before is None:
                changes = {}
                what = "changed; what it was before was erased"
            if changes.get("IsOpen") == ("Y", "N"):
                was = (before or {}).get("Balance", "0")
                what = f"closed, its balance was {was} when last seen"
            text = f"Sage 100: {what}, {how}"
            facts = {"stamp": seen.stamp, "fingerprint": seen.fingerprint}
        case e.RecordVanished() as gone:
            sweeps = "a complete sweep" if gone.sweeps == 1 else f"{gone.sweeps} complete sweeps"
            text = f"Sage 100: not found in {sweeps}{' in a row' if gone.sweeps > 1 else ''}"
            text += f": {gone.kind}" if gone.kind else ""
            text += f" ({gone.evidence})" if gone.evidence else ""
        case e.RecordReturned():
            text = "Sage 100: found again"
        case e.RecordErased() as erased:
            rows[entry.stream] = erased.row
            text = "personal data erased: what accounting needs is left"
            facts = {"fingerprint": erased.fingerprint}
        case e.TargetErased() as stands:
            text = "personal data erased: what HubSpot holds else is kept in mind"
            if stands.cleared:
                text += f"; to be emptied there: {', '.join(stands.cleared)}"
        case e.CommandEmitted() as emitted:
            changes = {name: (before, after) for name, (before, after) in emitted.changes.items()}
            verb = "create in" if emitted.create else "update"
            text = f"command {emitted.command}: {verb} HubSpot, {emitted.reason}"
            facts = {"mapping": emitted.mapping}
        case e.CommandSent() as sent:
            text = f"command {sent.command}: sent, attempt {sent.attempt}"
            facts = {"batch": sent.batch}
        case e.CommandSucceeded() as done:
            text = f"command {done.command}: {done.outcome} in HubSpot as {done.hubspot_id}"
            changes = {name: (None, value) for name, value in done.kept.items()}
            facts = _answer(done.status, done.correlation_id, done.batch)
            if done.replaced:
                text += f", in place of {done.replaced}"
            for name, left_out in done.withheld.items():
                text += f"; {name} left out ({left_out.reason}): {left_out.message}"
                facts[f"advice on {name}"] = left_out.advice
            for name, theirs in done.overtaken.items():
                text += f"; {name} left as it is: HubSpot held {theirs or '(empty)'} there by then"
        case e.CommandFailed() as failed:
            doubt = " (it may have been carried out)" if failed.unknown else ""
            text = f"command {failed.command}: failed{doubt}, to be tried again: {failed.message}"
            facts = _answer(failed.status, failed.correlation_id, failed.batch)
        case e.CommandParked() as parked:
            text = f"command {parked.command}: parked ({parked.reason}): {parked.message}"
            facts = _answer(parked.status, parked.correlation_id, parked.batch)
            facts["advice"] = parked.advice
        case e.CommandSuperseded() as superseded:
            text = f"command {superseded.command}: not carried out, {superseded.reason}"
        case e.CommandHeld() as held:
            text = f"command {held.command}: waits for {', '.join(held.waiting_for)}"
        case e.CommandReleased() as released:
            text = f"command {released.command}: goes on, {released.because}"
        case e.RecordAdopted() as adopted:
            text = f"existing HubSpot record {adopted.hubspot_id} adopted by {adopted.rule}"
            changes = {name: (None, value) for name, value in adopted.values.items()}
            text += _unsaid(adopted.unsaid)
        case e.RecordLost() as lost:
            text = f"HubSpot record {lost.hubspot_id} is gone: {lost.why}"
        case e.RecordSkipped() as skipped:
            text = f"becomes no HubSpot object: {skipped.reason}"
        case e.WithheldDropped() as dropped:
            told = ", ".join(dropped.properties)
            text = f"nothing is to be written to what was left out any more: {told}"
        case e.GarbageFound() as garbage:
            told = ", ".join(f"{name} {cell!r}" for name, cell in garbage.cells.items())
            text = f"no amount is what Sage 100 shows as {told}: what hangs on it is left as it is"
            if not told:
                text = "all its amounts can be read again"
            facts = {"reason": garbage.reason if told else ""}
        case e.DealMatched() as found:
            text = f"deal {found.deal} carries its number {found.value}"
            if not found.deal:
                text = f"no deal carries its number {found.value}".rstrip()
            if found.candidates:
                text = f"several deals carry its number {found.value}: "
                text += f"{found.deal} stays" if found.deal else "none is chosen"
                facts = {"deals": ", ".join(found.candidates)}
        case e.DriftFound() as drift:
            changes = dict(drift.values)
            told = "; ".join(f"{name} by {drift.by.get(name, 'nobody told')}" for name in changes)
            text = f"changed in HubSpot, and put right: {told}".removesuffix(": ")
            text += _unsaid(drift.unsaid)
        case e.ReconcileRequested():
            text = "what HubSpot holds was compared, and differences were to be put right"
        case e.FieldsPinned() as pinned:
            changes = dict(pinned.values)
            text = "an undo puts back what was there before" if changes else "an undo is lifted"
            if pinned.alone:
                text = "an undo withdraws what was not sent yet"
                text += ", and puts back what was there before" if changes else ""
                changes |= {name: (ours, None) for name, ours in pinned.alone.items()}
        case e.UndoRequested() as undo:
            text = f"undo requested: {undo.selection}"
        case e.PlanApplied() as plan:
            text = f"plan {plan.digest[:12]} was applied, {plan.records} records"
        case e.ReplayRequested() as replay:
            text = f"replay requested: {replay.selection}"
        case e.MassChangeReleased() as released:
            by = f" by {released.by}" if released.by else ""
            text = f"the decisions of {released.company} were released{by}"
        case e.PollStarted() as started:
            what = "sweep of all rows" if started.via == "sweep" else "poll"
            since = f" of changes since {started.since}" if started.since else ""
            text = f"a {what}{since} began"
        case e.PollCompleted() as done:
            what = "sweep of all rows" if done.via == "sweep" else "poll"
            text = (
                f"a {what} came to its end: {done.read} rows read, {done.observed} of them changed"
            )
        case e.AgingDateAdvanced() as advanced:
            text = f"the as-of day of {advanced.company} became {advanced.date}"
        case e.MappingActivated() as mapping:
            text = f"mapping {mapping.digest[:12]} came into force"
            facts = {"mapping": mapping.digest}
        case e.SourceDescribed() as source:
            text = f"settings of {source.company} changed"
        case e.TrustRefused() as trust:
            text = f"connection to {trust.host} refused: {trust.message}"
            facts = {"certificate": trust.fingerprint, "remedy": trust.remedy}
        case other:
            text = e.type_of(other)
    return Moment(
        position=entry.position,
        stream=entry.stream,
        event=e.type_of(entry.payload),
        text=text,
        changes=changes,
        cause=cause,
        facts={name: value for name, value in facts.items() if value},
    )


def _unsaid(names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"; what it held of {', '.join(names)} is not told: personal data was erased"


def _answer(status: int, correlation_id: str, batch: str) -> dict[str, str]:
    return {
        "status": str(status) if status else "",
        "correlation id": correlation_id,
        "batch": batch,
    }


def _row_changes(before: Mapping[str, str] | None, after: Mapping[str, str]) -> Changes:
    """Columns that differ between two raw rows; an empty cell is None."""
    old = before or {}
    names = dict.fromkeys([*after, *old])
    return {
        name: (old.get(name), after.get(name)) for name in names if old.get(name) != after.get(name)
    }
