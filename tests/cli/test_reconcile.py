"""`reconcile`: what other people changed is found, named, and put right as ownership says."""

from __future__ import annotations

from typing import Any

from tests.cli.conftest import Bench

KEY = "ABC:01-ABF"
RIVAL = 77_001_002


def company(bench: Bench) -> dict[str, str]:
    """The company in HubSpot."""
    found: dict[str, str] = bench.at_the_site(
        lambda: dict(bench.site.portal.one("companies", "sage100_customer_key", KEY))
    )
    return found


def edit(bench: Bench, values: dict[str, str]) -> None:
    """A rival at work in HubSpot's web interface."""
    record = company(bench)["hs_object_id"]
    bench.at_the_site(lambda: bench.site.portal.edit("companies", record, values, user_id=RIVAL))


def by_property(found: Any) -> dict[str, dict[str, str]]:
    """The differences of one record."""
    return {one["property"]: one for one in found["differences"]}


def test_a_rival_is_named_and_put_right(bench: Bench) -> None:
    """What is Sage 100's comes back, what people own stays, and the history says who it was."""
    assert bench.command("run", "--once").code == 0
    before = company(bench)
    edit(bench, {"phone": "none", "city": "", "type": "PARTNER", "domain": "theirs.example"})
    edit(bench, {"lifecyclestage": "evangelist"})
    writes = bench.at_the_site(lambda: bench.site.portal.calls.writes)

    looked = bench.command("reconcile", "--json")
    assert looked.code == 1, "there is something to put right"
    report = looked.json()
    found = by_property(report)
    assert set(found) == {"phone", "city", "lifecyclestage"}
    assert (found["phone"]["ours"], found["phone"]["theirs"]) == (before["phone"], "none")
    assert str(RIVAL) in found["phone"]["by"]
    assert "CRM_UI" in found["city"]["by"]
    assert "forward only" in found["lifecyclestage"]["stays"]
    assert (report["missing"], report["requested"]) == ([], False)
    assert bench.at_the_site(lambda: bench.site.portal.calls.writes) == writes, "only looked"

    repaired = bench.command("reconcile", "--repair")
    assert repaired.code == 0
    assert f"user {RIVAL}" in repaired.out
    for words in ("written", "--repair", "changed", "leaves it:"):
        assert words in repaired.out
    assert bench.command("run", "--once").code == 0
    after = company(bench)
    assert (after["phone"], after["city"]) == (before["phone"], before["city"])
    assert (after["type"], after["domain"]) == ("PARTNER", "theirs.example")
    assert after["lifecyclestage"] == "evangelist"
    moments = [
        one["moment"]["text"] for one in bench.command("history", KEY, "--json").json()["moments"]
    ]
    assert any(f"phone by user {RIVAL}" in text for text in moments)
    assert any("what was changed in HubSpot is put right" in text for text in moments)

    clean = bench.command("reconcile", "--key", KEY, "--json")
    assert clean.code == 0
    assert set(by_property(clean.json())) <= {"lifecyclestage"}


def test_what_is_missing_is_sent_again(bench: Bench) -> None:
    """A deleted company and a link that was taken away come back."""
    assert bench.command("run", "--once").code == 0
    record = company(bench)["hs_object_id"]
    pairs = bench.at_the_site(lambda: bench.site.portal.associations("contacts", "companies"))
    contact = min(left for left, right in pairs if right == record)
    bench.at_the_site(
        lambda: bench.site.portal.dissociate("contacts", contact, "companies", record)
    )
    found = bench.command("reconcile", "--object", "associations", "--json")
    assert found.code == 1
    assert [name.partition("/")[0] for name in found.json()["missing"]] == ["associations"]
    bench.at_the_site(lambda: bench.site.portal.archive("companies", record))
    assert bench.command("reconcile", "--repair").code == 0
    assert bench.command("run", "--once").code == 0
    assert company(bench)["hs_object_id"] != record
    assert bench.command("reconcile").code == 0


def test_a_look_is_budgeted_and_goes_on_where_it_ended(bench: Bench) -> None:
    """No more calls than allowed, to a page; the next look takes up the rest."""
    assert bench.command("run", "--once").code == 0
    first = bench.command("reconcile", "--calls", "1", "--json")
    assert first.json()["calls"] == 1
    last = first.json()["more"]
    assert last.startswith("companies/")
    rest = bench.command("reconcile", "--after", last, "--json")
    assert rest.json()["more"] == ""
    both = first.json()["records"] + rest.json()["records"]
    assert both == bench.command("reconcile", "--json").json()["records"]
