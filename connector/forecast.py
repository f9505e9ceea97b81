"""What is pending costs: calls, and the time they take at the least, under HubSpot's limits.

From the counts of the books alone, so that it costs nothing to ask. Each record is taken to be
looked for before it is written, which holds for new ones and is too much for others; how fast
HubSpot answers is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from connector.hubspot.allowance import DAILY, RIGHT_OF_WAY, Tier
from connector.planning import calls_per_minute
from eventstore import EventStore
from projections import books
from projections.plan import BATCH, LINKS
from projections.tables import LANES, Calls, ObjectBook
from projections.workspace import decode


class Forecast(msgspec.Struct, frozen=True):
    """`commands` that are pending, the `calls` they cost, and `minutes` at the least.

    `usable_today`: calls that we may still make today, a reserve left to other apps; None when
    HubSpot has not told lately. `share`: of a day's calls, 1.0 is all of them. `days`: further
    portal days that are needed, 0 when today's calls do. `resets_at`: when the next day begins, "".
    """

    commands: int
    calls: int
    minutes: float
    share: float
    usable_today: int | None
    days: int
    resets_at: str = ""


async def of_pending(
    store: EventStore, tier: Tier, reserve: float, now: datetime | None = None
) -> Forecast:
    """The forecast of everything that is pending or held; `now` (aware): the present, UTC."""
    found = await store.rows({"object_book": LANES, "calls_book": [books.CALLS]})
    open_: dict[str, int] = {}
    for lane, row in found.get("object_book", {}).items():
        book: ObjectBook = decode("object_book", row.value)
        open_[lane] = book.pending + book.held
    told_last = found.get("calls_book", {}).get(books.CALLS)
    calls: Calls = Calls() if told_last is None else decode("calls_book", told_last.value)
    return forecast(open_, calls, tier, reserve, now or datetime.now(UTC))


def forecast(
    pending: Mapping[str, int], known: Calls, tier: Tier, reserve: float, now: datetime
) -> Forecast:
    """The same of commands by lane."""
    general = sum(
        2 * -(-count // BATCH) for lane, count in pending.items() if lane != "associations"
    )
    links = -(-pending.get("associations", 0) // LINKS)
    rates = calls_per_minute(tier)
    minutes = general / rates["general"] + links / rates["associations"]
    limit = known.hubspot_daily_limit or DAILY[tier]
    usable = _usable(known, limit, reserve, now)
    days = _days(general, limit, usable, reserve)
    return Forecast(
        commands=sum(pending.values()),
        calls=general + links,
        minutes=round(minutes, 1),
        share=round(general / limit, 4),
        usable_today=usable,
        days=days,
        resets_at=known.hubspot_resets_at if usable is not None else "",
    )


def _usable(known: Calls, limit: int, reserve: float, now: datetime) -> int | None:
    if known.hubspot_daily_left is None:
        return None
    if known.hubspot_resets_at <= f"{now:%Y-%m-%dT%H:%M:%SZ}":
        return None  # of a day that is over
    return max(0, known.hubspot_daily_left - int(limit * (reserve + RIGHT_OF_WAY)))


def _days(calls: int, limit: int, usable: int | None, reserve: float) -> int:
    a_day = max(1, int(limit * (1 - min(reserve + RIGHT_OF_WAY, 0.99))))
    left = a_day if usable is None else usable
    return 0 if calls <= left else math.ceil((calls - left) / a_day)


def told(one: Forecast) -> str:
    """The forecast in a sentence; "" when nothing is pending."""
    if not one.commands:
        return ""
    if one.days:
        days = "the next day" if one.days == 1 else f"{one.days} more days"
        begins = f" (it begins {one.resets_at})" if one.resets_at else ""
        takes = f"today's calls do not do: it takes {days}{begins}"
    elif one.minutes < 1:
        takes = "less than a minute at the least"
    else:
        hours, minutes = divmod(round(one.minutes), 60)
        takes = (f"{hours} h {minutes} min" if hours else f"{minutes} minutes") + " at the least"
    return (
        f"{one.commands:,} commands are pending: about {one.calls:,} calls, "
        f"{share_told(one.share)} of a day's; {takes}."
    )


def share_told(share: float) -> str:
    """A share of the day's calls in words."""
    percent = share * 100
    return f"{percent:.0f} %" if percent >= 1 else "less than 1 %"
