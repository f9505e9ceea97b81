"""Who a candidate is: shown to whoever has to choose, and kept nowhere of ours."""

from __future__ import annotations

import pytest

from connector.sandbox.agent import maintenance
from tests.cli.conftest import Bench


def proposed(bench: Bench) -> tuple[str, str]:
    """A customer that is parked since it may have a twin in HubSpot; its target, the twin's id."""
    company = bench.site.sage100.company
    [row, *_] = company.rows("AR_Customer")
    customer = (row["ARDivisionNo"], row["CustomerNo"])
    fields = {"URLAddress": "www.quistworks.example", "EmailAddress": ""}
    bench.at_the_site(lambda: maintenance.change_customer(company, customer, fields))
    theirs = {"name": "Wilhelmina Quist", "domain": "quistworks.example"}
    twin = bench.at_the_site(lambda: bench.site.portal.add("companies", theirs))
    text = bench.site.config_path.read_text(encoding="utf-8")
    rules = '\n[hubspot.matching]\ndomain = "propose"\n'
    bench.site.config_path.write_text(text + rules, encoding="utf-8")
    assert bench.command("run", "--once").code == 1
    return f"companies/ABC:{customer[0]}-{customer[1]}", str(twin)


def test_a_candidate_is_looked_up_when_it_is_shown(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`parked` tells what HubSpot calls it, and the store never held that; where HubSpot cannot be
    asked the id is told, and why there is no more.
    """
    target, twin = proposed(bench)
    shown = bench.command("parked")
    assert shown.code == 1
    assert f"candidate {twin} for {target}: Wilhelmina Quist, quistworks.example" in shown.out
    document = bench.command("parked", "--json").json()
    assert document["candidates"] == [
        {
            "target": target,
            "hubspot_id": twin,
            "shown": "Wilhelmina Quist, quistworks.example",
        }
    ]
    [item] = document["parked"]
    assert item["message"].endswith(f"{target.partition('/')[2]}: {twin}.")
    for path in bench.site.config_path.parent.glob("events.db*"):
        assert b"Wilhelmina" not in path.read_bytes()
    monkeypatch.setenv("HUBSPOT_TOKEN", "a-wrong-token")
    blind = bench.command("parked", "--json")
    assert (blind.code, blind.json()["candidates"]) == (1, [])
    assert "cannot be looked up" in blind.err
    assert "Wilhelmina" not in blind.out + blind.err


def test_what_is_parked_for_another_reason_costs_no_call(bench: Bench) -> None:
    """HubSpot is asked about matches alone."""
    [row, *_] = bench.site.sage100.model.rows("AR_Customer")
    key = f"ABC:{row['ARDivisionNo']}-{row['CustomerNo']}"
    bench.at_the_site(lambda: bench.site.portal.poison("companies", key, message="as 12: 34."))
    assert bench.command("run", "--once").code == 1
    calls = bench.at_the_site(bench.site.hubspot_calls)
    assert bench.command("parked", "--json").json()["candidates"] == []
    assert bench.at_the_site(bench.site.hubspot_calls) == calls
