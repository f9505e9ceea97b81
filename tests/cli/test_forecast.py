"""The forecast: what is pending, in calls, in time and in days, as `status` and `plan` tell it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from connector.cli.demo_site import a_day_at_the_office
from connector.forecast import Forecast, forecast, told
from projections.tables import Calls
from tests.cli.conftest import Bench

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = {"hubspot_daily_limit": 1_000, "hubspot_resets_at": "2026-11-21T06:00:00Z"}


def test_pending_commands_are_told_in_calls_and_time() -> None:
    """Two calls per hundred records, one per 2,000 links, at the pace of the tier."""
    found = forecast({"companies": 950, "associations": 2_001}, Calls(), "free", 0.1, NOW)
    assert (found.commands, found.calls, found.days) == (2_951, 22, 0)
    many = forecast({"contacts": 1_000_000}, Calls(), "enterprise", 0.1, NOW)
    assert many.calls == 20_000
    assert 17 < many.minutes < 19  # 190 calls in ten seconds
    assert many.share == 0.02


def test_what_today_s_calls_do_not_do_is_told_in_days() -> None:
    """Of 1,000 calls a day 800 are ours to backfill with; 300 of them are left today."""
    known = Calls(hubspot_daily_left=500, **DAY)  # type: ignore[arg-type]
    found = forecast({"companies": 65_000}, known, "free", 0.1, NOW)
    assert (found.calls, found.usable_today, found.days) == (1_300, 300, 2)
    assert "2 more days (it begins 2026-11-21T06:00:00Z)" in told(found)
    assert forecast({"companies": 15_000}, known, "free", 0.1, NOW).days == 0


def test_a_figure_of_yesterday_is_not_counted_on() -> None:
    """After the portal's midnight nobody knows what is left until HubSpot tells again."""
    known = Calls(hubspot_daily_left=0, **DAY)  # type: ignore[arg-type]
    later = datetime(2026, 11, 21, 7, 0, tzinfo=UTC)
    found = forecast({"companies": 100}, known, "free", 0.1, later)
    assert (found.usable_today, found.days, found.resets_at) == (None, 0, "")


def test_the_sentence() -> None:
    """Hours and minutes as people say them; silence when nothing is pending."""
    hours = Forecast(1_900_000, 38_000, 190.0, 0.41, None, 0)
    assert told(hours) == (
        "1,900,000 commands are pending: about 38,000 calls, 41 % of a day's; 3 h 10 min at the "
        "least."
    )
    assert told(Forecast(0, 0, 0.0, 0.0, None, 0)) == ""
    assert "less than a minute" in told(Forecast(5, 2, 0.1, 0.0, None, 0))


def test_status_foretells_what_waits(bench: Bench) -> None:
    """Invoices that a scope keeps from HubSpot are pending, and status says what they will cost."""
    granted = [
        f"crm.{kind}.{one}.{act}"
        for kind in ("objects", "schemas")
        for one in ("companies", "contacts", "invoices")
        for act in ("read", "write")
    ]
    granted.remove("crm.objects.invoices.write")
    bench.at_the_site(lambda: bench.site.portal.grant(granted))
    assert bench.command("run", "--once").code == 3
    report = bench.command("status", "--json").json()
    assert report["forecast"]["commands"] >= 20
    assert report["forecast"]["days"] == 0
    assert report["forecast"]["usable_today"] > 100_000, "as HubSpot's headers said"
    assert report["http"]["hubspot_daily_limit"] == 625_000
    assert "less than a minute at the least" in bench.command("status").out.replace("\n", " ")


def test_the_portal_s_day_is_shown_as_it_ends(bench: Bench) -> None:
    """After any run that wrote: midnight in the portal's zone, whether it had to set up or not."""
    assert bench.command("run", "--once").code == 0
    shown = [bench.command("status", "--json").json()["http"]["hubspot_resets_at"]]
    bench.at_the_site(lambda: a_day_at_the_office(bench.site))
    assert bench.command("run", "--once").code == 0
    shown.append(bench.command("status", "--json").json()["http"]["hubspot_resets_at"])
    midnight = re.compile(r"\d{4}-\d\d-\d\dT0[56]:00:00Z")  # America/Chicago
    assert [bool(midnight.fullmatch(one)) for one in shown] == [True, True], shown
