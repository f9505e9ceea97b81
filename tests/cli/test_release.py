"""`release`, and what run and status say of a company that is held."""

from __future__ import annotations

import signal

import pytest

from connector.cli.demo_site import simulated_site
from connector.sandbox.agent import maintenance
from tests.cli.conftest import Bench
from tests.cli.test_process import begin, ended, seen
from tests.e2e.waiting import until


def flood(bench: Bench, first: int, count: int) -> None:
    """Enter so many customers at once."""

    def enter() -> None:
        for number in range(first, first + count):
            fields = {"CustomerName": f"Imported {number}"}
            maintenance.add_customer(bench.site.sage100.company, ("03", f"N{number:05}"), fields)

    bench.at_the_site(enter)


def test_a_held_company_is_told_and_released(bench: Bench) -> None:
    """run --once ends with 1 and says why; status too; after the release all is sent."""
    flood(bench, 0, 50)
    assert bench.command("run", "--once").code == 0
    nothing = bench.command("release", "ABC")
    assert nothing.code == 0
    assert "Nothing was released: company ABC is not held" in nothing.out
    flood(bench, 50, 30)
    ended = bench.command("run", "--once")
    assert ended.code == 1
    assert "HELD: company ABC since" in ended.out
    assert "up to date" not in ended.out
    assert "30 appeared in one pass" in ended.out
    again = bench.command("run", "--once", "--json")
    assert again.code == 1
    assert [one["company"] for one in again.json()["held"]] == ["ABC"]
    shown = bench.command("status")
    assert shown.code == 1
    assert "'ml-connector release ABC'" in shown.out
    [held] = bench.command("status", "--json").json()["held"]
    assert held["waiting"] >= 30
    dry = bench.command("release", "ABC", "--dry-run", "--json").json()
    assert (dry["requested"], dry["held"]["position"]) == (False, held["position"])
    assert bench.command("status").code == 1
    released = bench.command("release", "abc")
    assert released.code == 0
    assert "It is released" in released.out
    assert "No service is running here. Next: ml-connector run --once" in released.out
    assert bench.command("run", "--once").code == 0
    assert bench.command("status").code == 0
    records = bench.at_the_site(bench.site.hubspot_records)
    assert records["companies"] >= 88


@pytest.mark.parametrize("code", ["XYZ", "A", ""])
def test_a_company_that_is_not_configured_is_named(bench: Bench, code: str) -> None:
    """A typing error is refused with the codes and instances there are."""
    assert bench.command("run", "--once").code == 0
    ended = bench.command("release", code)
    assert ended.code == 2
    assert "Give one of: ABC; or an instance: demo" in ended.err


def test_a_refused_log_on_is_told_and_released(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often it is started, one attempt; one more after the release, or when corrected."""
    sage100 = bench.site.sage100
    right = bench.site.env["SAGE100_PASSWORD"]
    assert bench.command("run", "--once").code == 0
    nothing = bench.command("release", "demo")
    assert (nothing.code, "no log-on of demo is refused" in nothing.out) == (0, True)
    assert "Nothing was released" in nothing.out
    monkeypatch.setenv("SAGE100_PASSWORD", "wr0ng")
    for _ in range(4):
        ended = bench.command("run", "--once")
        assert ended.code == 3
        assert "HTTP status 401" in ended.err
        assert "'ml-connector release demo'" in ended.err
    assert sage100.calls.wrong_logons == {"Basic": 1}
    assert "'ml-connector release demo'" in bench.command("status").out.replace("\n", " ")
    checked = bench.command("check", "--json").json()["lines"]
    assert any("401" in line["detail"] and "release demo" in line["remedy"] for line in checked)
    assert sage100.calls.wrong_logons == {"Basic": 2}, "a person asked"
    dry = bench.command("release", "demo", "--dry-run", "--json").json()
    assert (dry["instance"], dry["requested"], dry["refused"]["code"]) == ("demo", False, "401")
    assert bench.command("run", "--once").code == 3
    assert sage100.calls.wrong_logons == {"Basic": 2}
    released = bench.command("release", "DEMO")
    assert (released.code, "It is released" in released.out) == (0, True)
    for _ in range(2):
        assert bench.command("run", "--once").code == 3
    assert sage100.calls.wrong_logons == {"Basic": 3}
    monkeypatch.setenv("SAGE100_PASSWORD", right)
    assert bench.command("run", "--once").code == 0
    assert "wr0ng" not in released.out + ended.err


def test_a_release_says_whom_it_lets_go_on_besides(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instances that share the account stand and are released together, and are named."""
    path = bench.site.config_path
    text = path.read_text("utf-8")
    entry = text[text.index("[[sage100]]") : text.index("[hubspot]")]
    path.write_text(text + entry.replace("demo", "branch").replace("ABC", "XYZ"), "utf-8")
    monkeypatch.setenv("SAGE100_PASSWORD", "wr0ng")
    for _ in range(2):
        assert bench.command("run", "--once").code == 3
    dry = bench.command("release", "branch", "--dry-run")
    assert "So does demo, with the same account at the same agent." in dry.out
    assert bench.command("release", "demo", "--dry-run", "--json").json()["shared_by"] == ["branch"]
    released = bench.command("release", "branch")
    assert "It is released, and so is demo: one more log-on" in released.out
    assert "no log-on of demo is refused" in bench.command("release", "demo").out
    assert bench.command("run", "--once").code == 3
    assert bench.site.sage100.calls.wrong_logons == {"Basic": 2}


async def test_a_running_service_goes_on_by_itself() -> None:
    """Beside a service the release says who goes on, and the service does, without a restart."""
    async with simulated_site(customers=60, invoices=5, seed=1) as site:
        once = await begin(site, "run", "--once", "--json")
        assert (await ended(once))[0] == 0
        for number in range(30):
            fields = {"CustomerName": f"Imported {number}"}
            maintenance.add_customer(site.sage100.company, ("03", f"N{number:05}"), fields)
        held = await begin(site, "run", "--once", "--json")
        assert (await ended(held))[0] == 1
        before = site.hubspot_records()["companies"]
        service = await begin(site, "run")
        await seen(service, "running")
        release = await begin(site, "release", "ABC")
        code, out, err = await ended(release)
        assert (code, "The running service does that by itself" in out) == (0, True), err
        arrived = before + 30
        await until(lambda: site.hubspot_records()["companies"] >= arrived, "what was held")
        service.send_signal(signal.SIGTERM)
        assert (await ended(service))[0] == 0


def test_the_blind_spot_is_told(bench: Bench) -> None:
    """What only a sweep found counts for seven days, by entity."""
    assert bench.command("run", "--once").code == 0
    row = next(iter(bench.site.sage100.company.rows("AR_Customer")))
    key = (row["ARDivisionNo"], row["CustomerNo"])

    def edit() -> None:
        company = bench.site.sage100.company
        company.update("AR_Customer", key, {"DateCreated": "20190101", "DateUpdated": "20190101"})
        maintenance.change_customer(company, key, {"City": "Imported"}, stamp=False)

    bench.at_the_site(edit)
    assert bench.command("run", "--once", "--sweep").code == 0
    shown = bench.command("status")
    assert "ABC AR_Customer: blind spot: 1 changes this week" in shown.out
    assert bench.command("run", "--once", "--sweep").code == 0
    rows = bench.command("status", "--json").json()["sage100"]
    [found] = [one for one in rows if one["entity"] == "AR_Customer"]
    assert (found["missed_by_cursor"], found["missed_7_days"]) == (0, 1)
