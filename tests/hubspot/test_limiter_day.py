"""The limiter over a day: what is left of it, for whom, and when the next one begins."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from connector.hubspot.allowance import as_backfill
from connector.hubspot.errors import DailyLimitReached
from connector.hubspot.limiter import Limiter
from connector.hubspot.window import Gate

from .test_limiter import limiter
from .virtual_time import VirtualTime


@pytest.mark.parametrize(
    ("zone", "ends"),
    [("", None), ("America/Chicago", "2026-11-23T06:00:00"), ("Asia/Tokyo", "2026-11-22T15:00:00")],
)
def test_the_end_of_the_day_is_told_as_it_is_or_not_at_all(zone: str, ends: str | None) -> None:
    """Neither how long we hold back for safety nor a guess in an unknown zone is shown."""
    now = datetime(2026, 11, 22, 8, 15, 42, 999_999, tzinfo=UTC)
    gates = Limiter("free", wall=now.astimezone)
    gates.learn("general", day_of(900))
    gates.portal_zone = ZoneInfo(zone) if zone else None
    told = gates.day()
    assert told is not None
    assert (told.limit, told.left) == (1_000, 900)
    assert told.resets_at == (datetime.fromisoformat(f"{ends}+00:00") if ends else None)


async def test_the_day_s_limit_is_told_and_ends_at_the_portal_s_midnight() -> None:
    """When the day's calls are used up callers are told at once how long, not kept waiting."""
    time = VirtualTime()

    def wall(zone: tzinfo) -> datetime:
        # The night in which clocks go back: that day has 25 hours.
        return datetime(2026, 11, 1, 0, 30, tzinfo=zone)

    gates = Limiter("free", clock=time.clock, sleep=time.sleep, wall=wall)
    gates.portal_zone = ZoneInfo("America/Chicago")
    assert gates.refused("general", "DAILY", None) == (24.5 * 3600) + 60
    with pytest.raises(DailyLimitReached) as told:
        async with gates.slot("general"):
            pass
    assert told.value.resets_in_s == (24.5 * 3600) + 60
    async with gates.slot("associations"):
        pass  # their day is counted apart


async def test_without_a_known_midnight_it_asks_again_hourly() -> None:
    """A portal whose time zone is unknown is tried again after an hour."""
    gates = limiter(VirtualTime())
    assert gates.refused("general", "You have reached your daily limit.", 30.0) == 3600.0


def day_of(left: int, limit: int = 1_000) -> dict[str, str]:
    """Headers that tell of the day."""
    return {
        "x-hubspot-ratelimit-daily": str(limit),
        "x-hubspot-ratelimit-daily-remaining": str(left),
    }


def noon(zone: tzinfo) -> datetime:
    """Twelve o'clock, wherever."""
    return datetime(2026, 11, 20, 12, 0, tzinfo=zone)


async def test_a_share_of_the_day_is_left_to_other_apps_and_the_last_tenth_to_invoices() -> None:
    """A backfill ends before the invoices do, and nobody touches what is for other apps."""
    time = VirtualTime()
    gates = Limiter("free", reserve=0.2, clock=time.clock, sleep=time.sleep, wall=noon)
    gates.portal_zone = ZoneInfo("America/Chicago")
    gates.learn("general", day_of(301))
    with as_backfill():
        async with gates.slot("general"):
            pass
    gates.learn("general", day_of(300))
    with as_backfill(), pytest.raises(DailyLimitReached) as spared:
        async with gates.slot("general"):
            pass
    assert spared.value.backfill
    assert "is kept for invoices and other apps" in spared.value.what
    assert spared.value.resets_in_s == 12 * 3600 + 60
    async with gates.slot("general"):
        pass  # an invoice
    gates.learn("general", day_of(200))
    with pytest.raises(DailyLimitReached) as told:
        async with gates.slot("general"):
            pass
    assert not told.value.backfill
    assert told.value.what == "The HubSpot account's API calls of this day are used up."


async def test_calls_under_way_count_against_what_is_left_of_the_day() -> None:
    """What has left and not been answered is not in HubSpot's figure yet, and counts here."""
    time = VirtualTime()
    gates = Limiter("free", clock=time.clock, sleep=time.sleep, wall=noon)
    gates.learn("general", day_of(2))
    async with gates.slot("general"), gates.slot("general"):
        with pytest.raises(DailyLimitReached):
            async with gates.slot("general"):
                pass


async def test_a_new_day_forgets_what_was_left_of_the_old_one() -> None:
    """After the portal's midnight calls go on without anybody asking."""
    time = VirtualTime()
    gates = Limiter("free", reserve=0.1, clock=time.clock, sleep=time.sleep, wall=noon)
    gates.portal_zone = ZoneInfo("America/Chicago")
    gates.learn("general", day_of(100))
    assert gates.spent_s("general", backfill=False) == 12 * 3600 + 60
    time.now += 12 * 3600 + 60
    assert gates.spent_s("general", backfill=True) == 0
    gates.learn("general", day_of(1_000))
    assert gates.state().daily_left == 1_000


async def test_association_calls_of_the_day_are_counted_by_ourselves() -> None:
    """Their answers carry no figures: 500,000 a day are counted down, and come back at midnight."""
    time = VirtualTime()
    gates = Limiter("enterprise", reserve=0.999996, clock=time.clock, sleep=time.sleep, wall=noon)
    gates.portal_zone = ZoneInfo("America/Chicago")
    for _ in range(2):
        async with gates.slot("associations"):
            pass
    with pytest.raises(DailyLimitReached):
        async with gates.slot("associations"):
            pass
    time.now += 12 * 3600 + 60
    async with gates.slot("associations"):
        pass


@pytest.mark.parametrize("gate", ["associations", "search"])
async def test_what_the_account_keeps_is_kept_from_every_gate(gate: str) -> None:
    """Associations and searches draw on the account's day as well, and count in it at once."""
    time = VirtualTime()
    gates = Limiter("free", reserve=0.2, clock=time.clock, sleep=time.sleep, wall=noon)
    gates.portal_zone = ZoneInfo("America/Chicago")
    gates.learn("general", day_of(203))
    for _ in range(3):
        async with gates.slot(gate):  # type: ignore[arg-type]
            pass
    with pytest.raises(DailyLimitReached) as told:
        async with gates.slot(gate):  # type: ignore[arg-type]
            pass
    assert told.value.gate == "general"
    assert gates.spent_s(gate, backfill=False) == 12 * 3600 + 60  # type: ignore[arg-type]
    gates.learn("general", day_of(900))  # HubSpot knows better
    async with gates.slot(gate):  # type: ignore[arg-type]
        pass


async def test_a_spent_association_day_is_nobody_else_s() -> None:
    """HubSpot says so of associations: ordinary calls and searches go on; the error says which."""
    time = VirtualTime()
    gates = Limiter("free", clock=time.clock, sleep=time.sleep, wall=noon)
    gates.portal_zone = ZoneInfo("America/Chicago")
    gates.refused("associations", "DAILY", None)
    with pytest.raises(DailyLimitReached, match="association calls") as told:
        async with gates.slot("associations"):
            pass
    assert (told.value.gate, told.value.backfill) == ("associations", False)
    assert "in about 12 hours" in told.value.remedy
    others: tuple[Gate, ...] = ("general", "search")
    for gate in others:
        assert gates.spent_s(gate, backfill=True) == 0
        async with gates.slot(gate):
            pass
