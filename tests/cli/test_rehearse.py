"""`rehearse`: the whole history under another mapping, beside the one in force."""

from __future__ import annotations

from connector.cli.demo_site import a_day_at_the_office
from tests.cli.conftest import Bench
from tests.cli.test_plan import louder, names


def test_a_mapping_is_rehearsed_over_the_whole_history(bench: Bench) -> None:
    """Old and new stand side by side; HubSpot and the log hear nothing of it."""
    assert bench.command("run", "--once").code == 0
    bench.at_the_site(lambda: a_day_at_the_office(bench.site))
    assert bench.command("run", "--once").code == 0
    before = names(bench)
    calls = bench.at_the_site(bench.site.hubspot_calls)
    head = bench.command("status", "--json").json()["log"]["head"]
    found = bench.command("rehearse", "--mapping", louder(bench), "--json").json()
    assert bench.at_the_site(bench.site.hubspot_calls) == calls
    assert bench.command("status", "--json").json()["log"]["head"] == head == found["events"]
    differing = [one for one in found["fields"] if one["differ"]]
    assert [(one["object"], one["property"], one["same"]) for one in differing] == [
        ("companies", "name", 0)
    ]
    assert differing[0]["differ"] == 8
    assert {one["old"] for one in differing[0]["samples"]} <= before
    assert all(one["new"] == one["old"].upper() for one in differing[0]["samples"])
    for one in found["objects"]:
        assert one["records_old"] == one["records_new"]
        assert one["commands_old"] == one["commands_new"] == one["commands_then"], one["object"]
    shown = bench.command("rehearse", "--mapping", louder(bench))
    assert shown.code == 0
    assert "Properties that differ" in shown.out


def test_a_rehearsal_of_the_same_mapping(bench: Bench) -> None:
    """The mapping in force against itself differs in nothing."""
    assert bench.command("run", "--once").code == 0
    folder = bench.site.config_path.parent
    shown = bench.command("rehearse", "--scratch", folder)
    assert shown.code == 0
    assert "Every property of every record would hold the same" in shown.out
    assert not list(folder.glob("*rehearsal*"))
    assert bench.command("rehearse", "--scratch", folder / "missing").code == 2
