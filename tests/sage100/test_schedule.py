"""Intervals, cron lines and quiet hours, through daylight saving and midnight."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import Misconfigured
from connector.sage100.instance import Instance
from connector.sage100.schedule import interval, quiet_hours, quiet_until, schedule

CHICAGO = ZoneInfo("America/Chicago")
KOLKATA = ZoneInfo("Asia/Kolkata")


def local(text: str, zone: ZoneInfo = CHICAGO, *, fold: int = 0) -> datetime:
    """A local time of the site; `fold` 1 is the second of two."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1h", timedelta(hours=1)),
        ("1d", timedelta(days=1)),
        (" 1d12h ", timedelta(hours=36)),
        ("2w", timedelta(days=14)),
    ],
)
def test_intervals_are_numbers_with_units(text: str, span: timedelta) -> None:
    """Weeks, days, hours, minutes, seconds, largest first."""
    assert interval(text) == span
    due = schedule(text).next_due(local("2026-11-22 09:15"), CHICAGO)
    assert due == local("2026-11-22 09:15").astimezone(UTC) + span


@pytest.mark.parametrize(
    "text",
    [
        "",
        "15",
        "m",
        "1.5h",
        "-1h",
        "0s",
        "hourly",
        "1h 5m",
        "5m1h",
        "* * * *",
        "61 * * * *",
        "0 25 * * *",
        "0 2 30 2 *",
        "0 0 2 * * *",
        "@daily",
        "0 2 * * someday",
    ],
)
def test_what_is_no_schedule_is_refused_with_what_is_accepted(text: str) -> None:
    """The message names the value, where it stands, and both forms."""
    with pytest.raises(Misconfigured) as caught:
        schedule(text, where="[sage100.schedule] sweep")
    assert repr(text) in str(caught.value)
    assert "[sage100.schedule] sweep" in str(caught.value)
    assert "15m" in caught.value.remedy
    assert "cron" in caught.value.remedy


@pytest.mark.parametrize(
    ("line", "after", "due"),
    [
        ("0 2 * * *", "2026-11-22 01:59:59", "2026-11-22 02:00"),
        ("0 2 * * *", "2026-11-22 02:00:00", "2026-11-23 02:00"),
        ("5 * * * mon-fri", "2026-11-20 23:30", "2026-11-23 00:05"),
        ("*/15 8-17 * * *", "2026-11-22 17:46", "2026-11-23 08:00"),
        ("0 0 1 * *", "2026-11-22 09:00", "2026-12-01 00:00"),
        ("0  2  *  * *", "2026-11-22 01:00", "2026-11-22 02:00"),
    ],
)
def test_cron_lines_are_local_time_of_the_site(line: str, after: str, due: str) -> None:
    """Five fields, names of days, in the site's zone."""
    assert schedule(line).next_due(local(after), CHICAGO) == local(due)
    assert schedule(line).next_due(local(after, KOLKATA), KOLKATA) == local(due, KOLKATA)


def test_a_cron_time_that_the_clock_skips_runs_after_the_gap() -> None:
    """On the night of spring, 02:30 does not exist: the job runs at 03:00, and once."""
    due = schedule("30 2 * * *").next_due(local("2026-03-07 12:00"), CHICAGO)
    assert due.astimezone(CHICAGO).isoformat() == "2026-03-08T03:00:00-05:00"
    again = schedule("30 2 * * *").next_due(due, CHICAGO)
    assert again.astimezone(CHICAGO).isoformat() == "2026-03-09T02:30:00-05:00"


def test_a_cron_time_that_comes_twice_runs_once() -> None:
    """On the night of autumn, 01:30 comes twice: the job runs at the first."""
    due = schedule("30 1 * * *").next_due(local("2026-10-31 12:00"), CHICAGO)
    assert due.astimezone(CHICAGO).isoformat() == "2026-11-01T01:30:00-05:00"
    again = schedule("30 1 * * *").next_due(due, CHICAGO)
    assert again.astimezone(CHICAGO).isoformat() == "2026-11-02T01:30:00-06:00"


def test_intervals_do_not_know_daylight_saving() -> None:
    """An hour is an hour, through both changes of the clock."""
    for night in ("2026-03-08 01:30", "2026-11-01 01:30"):
        due = schedule("1h").next_due(local(night), CHICAGO)
        assert due - local(night).astimezone(UTC) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2026-11-22 21:59:59", None),
        ("2026-11-22 22:00", "2026-11-23 04:30"),
        ("2026-11-22 23:59", "2026-11-23 04:30"),
        ("2026-11-23 00:00", "2026-11-23 04:30"),
        ("2026-11-23 04:29:59", "2026-11-23 04:30"),
        ("2026-11-23 04:30", None),
        ("2026-11-23 12:00", None),
    ],
)
def test_quiet_hours_reach_across_midnight(now: str, ends: str | None) -> None:
    """They begin at their first minute and are over at their last."""
    spans = quiet_hours(["22:00-04:30"])
    until = quiet_until(spans, local(now), CHICAGO)
    assert until == (None if ends is None else local(ends))


def test_quiet_hours_that_touch_are_one() -> None:
    """The wait goes to the end of all of them."""
    spans = quiet_hours(["12:00-13:00", "13:00-14:00", "13:30-15:00"])
    until = quiet_until(spans, local("2026-11-22 12:30"), CHICAGO)
    assert until == local("2026-11-22 15:00")


def test_quiet_all_day_round_is_looked_at_again_in_a_day() -> None:
    """A site that is never to be asked does not end in a loop."""
    spans = quiet_hours(["00:00-12:00", "12:00-00:00"])
    now = local("2026-11-22 12:30")
    assert quiet_until(spans, now, CHICAGO) == now.astimezone(UTC) + timedelta(days=1)


def test_quiet_hours_that_end_in_the_gap_end_after_it() -> None:
    """An end that the clock skips is taken right after the gap."""
    spans = quiet_hours(["22:00-02:30"])
    until = quiet_until(spans, local("2026-03-08 01:00"), CHICAGO)
    assert until is not None
    assert until.astimezone(CHICAGO).isoformat() == "2026-03-08T03:30:00-05:00"


@pytest.mark.parametrize(
    "text", ["22-04", "22:00", "24:00-04:30", "22:60-04:30", "22:00-22:00", ""]
)
def test_what_are_no_quiet_hours_is_refused(text: str) -> None:
    """The message names the value and the form."""
    with pytest.raises(Misconfigured) as caught:
        quiet_hours([text])
    assert repr(text) in str(caught.value)
    assert "22:00-04:30" in caught.value.remedy


@given(
    st.lists(st.tuples(st.times(), st.times()), max_size=3),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),
)
def test_the_end_of_quiet_hours_is_not_quiet(
    pairs: list[tuple[time, time]], moment: datetime
) -> None:
    """Waiting until they end never leads back into them, and they always end."""
    texts = [f"{begins:%H:%M}-{ends:%H:%M}" for begins, ends in pairs]
    spans = quiet_hours([text for text in texts if text[:5] != text[6:]])
    now = moment.replace(tzinfo=CHICAGO)
    until = quiet_until(spans, now, CHICAGO)
    covered = any(span.covers(now.time()) for span in spans)
    assert (until is not None) == covered
    if until is not None and until - now < timedelta(days=1):
        assert until > now
        ends = until.astimezone(CHICAGO).time()
        assert not any(span.covers(ends) for span in spans)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"sweep": "nightly"}, "nightly"),
        ({"quiet": ("10pm-4am",)}, "10pm-4am"),
        ({"timezone": "Chicago"}, "Chicago"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"currency": {}}, "ABC"),
        ({"page_limit": 501}, "501"),
        ({"overlap": timedelta(days=-1)}, "overlap"),
    ],
)
def test_an_instance_is_checked_when_it_is_built(wrong: dict[str, object], named: str) -> None:
    """Nothing of it can turn out wrong later, in the middle of the night."""
    right = {
        "name": "acme",
        "endpoint": "https://sage.acme.local/agent",
        "companies": ("ABC",),
        "timezone": "America/Chicago",
        "currency": {"ABC": "USD"},
    }
    assert Instance(**right).zone() == CHICAGO  # type: ignore[arg-type]
    with pytest.raises(Misconfigured, match=named):
        Instance(**{**right, **wrong})  # type: ignore[arg-type]
