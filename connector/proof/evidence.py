"""What the figures rest on: how old Sage 100's side is, and what its own aging comes to.

Both are told and fail nothing. A reading counts as old when it has fallen due twice since, by the
schedule of its instance, quiet hours left out and an hour's grace.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from connector.moments import iso
from connector.sage100.instance import Instance
from connector.sage100.schedule import quiet_until
from eventstore import EventStore
from projections import keys, receivables
from projections.evidence import RECEIVABLES, Evidence

_GRACE: Final = timedelta(hours=1)
_ZERO: Final = Decimal("0.00")


class Reading(msgspec.Struct, frozen=True):
    """When receivables were last read, ISO 8601 UTC, "" for never; ages in seconds.

    `changes`: the last complete pass over what changed; `everything`: the last complete sweep, or
    a later pass that began anew, as the first of all does (`swept` is False). `warnings`: what is
    older than its schedule allows.
    """

    changes: str = ""
    changes_age_s: int | None = None
    everything: str = ""
    everything_age_s: int | None = None
    swept: bool = False
    warnings: list[str] = []


class AgedOtherwise(msgspec.Struct, frozen=True):
    """A customer whose own aging is not what its open items come to. `aged_on`: YYYY-MM-DD."""

    record: str
    aged: Decimal
    open_items: Decimal
    difference: Decimal
    aged_on: str


class OwnAging(msgspec.Struct, frozen=True):
    """Sage 100's own aging, summed: CurrentBalance and AgingCategory1 to 4 of its `customers`.

    `open_items`: what the open items of these customers come to; `differing`: those where that is
    another amount, the greatest difference first.
    """

    customers: int = 0
    aged: Decimal = _ZERO
    open_items: Decimal = _ZERO
    difference: Decimal = _ZERO
    differing: list[AgedOtherwise] = []


async def reading(
    store: EventStore, evidence: Evidence, company: str, instance: Instance | None, now: datetime
) -> Reading:
    """How old the receivables of a company are. `instance`: whose schedule they are judged by."""
    passes = evidence.passes(company)
    times = [
        None if commit is None else datetime.fromtimestamp(commit.recorded_at_us / 1e6, UTC)
        for commit in await store.commits([passes.changes, passes.everything])
    ]
    changes, everything = times
    warnings = []
    if instance is not None:
        # A sweep reads what has changed as well.
        newest = max((time for time in times if time is not None), default=None)
        for what, name, read in (
            ("pass over", "invoices", newest),
            ("sweep of", "sweep", everything),
        ):
            told = _too_old(f"{what} {RECEIVABLES}", name, read, instance, now)
            warnings += [told] if told else []
    return Reading(
        changes=_shown(changes),
        changes_age_s=_age_s(changes, now),
        everything=_shown(everything),
        everything_age_s=_age_s(everything, now),
        swept=passes.swept,
        warnings=warnings,
    )


def _too_old(what: str, name: str, read: datetime | None, instance: Instance, now: datetime) -> str:
    """Why a reading is older than it may be; "" when it is not."""
    if read is None:
        return f"no {what} was ever completed"
    plan, zone = instance.schedules()[name], instance.zone()
    due = plan.next_due(plan.next_due(read, zone), zone)
    due = (quiet_until(instance.quiet_spans(), due, zone) or due) + _GRACE
    if now <= due:
        return ""
    return (
        f"the last complete {what} ended at {_shown(read)}, and by its schedule ({plan.text}) "
        f"another one should have by {_shown(due)}: 'ml-connector status' may say why"
    )


def _shown(time: datetime | None) -> str:
    return iso(round(time.timestamp() * 1e6)) if time is not None else ""


def _age_s(time: datetime | None, now: datetime) -> int | None:
    return None if time is None else max(0, round((now - time).total_seconds()))


def own_aging(evidence: Evidence, company: str, owed: dict[str, Decimal]) -> OwnAging:
    """Sage 100's own aging beside what the open items come to (`owed`, by customer key)."""
    aged = evidence.aged(company)
    pairs = [(key, one, owed.get(key, _ZERO)) for key, one in aged.items()]
    differing = [
        AgedOtherwise(
            record=keys.target("companies", key),
            aged=one.owed,
            open_items=open_items,
            difference=one.owed - open_items,
            aged_on=receivables.shown_day(one.day),
        )
        for key, one, open_items in pairs
        if one.owed != open_items
    ]
    total = sum((one.owed for _, one, _ in pairs), _ZERO)
    open_total = sum((open_items for *_, open_items in pairs), _ZERO)
    return OwnAging(
        customers=len(aged),
        aged=total,
        open_items=open_total,
        difference=total - open_total,
        differing=sorted(differing, key=lambda one: (-abs(one.difference), one.record)),
    )
