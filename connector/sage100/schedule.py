"""When to poll: intervals, cron lines, and the quiet hours in between.

Pure: the time comes in, the next time goes out. Cron lines and quiet hours are in the site's own
zone and follow its daylight saving; a cron time that the clock skips runs right after the gap, one
that comes twice runs once (as Debian's cron does it).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim, CronSimError

from connector.errors import Misconfigured

_INTERVAL: Final = re.compile(
    r"(?:(\d{1,5})w)?(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,5})m)?(?:(\d{1,5})s)?"
)
_QUIET: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_SOONEST: Final = timedelta(seconds=1)


class Schedule(msgspec.Struct, frozen=True):
    """An interval, or a cron line; `text` is how the configuration says it."""

    text: str
    interval: timedelta | None = None

    def next_due(self, after: datetime, zone: ZoneInfo) -> datetime:
        """The first time later than `after` (aware), in UTC."""
        if self.interval is not None:
            return after.astimezone(UTC) + self.interval
        # Cron knows whole seconds; the second that `after` lies in is over.
        found: datetime = next(CronSim(self.text, after.astimezone(zone)))
        return found.astimezone(UTC)


class Span(msgspec.Struct, frozen=True):
    """Daily quiet hours from `begins` until just before `ends`, across midnight if need be."""

    begins: time
    ends: time

    def covers(self, moment: time) -> bool:
        """Whether this local time of day is quiet."""
        if self.begins < self.ends:
            return self.begins <= moment < self.ends
        return moment >= self.begins or moment < self.ends


def interval(text: str) -> timedelta:
    """`90s`, `15m`, `1h`, `1d12h`. Raises Misconfigured."""
    found = _INTERVAL.fullmatch(text.strip())
    if found is None or not any(found.groups()):
        raise Misconfigured(
            f"{text!r} is no interval.", remedy='Write it as "90s", "15m", "1h" or "1d12h".'
        )
    names = ("weeks", "days", "hours", "minutes", "seconds")
    numbers = (int(number or 0) for number in found.groups())
    return timedelta(**dict(zip(names, numbers, strict=True)))


def schedule(text: str, *, where: str = "[sage100.schedule]") -> Schedule:
    """An interval or a cron line of five fields. Raises Misconfigured naming what is accepted."""
    line = " ".join(text.split())
    if line.count(" ") == 4:
        try:
            next(CronSim(line, datetime(2024, 1, 1, tzinfo=UTC)))
        except (CronSimError, StopIteration) as problem:
            reason = str(problem) or "it never comes due"
            raise _no_schedule(text, f" ({reason})", where) from None
        return Schedule(line)
    try:
        span = interval(line)
    except Misconfigured:
        raise _no_schedule(text, "", where) from None
    if span < _SOONEST:
        raise _no_schedule(text, " (it must be a second at least)", where)
    return Schedule(line, span)


def quiet_hours(texts: Sequence[str]) -> tuple[Span, ...]:
    """`22:00-04:30` and the like. Raises Misconfigured naming the value."""
    spans = []
    for text in texts:
        found = _QUIET.fullmatch(text.strip())
        begins, ends = "", ""
        if found is not None:
            begins, ends = found[0].split("-")
        if begins == ends:
            raise Misconfigured(
                f"{text!r} are no quiet hours.",
                where="[[sage100]] quiet_hours",
                remedy='Write them as "22:00-04:30": 24 hours, local time of the site.',
            )
        spans.append(Span(time.fromisoformat(begins), time.fromisoformat(ends)))
    return tuple(spans)


def quiet_until(spans: Sequence[Span], now: datetime, zone: ZoneInfo) -> datetime | None:
    """When the quiet hours end in which `now` (aware) lies, in UTC; None outside of any.

    Spans that overlap or follow one another without a gap count as one.
    """
    moment = now.astimezone(zone)
    for _ in range(len(spans) + 1):
        span = next((one for one in spans if one.covers(moment.time())), None)
        if span is None:
            break
        moment = _next_local(moment, span.ends, zone)
    else:
        # Quiet all day round: look again in a day.
        return now.astimezone(UTC) + timedelta(days=1)
    ends = moment.astimezone(UTC)
    return ends if ends > now.astimezone(UTC) else None


def quiet_told(until: datetime, zone: ZoneInfo) -> str:
    """Until when nothing is asked, on the site's clock: "quiet until 04:30 (America/Chicago)"."""
    return f"quiet until {until.astimezone(zone):%H:%M} ({zone.key})"


def _next_local(moment: datetime, ends: time, zone: ZoneInfo) -> datetime:
    """The next time the local clock shows `ends`; one that the clock skips is taken after it."""
    day = moment.date() if moment.time() < ends else moment.date() + timedelta(days=1)
    local = datetime.combine(day, ends, tzinfo=zone)
    # A time inside the spring gap does not exist: through UTC it becomes the one after the gap.
    return local.astimezone(UTC).astimezone(zone)


def _no_schedule(text: str, reason: str, where: str) -> Misconfigured:
    return Misconfigured(
        f"{text!r} is no schedule{reason}.",
        where=where,
        remedy='Write an interval ("15m", "1h", "1d") or five cron fields ("5 * * * mon-fri").',
    )
