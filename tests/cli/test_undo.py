"""`undo`: what a run, a plan or a replay wrote is put back, as far as it is still ours."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from connector.cli import undo
from connector.sandbox.agent import maintenance
from connector.sandbox.hubspot import faults
from connector.undo_judging import UndoReport
from projections.undo import Left
from tests.cli.conftest import Bench
from tests.cli.test_plan import louder, names


def customer_keys(bench: Bench, count: int) -> list[tuple[str, str]]:
    """The keys of the first customers in Sage 100."""
    rows = list(bench.site.sage100.model.rows("AR_Customer"))[:count]
    return [(row["ARDivisionNo"], row["CustomerNo"]) for row in rows]


def move(bench: Bench, key: tuple[str, str], **fields: str) -> None:
    """Change a customer in Sage 100."""
    company = bench.site.sage100.company
    bench.at_the_site(lambda: maintenance.change_customer(company, key, fields))


def record(bench: Bench, key: tuple[str, str]) -> dict[str, str]:
    """A customer's company in HubSpot."""
    name = f"ABC:{key[0]}-{key[1]}"
    found: dict[str, str] = bench.at_the_site(
        lambda: dict(bench.site.portal.one("companies", "sage100_customer_key", name))
    )
    return found


def test_a_run_is_undone_and_stays_undone(bench: Bench) -> None:
    """Values come back, a person's edit is left alone, and no later pass redoes the run."""
    assert bench.command("run", "--once").code == 0
    one, two = customer_keys(bench, 2)
    before = [record(bench, key) for key in (one, two)]
    move(bench, one, City="Wrongville", CustomerName="Wrong & Sons")
    move(bench, two, City="Wrongville")
    assert bench.command("run", "--once").code == 0
    assert record(bench, two)["city"] == "Wrongville"
    edited = record(bench, two)["hs_object_id"]
    bench.at_the_site(lambda: bench.site.portal.edit("companies", edited, {"city": "By a person"}))
    writes = bench.at_the_site(lambda: bench.site.portal.calls.writes)
    dry = bench.command("undo", "--run", "last", "--dry-run", "--json")
    assert dry.code == 0
    assert bench.at_the_site(lambda: bench.site.portal.calls.writes) == writes
    target = f"companies/ABC:{one[0]}-{one[1]}"
    assert dry.json()["fields"][target]["city"] == ["Wrongville", before[0]["city"]]

    done = bench.command("undo", "--run", "last")
    assert done.code == 1, "what a person has changed needs a person"
    assert "but 'By a person'" in done.out
    assert "To be put back by the running service or the next run: " in done.out
    assert bench.command("run", "--once").code == 0
    assert record(bench, one)["city"] == before[0]["city"]
    assert record(bench, one)["name"] == before[0]["name"]
    assert record(bench, two)["city"] == "By a person"
    assert bench.command("run", "--once", "--sweep").code == 0
    assert record(bench, one)["city"] == before[0]["city"]
    told = bench.command("history", target).out
    assert "undo: the value from before is put back" in told
    assert "an undo puts back what was there before" in told

    move(bench, one, City="Rightville")
    assert bench.command("run", "--once").code == 0
    assert record(bench, one)["city"] == "Rightville"
    assert record(bench, one)["name"] == before[0]["name"]
    lifted = bench.command("undo", "--lift", "--json").json()["lifted"]
    assert lifted.pop(target) == ["name"]
    assert all(name.startswith("contacts/") for name in lifted), "their company's name"
    assert bench.command("run", "--once").code == 0
    assert record(bench, one)["name"] == "Wrong & Sons"
    assert bench.command("rebuild", "--verify").code == 0


def edit(bench: Bench, key: tuple[str, str], **values: str) -> None:
    """A person types something into a customer's company in HubSpot."""
    portal, record_id = bench.site.portal, record(bench, key)["hs_object_id"]
    bench.at_the_site(lambda: portal.edit("companies", record_id, values))


def test_what_a_person_had_typed_before_the_run_comes_back(bench: Bench) -> None:
    """Not what the log had last heard of: HubSpot's own history knows better, of every property."""
    assert bench.command("run", "--once").code == 0
    one, two = customer_keys(bench, 2)
    edit(bench, one, city="Typed By Anna")
    edit(bench, two, city="Fargo")
    move(bench, one, City="Fargo", ZipCode="58102")
    move(bench, two, City="Fargo")
    zip_before = record(bench, one)["zip"]
    assert bench.command("run", "--once").code == 0
    assert record(bench, one)["city"] == "Fargo"
    dry = bench.command("undo", "--run", "last", "--dry-run", "--json").json()
    target = f"companies/ABC:{one[0]}-{one[1]}"
    assert dry["fields"] == {
        target: {"city": ["Fargo", "Typed By Anna"], "zip": ["58102", zip_before]}
    }
    [left] = dry["left"]
    assert (left["property"], left["reason"]) == ("city", "HubSpot held the same before")
    assert bench.command("undo", "--run", "last").code == 1
    assert bench.command("run", "--once").code == 0
    assert record(bench, one)["city"] == "Typed By Anna"
    assert record(bench, two)["city"] == "Fargo"


def test_a_person_who_comes_between_asking_and_writing_keeps_it(bench: Bench) -> None:
    """The field is left out with a reason that `history` and `undo` tell, and its pin is lifted;
    what else was to be put back of the record is."""
    assert bench.command("run", "--once").code == 0
    [key] = customer_keys(bench, 1)
    zip_before = record(bench, key)["zip"]
    move(bench, key, City="Fargo", ZipCode="58102")
    assert bench.command("run", "--once").code == 0
    assert bench.command("undo", "--run", "last").code == 0
    edit(bench, key, city="Typed By Anna")
    assert bench.command("run", "--once").code == 0
    assert record(bench, key)["city"] == "Typed By Anna"
    assert record(bench, key)["zip"] == zip_before
    target = f"companies/ABC:{key[0]}-{key[1]}"
    told = bench.command("history", target, "--json").json()["moments"]
    [text] = [each["moment"]["text"] for each in told if "left as it is" in each["moment"]["text"]]
    assert "HubSpot held Typed By Anna there by then" in text
    listed = bench.command("undo", "--run", "last", "--dry-run", "--json").json()["left"]
    assert [one["reason"] for one in listed if one["property"] == "city"] == [
        "HubSpot does not hold ours any more but 'Typed By Anna', as an undo has found already"
    ]
    assert bench.command("undo", "--lift", "--dry-run", "--json").json()["lifted"] == {
        target: ["zip"]
    }
    assert bench.command("run", "--once", "--sweep").code == 0
    assert record(bench, key)["city"] == "Typed By Anna"
    assert bench.command("rebuild", "--verify").code == 0


def test_what_was_not_sent_yet_is_withdrawn(bench: Bench) -> None:
    """Changes that wait for HubSpot are listed and never sent; a newer one of Sage 100 is."""
    assert bench.command("run", "--once").code == 0
    one, two = customer_keys(bench, 2)
    before = [record(bench, key) for key in (one, two)]
    move(bench, one, City="Wrongville", CustomerName="Wrong & Sons")
    move(bench, two, City="Wrongville")
    refusal = faults.error(401, "the token is not valid", category="INVALID_AUTHENTICATION")
    refusing = bench.at_the_site(
        lambda: bench.site.portal.inject(refusal, route="objects.batch.update", times=None)
    )
    assert bench.command("run", "--once").code != 0
    listed = bench.command("undo", "--run", "last", "--dry-run", "--json").json()
    first, second = (f"companies/ABC:{key[0]}-{key[1]}" for key in (one, two))
    assert listed["fields"] == {}
    assert listed["withdrawn"][second] == {"city": [before[1]["city"], "Wrongville"]}
    assert listed["withdrawn"][first].keys() == {"city", "name"}
    calls = bench.at_the_site(bench.site.hubspot_calls)
    told = bench.command("undo", "--run", "last")
    assert told.code == 0, told.out
    assert "Not sent yet, and withdrawn" in told.out
    assert f"Not sent any more: {len(listed['withdrawn'])} commands." in told.out
    assert bench.at_the_site(bench.site.hubspot_calls) == calls, "the log alone knows it"
    bench.at_the_site(refusing.cancel)
    writes = bench.at_the_site(lambda: bench.site.portal.calls.writes)
    assert bench.command("run", "--once", "--sweep").code == 0
    assert bench.at_the_site(lambda: bench.site.portal.calls.writes) == writes
    for key, was in zip((one, two), before, strict=True):
        now = record(bench, key)
        assert (now["city"], now["name"]) == (was["city"], was["name"])
    story = bench.command("history", first).out
    assert "an undo puts back what was there before" in story
    assert "not carried out, an undo withdrew it before it was sent" in story
    again = bench.command("undo", "--run", "last", "--dry-run", "--json").json()
    assert (again["fields"], again["withdrawn"]) == ({}, {})
    move(bench, one, City="Rightville")
    assert bench.command("run", "--once").code == 0
    assert record(bench, one)["city"] == "Rightville"
    assert record(bench, one)["name"] == before[0]["name"]
    assert bench.command("rebuild", "--verify").code == 0


def test_what_was_not_created_yet_is_not(bench: Bench) -> None:
    """Neither the records of a withdrawn run nor their links are made, until that is lifted."""
    refusal = faults.error(401, "the token is not valid", category="INVALID_AUTHENTICATION")
    refusing = bench.at_the_site(
        lambda: bench.site.portal.inject(refusal, route="objects.batch.upsert", times=None)
    )
    assert bench.command("run", "--once").code != 0
    told = bench.command("undo", "--run", "last", "--json").json()
    assert told["left"] == []
    assert len([name for name in told["uncreated"] if name.startswith("companies/")]) == 8
    assert set(told["withdrawn"]) == set(told["uncreated"])
    bench.at_the_site(refusing.cancel)
    assert bench.command("run", "--once", "--sweep").code == 0
    assert bench.at_the_site(lambda: bench.site.portal.count("companies")) == 0
    [key] = customer_keys(bench, 1)
    name = f"companies/ABC:{key[0]}-{key[1]}"
    assert "an undo withdrew it before it was sent" in bench.command("history", name).out
    move(bench, key, City="Elsewhere")
    assert bench.command("run", "--once").code == 0
    assert bench.at_the_site(lambda: bench.site.portal.count("companies")) == 0
    lifted = bench.command("undo", "--lift", "--key", name, "--json").json()["lifted"]
    assert any(one.startswith("associations/") for one in lifted)
    bench.command("run", "--once")
    assert record(bench, key)["city"] == "Elsewhere"
    assert bench.command("undo", "--lift").code == 0
    assert bench.command("run", "--once").code == 0
    assert bench.at_the_site(lambda: bench.site.portal.count("companies")) >= 8
    assert bench.command("rebuild", "--verify").code == 0
    assert bench.command("reconcile").code == 0


def test_what_people_order_between_two_runs_is_no_part_of_the_run(bench: Bench) -> None:
    """After an undo and a replay the last run has nothing left to undo, least of all the undo."""
    assert bench.command("run", "--once").code == 0
    [key] = customer_keys(bench, 1)
    before = record(bench, key)["city"]
    move(bench, key, City="Wrongville")
    assert bench.command("run", "--once").code == 0
    assert bench.command("undo", "--run", "last").code == 0
    assert bench.command("run", "--once").code == 0
    name = f"ABC:{key[0]}-{key[1]}"
    assert bench.command("replay", "--key", name).code == 0
    assert bench.command("run", "--once").code == 0
    assert record(bench, key)["city"] == before
    again = bench.command("undo", "--run", "last", "--dry-run", "--json").json()
    assert again["fields"] == {}


def test_a_plan_is_undone(bench: Bench) -> None:
    """A mapping that turns out wrong: its values go back, though it stays in force."""
    assert bench.command("run", "--once").code == 0
    before = names(bench)
    plan = bench.command("plan", "--mapping", louder(bench), "--json").json()
    assert bench.command("apply", plan["digest"]).code == 0
    assert names(bench) == {name.upper() for name in before}
    done = bench.command("undo", "--plan", plan["digest"][:12], "--json")
    assert done.code == 0, done.out
    assert len(done.json()["fields"]) == 8
    assert bench.command("run", "--once").code in {0, 1}
    assert names(bench) == before
    assert bench.command("plan", "--mapping", louder(bench), "--json").json()["records"] == 0


def test_what_cannot_be_undone_is_told(bench: Bench) -> None:
    """Records created, links, and values a replay merely sent again stay, each with its reason."""
    assert bench.command("run", "--once").code == 0
    first: dict[str, Any] = bench.command("undo", "--run", "last", "--dry-run", "--json").json()
    assert first["fields"] == {}
    reasons = {one["reason"] for one in first["left"]}
    assert reasons == {
        "it was created: nothing is deleted in HubSpot",
        "a link: links are not taken back",
    }
    assert bench.command("replay", "--object", "vendors").code == 0
    assert bench.command("run", "--once").code == 0
    again = bench.command("undo", "--replay", "last", "--json")
    assert again.code == 1
    assert {one["reason"] for one in again.json()["left"]} <= {
        "HubSpot held the same before",
        "HubSpot lets this property move forward only",
    }
    assert again.json()["fields"] == {}
    [key] = customer_keys(bench, 1)
    move(bench, key, City="Once")
    assert bench.command("run", "--once").code == 0
    position = bench.command("status", "--json").json()["log"]["head"]
    move(bench, key, City="Twice")
    assert bench.command("run", "--once").code == 0
    older = bench.command("undo", "--run", position - 5, "--dry-run", "--json").json()
    assert [one["property"] for one in older["left"]] == ["city"]
    assert "has written it since" in older["left"][0]["reason"]


def test_hubspot_remembers_what_the_log_cannot_know(bench: Bench, tmp_path: Path) -> None:
    """A person's edit that a replay went over comes back, and so does what stood in a property
    before a new rule wrote it for the first time."""
    assert bench.command("run", "--once").code == 0
    [key] = customer_keys(bench, 1)
    target = f"companies/ABC:{key[0]}-{key[1]}"
    before = record(bench, key)
    edited = {"name": "As a person has it", "description": "Their own words"}
    bench.at_the_site(lambda: bench.site.portal.edit("companies", before["hs_object_id"], edited))
    assert bench.command("replay", "--key", target).code == 0
    assert bench.command("run", "--once").code == 0
    assert record(bench, key)["name"] == before["name"]
    done = bench.command("undo", "--replay", "last", "--json").json()
    assert done["fields"] == {target: {"name": [before["name"], "As a person has it"]}}
    assert bench.command("run", "--once").code == 0
    assert record(bench, key)["name"] == "As a person has it"

    rule = '[[companies.rules]]\nproperty = "description"\nfrom = "CustomerName"\n\n[vendors]\n'
    path = tmp_path / "described.toml"
    text = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
    path.write_text(text.replace("[vendors]\n", rule), encoding="utf-8")
    digest = bench.command("plan", "--mapping", path, "--json").json()["digest"]
    assert bench.command("apply", digest).code == 0
    assert record(bench, key)["description"] == before["name"]
    done = bench.command("undo", "--plan", digest, "--json").json()
    assert done["left"] == []
    assert {one["description"][1] for one in done["fields"].values()} == {"", "Their own words"}
    bench.command("run", "--once")
    assert record(bench, key)["description"] == "Their own words"
    others = [record(bench, other) for other in customer_keys(bench, 8)]
    assert [one.get("description", "") for one in others].count("") == 7


def test_a_list_that_is_cut_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Of each of the three lists fifty lines are shown, and how many more there are and where."""
    names = [f"companies/ABC:01-{number:03d}" for number in range(60)]
    report = UndoReport(
        "a test",
        {name: {"city": ("ours", "theirs")} for name in names[:51]},
        [Left(name, "zip", "a reason") for name in names[:52]],
        withdrawn={name: {"state": ("NO", "SE")} for name in names[:53]},
    )
    undo.render(report, dry_run=True)
    told = capsys.readouterr().out
    for more in (1, 2, 3):
        assert f"… and {more} more; all of them with --json." in told
    assert "Not put back: 52" in told


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--run", "last", "--lift"],
        ["--run", "soon"],
        ["--run", "999999999"],
        ["--plan", "0123456789"],
        ["--replay", "last"],
        ["--replay", "1"],
        ["--until", "2026-01-01"],
        ["--since", "2026-01-01", "--key", "99-NOBODY"],
    ],
)
def test_an_undo_of_nothing_in_particular(bench: Bench, arguments: list[str]) -> None:
    """An undo says exactly what is meant, or is refused."""
    assert bench.command("run", "--once").code == 0
    assert bench.command("undo", *arguments, "--dry-run").code == 2


def test_what_was_never_applied_or_asked_for(bench: Bench) -> None:
    """A plan or replay that is not in the log: told which there are, or that there is none."""
    assert bench.command("run", "--once").code == 0

    def remedy(*arguments: str) -> str:
        ended = bench.command("undo", *arguments, "--json")
        assert ended.code == 2
        found: str = ended.json()["error"]["remedy"]
        return found

    assert "No plan ever was" in remedy("--plan", "0123456789ab")
    assert "None was ever asked for" in remedy("--replay", "last")
    assert bench.command("replay", "--object", "vendors").code == 0
    assert bench.command("run", "--once").code == 0
    digest = bench.command("plan", "--json").json()["digest"]
    assert bench.command("apply", digest).code == 0
    assert f"Applied were: {digest[:12]}." in remedy("--plan", "0123456789ab")
    assert "There were, by position: " in remedy("--replay", "1")
