"""An operator's life with the commands, against both simulated ends."""

from __future__ import annotations

import json
import re
import sqlite3

import pytest

from connector.cli.demo_site import a_day_at_the_office
from connector.sandbox.agent import Exclusive, maintenance
from eventstore.lock import StoreLock
from tests.cli.conftest import Bench


def test_from_an_empty_portal_to_closed_books(bench: Bench) -> None:
    """check, setup, run --once, status: each says what to do next, and the books close."""
    assert bench.command("check").code == 1
    made = bench.command("setup")
    assert made.code == 0
    assert "created companies.sage100_customer_key" in made.out
    again = bench.command("setup", "--json")
    assert (again.code, again.json()["created"]) == (0, [])
    checked = bench.command("check", "--json")
    assert checked.code == 0, checked.out
    assert checked.json()["ok"] is True
    ended = bench.command("run", "--once", "--json")
    assert ended.code == 0, ended.err
    report = ended.json()
    assert report["books_close"] is True
    assert (report["parked"], report["pending"]) == (0, 0)
    status = bench.command("status")
    assert status.code == 0
    assert "The books close" in status.out


def test_check_changes_nothing(bench: Bench) -> None:
    """check leaves no store behind and changes nothing in HubSpot."""
    before = bench.at_the_site(lambda: bench.site.portal.snapshot())
    bench.command("check")
    assert [path.name for path in bench.site.config_path.parent.iterdir()] == ["ml-connector.toml"]
    assert bench.at_the_site(lambda: bench.site.portal.snapshot()) == before


def test_status_json_is_what_others_are_written_against(bench: Bench) -> None:
    """status --json has at the least the names of the interface."""
    assert bench.command("run", "--once").code == 0
    document = bench.command("status", "--json").json()
    assert set(document) >= {"log", "books_close", "sage100", "hubspot", "http"}
    assert set(document["log"]) >= {"head", "hash"}
    entities = {row["entity"]: row for row in document["sage100"]}
    customers = entities["AR_Customer"]
    assert customers["instance"] == "demo"
    assert customers["company"] == "ABC"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", customers["last_pass"])
    assert (customers["via"], customers["read"], customers["observed"]) == ("cursor", 8, 8)
    assert set(customers) >= {"unchanged", "vanished", "missed_by_cursor", "error"}
    counts = {"emitted", "succeeded", "pending", "held", "parked", "superseded"}
    assert [set(row) >= counts | {"object"} for row in document["hubspot"]] == [True] * 5
    assert {row["object"] for row in document["hubspot"]} >= {"companies", "contacts", "invoices"}
    calls = document["http"]
    assert calls["hubspot_calls"] == bench.at_the_site(bench.site.hubspot_calls)
    assert set(calls) >= {"hubspot_calls", "hubspot_429", "agent_calls"}


def test_a_second_run_sends_nothing(bench: Bench) -> None:
    """Nothing changed, nothing is sent: not one call to HubSpot."""
    assert bench.command("run", "--once").code == 0
    before = bench.at_the_site(bench.site.hubspot_calls)
    ended = bench.command("run", "--once")
    assert ended.code == 0
    assert "nothing, it is up to date" in ended.out
    assert bench.at_the_site(bench.site.hubspot_calls) == before


def test_a_change_arrives_and_its_history_is_told(bench: Bench) -> None:
    """A stamped change is found by a pass, an unstamped one by a sweep; history tells both."""
    assert bench.command("run", "--once").code == 0
    edits = bench.at_the_site(lambda: a_day_at_the_office(bench.site))
    assert bench.command("run", "--once").code == 0
    key = edits[0].key
    told = bench.command("history", key)
    assert told.code == 0
    assert "phone: " in told.out
    assert "(312) 555-0142" in told.out
    moments = bench.command("history", key, "--json").json()["moments"]
    causes = {each["moment"]["position"]: each["moment"]["cause"] for each in moments}
    updates = [
        each["moment"] for each in moments if each["moment"]["text"].startswith("command 4: update")
    ]
    assert updates
    assert updates[0]["cause"] in causes
    unseen = edits[-1].key
    assert "Evanston" not in bench.command("history", unseen).out
    assert bench.command("run", "--once", "--sweep").code == 0
    assert "city: " in bench.command("history", unseen).out


def test_history_at_a_moment(bench: Bench) -> None:
    """--at says what HubSpot held then, field by field, and why."""
    assert bench.command("run", "--once").code == 0
    [edit, *_] = bench.at_the_site(lambda: a_day_at_the_office(bench.site))
    moments = bench.command("history", edit.key, "--json").json()["moments"]
    first_day = moments[-1]["time"]
    assert bench.command("run", "--once").code == 0
    then = bench.command("history", edit.key, "--at", first_day, "--json").json()
    now = bench.command("history", edit.key, "--at", "2999-01-01", "--json").json()
    phones = [
        {row["field"]: row["value"] for row in document["fields"]}["phone"]
        for document in (then, now)
    ]
    assert phones[0] != phones[1]
    assert phones[1] == "(312) 555-0142"
    assert all(row["because"] and row["position"] for row in now["fields"])
    long_ago = bench.command("history", edit.key, "--at", "2001-01-01")
    assert "nothing was acknowledged" in long_ago.out


def test_history_by_a_part_of_the_name(bench: Bench) -> None:
    """A part of a name finds the record, or gives the choices when several have it."""
    assert bench.command("run", "--once").code == 0
    rows = list(bench.site.sage100.model.rows("AR_Customer"))
    names = [row["CustomerName"] for row in rows]
    only = next(name for name in names if sum(name.lower() in one.lower() for one in names) == 1)
    key = next(
        f"companies/ABC:{row['ARDivisionNo']}-{row['CustomerNo']}"
        for row in rows
        if row["CustomerName"] == only
    )
    found = bench.command("history", only.upper()[1:], "--json").json()
    assert key in [found["target"], *found["choices"]]
    several = bench.command("history", "e")
    assert several.code == 1
    assert "Nothing in the log" in several.out
    assert bench.command("replay", "--key", only[1:], "--dry-run").code == 2


def test_history_of_nothing(bench: Bench) -> None:
    """A key that nothing has ends with 1; a time that is none with 2."""
    assert bench.command("run", "--once").code == 0
    unknown = bench.command("history", "99-NOBODY")
    assert (unknown.code, unknown.err) == (1, "")
    assert "Nothing in the log" in unknown.out
    assert bench.command("history", "x", "--at", "yesterday").code == 2


def test_what_hubspot_refuses_is_parked_and_replayed(bench: Bench) -> None:
    """A refused record is parked with HubSpot's message; once cured, replay sends it again."""
    [row, *_] = bench.site.sage100.model.rows("AR_Customer")
    key = f"ABC:{row['ARDivisionNo']}-{row['CustomerNo']}"
    bench.at_the_site(
        lambda: bench.site.portal.poison("companies", key, message="this name is cursed")
    )
    ended = bench.command("run", "--once")
    assert ended.code == 1
    assert bench.command("status").code == 1
    shown = bench.command("parked")
    assert shown.code == 1
    assert "this name is cursed" in shown.out
    assert "advice:" in shown.out
    [item] = bench.command("parked", "--json").json()["parked"]
    assert item["target"] == f"companies/{key}"
    bench.at_the_site(lambda: bench.site.portal.cure("companies", key))
    dry = bench.command("replay", "--parked", "--dry-run", "--json").json()
    assert (dry["targets"], dry["requested"]) == ([f"companies/{key}"], False)
    asked = bench.command("replay", "--parked", "--reason", item["reason"], "--json")
    assert asked.json()["requested"] is True
    assert bench.command("run", "--once").code == 0
    assert bench.command("parked").code == 0
    assert bench.command("status").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--parked", "--key", "x"],
        ["--key", "x", "--reason", "y"],
        ["--object", "planets"],
        ["--since", "soon"],
        ["--key", "99-NOBODY"],
    ],
)
def test_a_replay_of_nothing_in_particular(bench: Bench, arguments: list[str]) -> None:
    """A replay says exactly what is meant, or is refused."""
    assert bench.command("setup").code == 0
    ended = bench.command("replay", *arguments, "--dry-run")
    assert ended.code == 2, ended.out


def test_replay_by_key_object_and_time(bench: Bench) -> None:
    """Records are chosen by key, by object or by time, and sent again in full."""
    assert bench.command("run", "--once").code == 0
    some = bench.command("replay", "--object", "vendors", "--dry-run", "--json").json()
    assert [name.partition("/")[0] for name in some["targets"]] == ["vendors"]
    recent = bench.command("replay", "--since", "2001-01-01", "--dry-run", "--json").json()
    assert set(recent["targets"]) > set(some["targets"])
    before = bench.at_the_site(lambda: bench.site.portal.calls.writes)
    assert bench.command("replay", "--key", some["targets"][0]).code == 0
    assert bench.command("run", "--once").code == 0
    assert bench.at_the_site(lambda: bench.site.portal.calls.writes) == before + 1


def test_a_key_that_names_several_records_is_not_guessed_at(bench: Bench) -> None:
    """A vendor with a customer's number: `replay` tells both and takes neither, unless one is named
    in full or all are wanted; a customer's own contact goes with it unasked.
    """
    company = bench.site.sage100.company
    number = ("01", "ABF")
    key = f"ABC:{number[0]}-{number[1]}"
    bench.at_the_site(lambda: maintenance.add_vendor(company, number, {"VendorName": "Namesake"}))
    assert bench.command("run", "--once").code == 0
    both = [f"companies/{key}", f"vendors/{key}"]
    for spelling in (key, "-".join(number)):
        ended = bench.command("replay", "--key", spelling, "--json")
        assert ended.code == 2
        assert all(name in ended.json()["error"]["what"] for name in both)
        assert "--all-matches" in ended.json()["error"]["remedy"]
        every = ["replay", "--key", spelling, "--all-matches", "--dry-run", "--json"]
        assert set(bench.command(*every).json()["targets"]) >= set(both)
    one = bench.command("replay", "--key", both[1], "--dry-run", "--json").json()
    assert one["targets"] == [both[1]]
    rows = [row for row in company.rows("AR_Customer") if row["CustomerNo"] != number[1]]
    other = f"ABC:{rows[0]['ARDivisionNo']}-{rows[0]['CustomerNo']}"
    assert bench.command("replay", "--key", other, "--dry-run").code == 0
    assert bench.command("replay", "--all", "--all-matches", "--dry-run").code == 2


@pytest.mark.parametrize("command", [["reconcile"], ["rehearse"], ["undo", "--run", "last"]])
def test_before_the_first_pass(bench: Bench, command: list[str]) -> None:
    """What needs something written says what comes first, and 'history' what it may be asked."""
    assert bench.command("setup").code == 0
    ended = bench.command(*command, "--json")
    assert ended.code == 2
    assert "run --once" in ended.json()["error"]["remedy"]
    nothing = bench.command("history", "01-ABF")
    assert (nothing.code, "invoice number" in nothing.out) == (1, True)


def test_rebuild_and_verify(bench: Bench) -> None:
    """The read models are what the log says, a rebuild makes the same, and the chain holds.

    Without a store there is nothing to rebuild, and none is made.
    """
    missing = bench.command("rebuild", "--json")
    assert missing.code == 2
    assert "there is no store at" in missing.json()["error"]["what"]
    assert bench.command("run", "--once").code == 0
    compared = bench.command("rebuild", "--verify", "--json")
    assert compared.code == 0, compared.out
    assert (compared.json()["verified"], compared.json()["mismatch"]) == (True, None)
    rebuilt = bench.command("rebuild")
    assert (rebuilt.code, "rebuilt; all were the same before" in rebuilt.out) == (0, True)
    assert bench.command("rebuild", "--verify").code == 0
    before = bench.at_the_site(bench.site.hubspot_calls)
    assert bench.command("run", "--once").code == 0
    assert bench.at_the_site(bench.site.hubspot_calls) == before
    assert bench.command("verify").code == 0


def test_a_rebuild_tells_what_it_puts_right(bench: Bench) -> None:
    """Rows that were not what the log says are counted and the first is shown; it ends with 0."""
    assert bench.command("run", "--once").code == 0
    store = bench.site.config_path.with_name("events.db")
    conn = sqlite3.connect(store)
    conn.execute("DELETE FROM t_account")
    conn.commit()
    conn.close()
    lock = StoreLock(store)
    lock.acquire()  # as a running service holds it
    differs = bench.command("rebuild", "--verify", "--json")
    lock.release()
    assert differs.code == 1
    assert differs.json()["mismatch"]["table"] == "account"
    document = bench.command("rebuild", "--json")
    assert document.code == 0
    [difference] = document.json()["differences"]
    assert (difference["table"], difference["rows"]) == ("account", 8)
    assert (difference["first"]["live"], document.json()["mismatch"]) == (None, None)
    assert bench.command("rebuild", "--verify").code == 0
    conn = sqlite3.connect(store)
    conn.execute("DELETE FROM t_account WHERE key = (SELECT min(key) FROM t_account)")
    conn.commit()
    conn.close()
    told = bench.command("rebuild")
    assert told.code == 0
    assert "DIFFERENT: table account, 1 rows" in told.out
    assert "1 rows were not what the log says and are put right" in told.out


def test_refused_by_either_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong password or token ends with 3 and says where; neither shows up anywhere."""
    monkeypatch.setenv("SAGE100_PASSWORD", "a-wrong-password")
    ended = bench.command("run", "--once")
    assert ended.code == 3
    assert bench.site.sage100.endpoint in ended.err
    assert "remedy:" in ended.err
    assert "up to date" not in ended.out, "nobody knows that"
    assert "a-wrong-password" not in ended.err + ended.out
    monkeypatch.setenv("SAGE100_PASSWORD", bench.site.env["SAGE100_PASSWORD"])
    monkeypatch.setenv("HUBSPOT_TOKEN", "a-wrong-token")
    ended = bench.command("run", "--once")
    assert ended.code == 3
    assert bench.site.portal.base_url in ended.err
    assert "a-wrong-token" not in ended.err + ended.out
    checked = bench.command("check", "--json")
    assert checked.code == 1
    assert not all(line["ok"] for line in checked.json()["lines"])


@pytest.mark.slow  # the agent is given its retries
def test_an_agent_that_is_not_there(bench: Bench) -> None:
    """An agent that cannot be reached ends with 3."""
    text = bench.site.config_path.read_text(encoding="utf-8")
    gone = re.sub(r"http://127\.0\.0\.1:\d+/Sage", "http://127.0.0.1:9/Sage", text)
    bench.site.config_path.write_text(gone, encoding="utf-8")
    ended = bench.command("run", "--once", "--json")
    assert ended.code == 3
    errors = [one["error"] for one in ended.json()["passes"] if one["error"]]
    assert errors
    assert json.dumps(errors).count("127.0.0.1:9")


def test_a_maintenance_window_wakes_nobody(bench: Bench) -> None:
    """Sage 100 is in use: `run --once` and `status` end with 0 and say since when; it heals."""
    conduct = bench.site.sage100.conduct
    bench.at_the_site(lambda: setattr(conduct, "exclusive", Exclusive(message="Backup is running")))
    ended = bench.command("run", "--once")
    assert ended.code == 0, ended.err
    assert "Backup is running" in ended.out
    assert "waiting since" in ended.out
    status = bench.command("status")
    assert status.code == 0
    assert "waiting since" in status.out
    passes = bench.command("run", "--once", "--json").json()["passes"]
    assert [one["error"] for one in passes] == [None] * len(passes)
    assert all(one["waiting_since"] for one in passes)
    bench.at_the_site(lambda: setattr(conduct, "exclusive", None))
    assert bench.command("run", "--once").code == 0
    status = bench.command("status")
    assert (status.code, "waiting since" in status.out) == (0, False)


def test_a_company_that_is_configured_no_more_worries_nobody(bench: Bench) -> None:
    """A mistyped company code fails by name; once it is corrected, `status` is content again."""
    text = bench.site.config_path.read_text(encoding="utf-8")
    wrong = text.replace('companies = ["ABC"]', 'companies = ["ABC", "ABD"]')
    wrong = wrong.replace('currency = { ABC = "USD" }', 'currency = "USD"')
    bench.site.config_path.write_text(wrong, encoding="utf-8")
    assert bench.command("run", "--once").code == 2
    status = bench.command("status")
    assert status.code == 1
    assert "does not serve company ABD" in status.out
    bench.site.config_path.write_text(text, encoding="utf-8")
    assert bench.command("run", "--once").code == 0
    status = bench.command("status")
    assert status.code == 0, status.out
    assert "ABD" not in status.out
