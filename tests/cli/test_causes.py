"""Parked records, by cause: what is held behind them, trying again, and going on by themselves."""

from __future__ import annotations

import asyncio
import urllib.request
from typing import Any

from connector.opening import open_reader
from connector.replaying import REPLAY_STREAM
from tests.cli.conftest import Bench

TERMS = "sage100_terms"


def first_company(bench: Bench) -> str:
    """The key of a customer in Sage 100."""
    row = next(iter(bench.site.sage100.model.rows("AR_Customer")))
    return f"ABC:{row['ARDivisionNo']}-{row['CustomerNo']}"


def parked(bench: Bench) -> list[dict[str, Any]]:
    """The dead letters."""
    found: list[dict[str, Any]] = bench.command("parked", "--json").json()["parked"]
    return found


def test_what_is_held_behind_a_parked_record_is_named(bench: Bench) -> None:
    """parked names the commands that wait; retry by cause lets record and followers go on."""
    key = first_company(bench)
    bench.at_the_site(lambda: bench.site.portal.poison("companies", key, message="cursed"))
    assert bench.command("run", "--once").code == 1
    [item] = parked(bench)
    assert len(item["behind"]) == min(20, item["waiting"]) > 0
    shown = bench.command("parked").out
    assert f"held behind companies/{key}: " in shown
    assert f"ml-connector retry {item['reason']}" in shown
    for command in (["retry", "NOPE"], ["replay", "--parked", "--reason", "NOPE"]):
        unknown = bench.command(*command, "--json")
        assert unknown.code == 2
        assert unknown.json()["error"]["remedy"] == f"Give one of: {item['reason']} (1)."
    told = bench.command("parked", "--reason", "NOPE")
    assert (told.code, f"{item['reason']} (1)" in told.err) == (2, True)
    bench.at_the_site(lambda: bench.site.portal.cure("companies", key))
    dry = bench.command("retry", item["reason"], "--dry-run", "--json").json()
    assert (dry["targets"], dry["requested"]) == ([f"companies/{key}"], False)
    assert bench.command("retry").code == 0
    assert bench.command("run", "--once").code == 0
    assert bench.command("parked").code == 0


def test_a_property_that_is_there_again_lets_its_records_go(bench: Bench) -> None:
    """What was written without it is sent again when the portal has it, and not before."""
    assert bench.command("setup").code == 0
    archive(bench)
    bench.command("run", "--once")
    assert with_terms(bench) == 0
    tried = replays(bench)
    bench.command("run", "--once")
    assert (with_terms(bench), replays(bench)) == (0, tried)
    assert bench.command("setup").code == 0
    assert bench.command("run", "--once").code == 0
    assert with_terms(bench) == 8
    assert parked(bench) == []


def with_terms(bench: Bench) -> int:
    """How many companies in HubSpot have payment terms."""
    records = bench.at_the_site(lambda: bench.site.portal.records("companies"))
    return sum(TERMS in one and "sage100_customer_key" in one for one in records.values())


def replays(bench: Bench) -> int:
    """How often the log says that something is to be sent again."""

    async def count() -> int:
        async with open_reader(bench.site.config()) as store:
            return len(await store.history(REPLAY_STREAM))

    return asyncio.run(count())


def archive(bench: Bench) -> None:
    """Somebody archives a property that the mapping writes."""
    portal = bench.site.portal
    request = urllib.request.Request(  # noqa: S310 - the simulated portal, on the loopback
        f"{portal.base_url}/crm/properties/2026-03/companies/{TERMS}",
        method="DELETE",
        headers={"Authorization": f"Bearer {portal.token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        assert answer.status == 204


def test_a_replay_of_everything(bench: Bench) -> None:
    """replay --all covers every record there is, links included."""
    assert bench.command("run", "--once").code == 0
    dry = bench.command("replay", "--all", "--dry-run", "--json").json()
    kinds = {name.partition("/")[0] for name in dry["targets"]}
    assert kinds == {"companies", "vendors", "contacts", "invoices", "associations"}
    assert bench.command("replay", "--all").code == 0
    before = bench.at_the_site(lambda: bench.site.portal.calls.writes)
    assert bench.command("run", "--once").code == 0
    assert bench.at_the_site(lambda: bench.site.portal.calls.writes) > before
    assert bench.command("status").code == 0
