"""`plan` and `apply`: what would change is seen before it does, and then exactly that is done."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.cli.demo_site import a_day_at_the_office
from tests.cli.conftest import Bench

NAME = 'property = "name"\nfrom = "CustomerName"\n'


def louder(bench: Bench) -> Path:
    """The built-in mapping, with company names in capitals, beside the configuration."""
    text = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
    assert NAME in text
    path = bench.site.config_path.parent / "louder.toml"
    path.write_text(text.replace(NAME, NAME + 'transform = "upper"\n', 1), encoding="utf-8")
    return path


def configure(bench: Bench, mapping: Path) -> None:
    """Name the mapping in the configuration."""
    text = bench.site.config_path.read_text(encoding="utf-8")
    bench.site.config_path.write_text(text + f'mapping = "{mapping}"\n', encoding="utf-8")


def names(bench: Bench) -> set[str]:
    """The names of all companies in HubSpot."""
    records: dict[str, Any] = bench.at_the_site(lambda: bench.site.portal.records("companies"))
    found = records.values()
    return {one["name"] for one in found if "sage100_customer_key" in one}


def asking_for(bench: Bench, *properties: str) -> Path:
    """The built-in mapping, with further properties of companies, beside the configuration."""
    text = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
    more = "".join(
        f'[[companies.rules]]\nproperty = "{one}"\nfrom = "CustomerName"\n\n' for one in properties
    )
    path = bench.site.config_path.parent / "more.toml"
    path.write_text(text.replace("[vendors]", f"{more}[vendors]", 1), encoding="utf-8")
    return path


def test_what_nobody_can_write_is_a_rejection_to_expect(bench: Bench) -> None:
    """A property of HubSpot's own that is read-only everywhere is told in the plan; of one that
    neither setup creates nor the built-in mapping writes the plan says that it cannot know.
    """
    assert bench.command("run", "--once").code == 0
    mapping = asking_for(bench, "createdate", "favourite_colour")
    calls = bench.at_the_site(bench.site.hubspot_calls)
    plan = bench.command("plan", "--mapping", mapping, "--json").json()
    assert bench.at_the_site(bench.site.hubspot_calls) == calls, "a plan costs no call"
    assert plan["refused"] == 8
    assert all(
        one["why"] == "invalid" and "createdate" in one["message"] for one in plan["refusals"]
    )
    told = [text for text in plan["warnings"] if "favourite_colour" in text]
    assert [("[companies]" in text, "'ml-connector check' asks" in text) for text in told] == [
        (True, True)
    ]
    assert not any("createdate" in text for text in plan["warnings"])
    shown = bench.command("plan", "--mapping", mapping).out
    assert "Rejections to expect: 8" in shown
    assert "HubSpot lets nobody write this property" in shown
    builtin = bench.command("plan", "--json").json()
    assert not any("is not asked here" in text for text in builtin["warnings"])


def test_a_changed_mapping_is_planned_before_it_comes_into_force(bench: Bench) -> None:
    """A new mapping file changes nothing by itself; planned and applied, it changes just that."""
    assert bench.command("run", "--once").code == 0
    configure(bench, louder(bench))
    before = names(bench)
    calls = bench.at_the_site(bench.site.hubspot_calls)
    waiting = bench.command("run", "--once")
    assert waiting.code == 1
    assert "is not in force yet" in waiting.out
    status = bench.command("status")
    assert (status.code, "is not in force yet" in status.out) == (1, True)
    shown = bench.command("plan")
    assert shown.code == 0
    assert "8 records" in shown.out
    plan = bench.command("plan", "--all", "--json").json()
    assert bench.at_the_site(bench.site.hubspot_calls) == calls, "a plan costs no call"
    assert (plan["new_mapping"], plan["records"], plan["refused"]) == (True, 8, 0)
    assert plan["objects"] == [
        {"object": "companies", "create": 0, "update": 8, "link": 0, "parked": 0, "unlink": 0}
    ]
    [field] = plan["fields"]
    assert (field["object"], field["property"], field["count"]) == ("companies", "name", 8)
    assert {one["fields"]["name"][0] for one in plan["changes"]} == before
    assert plan["digest"] in shown.out

    applied = bench.command("apply", plan["digest"][:12], "--json")
    assert applied.code == 0, applied.out
    assert applied.json()["written"]["companies"] == 8
    assert names(bench) == {name.upper() for name in before}
    told = bench.command("history", plan["changes"][0]["target"]).out
    assert "update HubSpot, changed by the mapping" in " ".join(told.split())
    writes = bench.at_the_site(bench.site.hubspot_calls) - calls
    # One batch, and what it took to look at the portal's properties.
    assert plan["calls"] == 1 < writes
    assert bench.command("run", "--once").code == 0
    assert bench.command("plan").out.count("Nothing would be sent") == 1
    assert bench.command("rebuild", "--verify").code == 0


def test_what_was_applied_from_another_file_is_to_be_configured(bench: Bench) -> None:
    """`apply` names the file and the line; until that is done `status` knows both ways out."""
    assert bench.command("run", "--once").code == 0
    path = louder(bench)
    digest = bench.command("plan", "--mapping", path, "--json").json()["digest"]
    applied = bench.command("apply", digest)
    assert applied.code == 0
    assert f'Now set mapping = "{path}" under [hubspot]' in applied.out
    status = bench.command("status")
    assert status.code == 1
    assert "'ml-connector apply DIGEST'" in status.out
    assert "name that file as hubspot.mapping" in status.out
    configure(bench, path)
    assert bench.command("status").code == 0
    digest = bench.command("plan", "--json").json()["digest"]
    assert bench.command("apply", digest, "--json").json()["next"] == ""


def test_a_plan_is_refused_once_the_log_has_moved(bench: Bench) -> None:
    """A pass that finds nothing leaves a plan good; a change in Sage 100 makes it be refused."""
    assert bench.command("run", "--once").code == 0
    digest = bench.command("plan", "--mapping", louder(bench), "--json").json()["digest"]
    assert bench.command("run", "--once").code == 0
    bench.at_the_site(lambda: a_day_at_the_office(bench.site))
    assert bench.command("run", "--once").code == 0
    before = names(bench)
    refused = bench.command("apply", digest)
    assert refused.code == 1
    assert "The log has moved since this plan was made: RecordObserved" in refused.err
    assert names(bench) == before
    again = bench.command("plan", "--mapping", louder(bench), "--json").json()
    assert again["digest"] != digest
    assert bench.command("run", "--once").code == 0
    assert bench.command("apply", again["digest"]).code == 0
    assert names(bench) == {name.upper() for name in before}
    twice = bench.command("apply", again["digest"])
    assert (twice.code, "has been applied already" in twice.err) == (1, True)


def test_what_a_plan_replaces_is_not_sent_first(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change that waits for HubSpot goes out once, as the plan has it, and not twice."""
    assert bench.command("run", "--once").code == 0
    bench.at_the_site(lambda: a_day_at_the_office(bench.site))
    monkeypatch.setenv("HUBSPOT_TOKEN", "a-wrong-token")
    assert bench.command("run", "--once").code == 3
    monkeypatch.setenv("HUBSPOT_TOKEN", bench.site.env["HUBSPOT_TOKEN"])
    pending = bench.command("plan", "--json").json()
    assert pending["new_mapping"] is False
    assert pending["records"] > 0
    plan = bench.command("plan", "--mapping", louder(bench), "--json").json()
    assert plan["records"] > pending["records"]

    def batches() -> int:
        count = bench.site.portal.calls.count
        routes = ("objects.batch.upsert", "objects.batch.update", "objects.batch.create")
        found: int = bench.at_the_site(lambda: sum(count(route=route) for route in routes))
        return found

    before = batches()
    applied = bench.command("apply", plan["digest"], "--json").json()
    assert sum(applied["written"].values()) == plan["records"]
    lanes = sum(one["object"] != "associations" for one in plan["objects"])
    assert batches() - before == lanes


def test_what_is_pending_and_what_was_refused_are_in_the_plan(bench: Bench) -> None:
    """A parked record shows as one that stays; HubSpot's reason is told."""
    [row, *_] = bench.site.sage100.model.rows("AR_Customer")
    key = f"ABC:{row['ARDivisionNo']}-{row['CustomerNo']}"
    bench.at_the_site(lambda: bench.site.portal.poison("companies", key, message="no such name"))
    assert bench.command("run", "--once").code == 1
    plan = bench.command("plan", "--json").json()
    counts = {one["object"]: one for one in plan["objects"]}
    assert counts["companies"]["parked"] == 1
    assert counts["contacts"]["create"] >= 1
    assert plan["refusals"][0]["target"] == f"companies/{key}"
    assert plan["refused"] == 1
    assert "Rejections to expect: 1" in bench.command("plan").out


def test_a_value_no_option_of_ours_has_is_told(bench: Bench, tmp_path: Path) -> None:
    """A mapping that would write what its own definition does not allow is seen to do so."""
    assert bench.command("run", "--once").code == 0
    text = louder(bench).read_text("utf-8")
    rule = (
        '[[companies.rules]]\nproperty = "sage100_grade"\nfrom = "CustomerNo"\n'
        'define = { label = "Grade", type = "number" }\n\n[vendors]\n'
    )
    assert text.count("[vendors]\n") == 1
    path = tmp_path / "grades.toml"
    path.write_text(text.replace("[vendors]\n", rule), encoding="utf-8")
    plan = bench.command("plan", "--mapping", path, "--json").json()
    assert plan["refused"] >= 1
    assert "no number" in plan["refusals"][0]["message"]


@pytest.mark.parametrize("digest", ["0123456789abcdef", "abc", "../../etc/passwd"])
def test_a_digest_that_names_no_plan(bench: Bench, digest: str) -> None:
    """apply takes what plan has printed, and nothing else."""
    assert bench.command("run", "--once").code == 0
    ended = bench.command("apply", digest)
    assert ended.code == 2
    assert "names no plan" in ended.err


def test_a_mapping_that_is_none(bench: Bench, tmp_path: Path) -> None:
    """A file that is no mapping is refused with its mistake."""
    assert bench.command("run", "--once").code == 0
    path = tmp_path / "wrong.toml"
    path.write_text("version = 7\n", encoding="utf-8")
    assert bench.command("plan", "--mapping", path).code == 2
    assert bench.command("plan", "--mapping", tmp_path / "missing.toml").code == 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("sage100_customer_key", "erp_key", '[companies] key is "erp_key"'),
        ('hubspot_type = "invoices"', 'hubspot_type = "p_bills"', "[invoices] hubspot_type"),
    ],
)
def test_an_address_stands_once_records_were_written(
    bench: Bench, old: str, new: str, told: str
) -> None:
    """Another key or type would lose every record: refused in plan, start and setup, with reasons.

    Neither the log nor the portal is changed by it, and the old file is content again.
    """
    text = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
    path = bench.site.config_path.parent / "moved.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert bench.command("run", "--once").code == 0
    head = bench.command("status", "--json").json()["log"]["head"]
    before = bench.site.config_path.read_text(encoding="utf-8")
    portal = bench.at_the_site(bench.site.portal.snapshot)
    ended = bench.command("plan", "--mapping", path, "--json")
    assert ended.code == 2
    error = ended.json()["error"]
    assert told in error["what"]
    assert "a new store" in error["remedy"]
    configure(bench, path)
    for arguments in (["run", "--once"], ["setup"], ["plan"]):
        ended = bench.command(*arguments)
        assert ended.code == 2, ended.out
        assert told in ended.err
    assert bench.command("status", "--json").json()["log"]["head"] == head
    assert bench.at_the_site(bench.site.portal.snapshot) == portal
    bench.site.config_path.write_text(before, encoding="utf-8")
    assert bench.command("run", "--once").code == 0


def test_an_address_that_hubspot_never_took_may_be_corrected(bench: Bench) -> None:
    """A mistyped type: `check` names it, its records wait, the right one is planned and sent."""
    text = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
    path = bench.site.config_path.parent / "mapping.toml"
    path.write_text(text.replace('hubspot_type = "contacts"', 'hubspot_type = "contatcs"'), "utf-8")
    configure(bench, path)
    lines = {one["subject"]: one for one in bench.command("check", "--json").json()["lines"]}
    assert lines["HubSpot contatcs"]["ok"] is False
    assert "hubspot_type" in lines["HubSpot contatcs"]["remedy"]
    assert bench.command("run", "--once").code != 0
    path.write_text(text, encoding="utf-8")
    digest = bench.command("plan", "--json").json()["digest"]
    assert bench.command("apply", digest).code in {0, 1}
    assert bench.command("retry").code == 0
    assert bench.command("run", "--once").code == 0
    assert bench.at_the_site(bench.site.hubspot_records)["contacts"] > 0


def test_a_plan_for_a_type_that_the_portal_lacks_is_not_applied(bench: Bench) -> None:
    """`apply` looks into the portal first: a type that is not there is refused with its name."""
    options = bench.site.portal.options
    text = (resources.files("projections.mapping") / "default.toml").read_text("utf-8")
    path = bench.site.config_path.parent / "mapping.toml"
    wrong = text.replace('hubspot_type = "contacts"', 'hubspot_type = "contatcs"')
    path.write_text(wrong, encoding="utf-8")
    names = [
        f"crm.{kind}.{name}.{what}"
        for kind in ("objects", "schemas")
        for name in ("companies", "invoices")
        for what in ("read", "write")
    ]
    fewer = msgspec.structs.replace(options, scopes=tuple(names))
    bench.at_the_site(lambda: setattr(bench.site.portal, "options", fewer))
    assert bench.command("run", "--once").code == 3, "no contact was ever written"
    bench.at_the_site(lambda: setattr(bench.site.portal, "options", options))
    digest = bench.command("plan", "--mapping", path, "--json").json()["digest"]
    ended = bench.command("apply", digest, "--json")
    assert ended.code == 1
    assert "contatcs" in ended.json()["error"]["what"]
