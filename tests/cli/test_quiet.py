"""Quiet hours are no silence: the log and `status` say that it is quiet, and until when."""

from __future__ import annotations

import signal
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from connector.cli.demo_site import Site, simulated_site
from connector.cli.status import quiet_now
from tests.cli.conftest import Bench
from tests.cli.test_process import begin, ended, seen


def quieten(site: Site) -> str:
    """Make it quiet for an hour or so on the site's clock; until when, as it is told."""
    zone = ZoneInfo(site.sage100.options.time_zone)
    now = datetime.now(zone)
    begins, ends = now - timedelta(hours=1), now + timedelta(hours=1)
    text = site.config_path.read_text(encoding="utf-8")
    line = f'quiet_hours = ["{begins:%H:%M}-{ends:%H:%M}"]\n\n[sage100.auth]'
    site.config_path.write_text(text.replace("[sage100.auth]", line), encoding="utf-8")
    return f"quiet until {ends:%H:%M} ({zone.key})"


async def test_the_service_says_that_it_is_quiet() -> None:
    """It runs, asks nothing, and its log says until when."""
    async with simulated_site(customers=5, invoices=5, seed=1) as site:
        told = quieten(site)
        service = await begin(site, "run")
        line = await seen(service, "quiet until")
        assert f"demo: {told}: nothing is asked" in line
        assert site.agent_calls() == 0
        service.send_signal(signal.SIGTERM)
        assert (await ended(service))[0] == 0


def test_status_says_that_it_is_quiet_and_a_person_may_ask(bench: Bench) -> None:
    """`run --once` asks all the same, and `status` tells why the service does not."""
    told = quieten(bench.site)
    assert bench.command("run", "--once").code == 0
    status = bench.command("status")
    assert (status.code, f"demo: {told}: the service asks nothing" in status.out) == (0, True)
    [quiet] = bench.command("status", "--json").json()["quiet"]
    assert (quiet["instance"], quiet["told"]) == ("demo", told)
    later = datetime.now(UTC) + timedelta(hours=3)
    assert quiet_now(bench.site.config(), later) == []
