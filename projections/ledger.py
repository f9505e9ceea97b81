"""The ledger of one HubSpot object: a pure fold of its stream, and the work lists that follow.

`evolve` is the whole life cycle of a command:

    idle ──Emitted──▶ pending ──Sent──▶ sent ──Succeeded──▶ idle
                        ▲ │ ▲            ├──Failed────▶ pending (again at retry_at_us)
          Released──────┘ │ └────────────┘
                          ├──Held──▶ held         sent/pending ──Parked──▶ parked
                          └──Superseded──▶ idle   (also from held and parked)

`track` puts the document and keeps the outbox, in-flight, waiting and parked lists in step with
it, so that projector, writer and rebuild can never disagree about them.
"""

from __future__ import annotations

import msgspec

from projections import events as e
from projections import pins
from projections.tables import LANES, PlainText, Target, Withheld
from projections.workspace import Workspace

# Why HubSpot may not take its own status of an invoice: it is set where that can be, and no more.
BEST_EFFORT = frozenset({"INVOICE_TO_LINE_ITEM", "INVOICE_STATUS"})
EMPTY = Target()
_MARK = PlainText()
_LANES = frozenset(LANES)
_OUTBOX = {lane: f"outbox_{lane}" for lane in LANES}

replace = msgspec.structs.replace


def evolve(before: Target, event: e.Event, version: int) -> Target:
    """The ledger after one more event of its stream, which stands at `version`.

    An event at or below the version already folded changes nothing: rows written together with
    their event and rows folded later from the log end up the same.
    """
    if version <= before.version:
        return before
    match event:
        case e.CommandEmitted():
            return replace(
                before,
                version=version,
                state="pending",
                command=event.command,
                attempt=0,
                changes={name: after for name, (_, after) in event.changes.items()},
                fill=tuple(event.fill),
                unknown=False,
                retry_at_us=0,
                waiting_for=(),
                reason="",
                owner="",
                skipped="",
                expected=event.expected,
                pins=pins.after_command(before, event.changes) if before.pins else before.pins,
            )
        case e.CommandSent():
            return replace(
                before, version=version, state="sent", attempt=event.attempt, retry_at_us=0
            )
        case e.CommandSucceeded():
            return replace(
                before,
                version=version,
                state="idle",
                hubspot_id=event.hubspot_id or before.hubspot_id,
                held=_held_after(before, event),
                lost="",
                withheld=_withheld_after(before, event),
                unkeyed=False,
                changes={},
                fill=(),
                expected={},
                pins=pins.after_success(before, event) if before.pins else before.pins,
                # What a later success overwrote is certain again.
                doubt={k: v for k, v in before.doubt.items() if k not in before.changes},
                unknown=False,
                attempt=0,
            )
        case e.CommandFailed():
            doubt = before.doubt | before.changes if event.unknown else before.doubt
            return replace(
                before,
                version=version,
                state="pending",
                unknown=before.unknown or event.unknown,
                doubt=doubt,
                attempt=event.attempt,
                retry_at_us=event.retry_at_us,
            )
        case e.CommandParked():
            return replace(
                before, version=version, state="parked", reason=event.reason, owner=event.owner
            )
        case e.CommandSuperseded():
            return replace(
                before,
                version=version,
                state="idle",
                changes={},
                fill=(),
                expected={},
                waiting_for=(),
                reason="",
                owner="",
                unknown=False,
            )
        case e.CommandHeld():
            return replace(
                before, version=version, state="held", waiting_for=tuple(event.waiting_for)
            )
        case e.CommandReleased():
            return replace(before, version=version, state="pending", waiting_for=())
        case e.RecordAdopted():
            return replace(
                before,
                version=version,
                hubspot_id=event.hubspot_id,
                held=dict(event.values),
                unkeyed=event.unkeyed,
                doubt=dict.fromkeys(event.unsaid, ""),
            )
        case e.RecordLost():
            return replace(
                before,
                version=version,
                hubspot_id="",
                lost=event.hubspot_id,
                held={},
                doubt={},
                withheld={},
                unkeyed=False,
                unknown=False,
                pins={},
            )
        case e.DealMatched():
            return replace(
                before,
                version=version,
                deal=event.deal,
                deals=tuple(event.candidates),
                number=event.value,
            )
        case e.DriftFound():
            theirs = {name: found for name, (_, found) in event.values.items()}
            held = {k: v for k, v in before.held.items() if k not in event.unsaid} | theirs
            doubt = before.doubt | dict.fromkeys(event.unsaid, "")
            return replace(before, version=version, held=held, doubt=doubt)
        case e.FieldsPinned():
            return replace(before, version=version, pins=pins.after_pinning(before, event))
        case e.TargetErased():
            return Target(
                version=version,
                hubspot_id=event.hubspot_id,
                held=dict(event.held),
                doubt=dict.fromkeys(event.cleared, ""),
                unkeyed=event.unkeyed,
                lost=event.lost,
            )
        case e.GarbageFound():
            return replace(before, version=version, garbage=dict(event.cells))
        case e.WithheldDropped():
            over = frozenset(event.properties)
            left = {name: one for name, one in before.withheld.items() if name not in over}
            return replace(before, version=version, withheld=left)
        case e.RecordSkipped():
            return replace(before, version=version, skipped=event.reason)
        case _:
            # An event of a later version of this service: it has a place in the stream, no effect.
            return replace(before, version=version)


def _held_after(before: Target, event: e.CommandSucceeded) -> dict[str, str]:
    written = before.changes
    if event.withheld or event.overtaken:
        left_out = event.withheld.keys() | event.overtaken.keys()
        written = {name: value for name, value in written.items() if name not in left_out}
    held = before.held | written
    return held | event.kept if event.kept else held


def _withheld_after(before: Target, event: e.CommandSucceeded) -> dict[str, Withheld]:
    """What HubSpot still would not take: what was written meanwhile is no longer withheld."""
    if not before.withheld and not event.withheld:
        return before.withheld
    left = {name: one for name, one in before.withheld.items() if name not in before.changes}
    for name, one in event.withheld.items():
        left[name] = Withheld(one.value, one.reason, one.owner, one.unsent)
    return left


def track(work: Workspace, name: str, event: e.Event, version: int) -> Target:
    """Fold one event into the loaded row of target `name`, and its work lists with it."""
    before = work.get("target", Target, name) or EMPTY
    after = evolve(before, event, version)
    if after is not before:
        work.put("target", name, after)
        _relist(work, name, before, after)
        if isinstance(event, e.DealMatched):
            _relist_deal(work, name, before, after)
        if before.garbage != after.garbage:
            _relist_garbage(work, name, after)
    return after


def _relist(work: Workspace, name: str, before: Target, after: Target) -> None:
    """Move a target between the work lists as its state changed."""
    lane = name.partition("/")[0]
    if lane not in _LANES:
        return
    was, now = before.state, after.state
    if was == "idle" and now == "pending":  # by far the most
        work.put(_OUTBOX[lane], name, _MARK, after.retry_at_us)
        return
    if was == "pending" and now != "pending":
        work.remove(_OUTBOX[lane], name)
    elif was == "sent" and now != "sent":
        work.remove("inflight", name)
    elif was == "parked" and now != "parked":
        work.remove("parked", name)
    if was == "held" and now != "held":
        for parent in before.waiting_for:
            work.remove("waiting", f"{parent}>{name}")
    if now == "pending":
        work.put(_OUTBOX[lane], name, _MARK, after.retry_at_us)
    elif now == "sent" and was != "sent":
        work.put("inflight", name, _MARK)
    elif now == "parked" and was != "parked":
        work.put("parked", name, PlainText(after.reason))
    elif now == "held":
        for parent in after.waiting_for:
            work.put("waiting", f"{parent}>{name}", PlainText(name))
    if before.owner or after.owner or before.withheld is not after.withheld:
        _relist_withheld(work, name, before, after)


def _relist_deal(work: Workspace, name: str, before: Target, after: Target) -> None:
    was, now = _deal_key(name, before), _deal_key(name, after)
    if was and was != now:
        work.remove("deal", was)
    if now:
        work.put("deal", now, PlainText(after.number))


def _deal_key(name: str, doc: Target) -> str:
    """Where the row of an invoice stands in `deal`, "" when no deal was looked for."""
    if doc.deals:
        return f"several/{name}"
    if doc.deal:
        return f"linked/{name}"
    return f"none/{name}" if doc.number else ""


def _relist_withheld(work: Workspace, name: str, before: Target, after: Target) -> None:
    lane = name.partition("/")[0]
    was, now = _in_the_way(before), _in_the_way(after)
    for owner in was - now:
        work.remove("blocked", blocked_key(lane, owner, name))
    for owner in sorted(now - was):
        work.put("blocked", blocked_key(lane, owner, name), PlainText(name))
    listed = [field for field, one in after.withheld.items() if one.reason not in BEST_EFFORT]
    if listed:
        work.put("withheld", name, PlainText(", ".join(sorted(listed))))
    elif before.withheld:
        work.remove("withheld", name)


def _relist_garbage(work: Workspace, name: str, doc: Target) -> None:
    if doc.garbage:
        told = ", ".join(f"{column} {cell!r}" for column, cell in sorted(doc.garbage.items()))
        work.put("garbage", name, PlainText(told))
    else:
        work.remove("garbage", name)


def _in_the_way(doc: Target) -> set[str]:
    """The HubSpot records that have what this target wants."""
    owners = {one.owner for one in doc.withheld.values()}
    if doc.state == "parked":
        owners.add(doc.owner)
    return owners - {""}


def blocked_key(lane: str, owner: str, name: str) -> str:
    """The key of a target behind the record that has what it wants (of the same object)."""
    return f"{lane}:{owner}>{name}"


def exists_in_hubspot(doc: Target | None) -> bool:
    """Whether the log knows this object's HubSpot id."""
    return doc is not None and doc.hubspot_id != ""
