"""`proof`: receivables tied out on three sides; what differs has its reason, or ends with 1."""

from __future__ import annotations

import csv
import io
import re
import sqlite3
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest

from connector import opening
from connector.sandbox.agent import arrangements, maintenance, posting
from eventstore.lock import StoreLock
from projections.tables import VERSION, Number
from projections.workspace import encode
from tests.cli.conftest import Bench
from tests.cli.test_release import flood

MEASURES = ["balance", "current", *(f"bucket_{n}" for n in range(1, 5)), "documents"]


def owed(bench: Bench, *without: str) -> Decimal:
    """What Sage 100 itself adds up to, types left out."""

    def add() -> Decimal:
        total = Decimal(0)
        for row in bench.site.sage100.company.rows("AR_Invoice"):
            if row["IsOpen"] == "Y" and row["InvoiceType"] not in without:
                text = row["Balance"].strip() or "0"
                total += -Decimal(text[:-1]) if text.endswith("-") else Decimal(text)
        return total

    found: Decimal = bench.at_the_site(add)
    return found


def customers(bench: Bench) -> list[tuple[str, str]]:
    """Keys of all customers."""
    rows = bench.at_the_site(lambda: list(bench.site.sage100.company.rows("AR_Customer")))
    return [(row["ARDivisionNo"], row["CustomerNo"]) for row in rows]


def key_of(customer: tuple[str, str]) -> str:
    """`ABC:01-ABF`."""
    return f"ABC:{customer[0]}-{customer[1]}"


def post(bench: Bench, customer: tuple[str, str], amount: str, **more: Any) -> Any:
    """Post a receivable."""
    company = bench.site.sage100.company
    return bench.at_the_site(lambda: posting.post_invoice(company, customer, amount, **more))


def sums(document: dict[str, Any]) -> dict[str, dict[str, Decimal]]:
    """The lines of the one company: measure to sides."""
    [company] = document["companies"]
    sides = ("sage", "ours", "hubspot", "difference", "explained", "unexplained")
    return {
        line["measure"]: {side: Decimal(line[side]) for side in sides} for line in company["lines"]
    }


def reasons(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Record and reason of every difference."""
    [company] = document["companies"]
    return {(each["record"], each["reason"]) for each in company["differences"]}


def hubspot_id(bench: Bench, key: str) -> str:
    """The id of a company in HubSpot."""
    record = bench.at_the_site(
        lambda: bench.site.portal.one("companies", "sage100_customer_key", key)
    )
    return str(record["hs_object_id"])


def owing(bench: Bench) -> tuple[str, str]:
    """A customer that owes something and to whom nothing else happens here."""
    customer = customers(bench)[-1]
    post(bench, customer, "321.09")
    return customer


def test_every_kind_of_receivable_ties_out(bench: Bench) -> None:
    """Credits, prepayments, divisions, national accounts and balance forward count once, signed;
    the sums are those of Sage 100, on the ledger and read live.
    """
    one, two, three, four, *_ = customers(bench)
    company = bench.site.sage100.company

    def other_division() -> None:
        fields = {"CustomerName": "Namesake of another division"}
        maintenance.add_customer(company, ("07", one[1]), fields)

    bench.at_the_site(other_division)
    post(bench, one, "100.10")
    post(bench, ("07", one[1]), "0.05")
    post(bench, two, "-25", invoice_type="PP")
    paid = post(bench, two, "10")
    bench.at_the_site(lambda: posting.receive_payment(company, paid, "12.50"))
    bench.at_the_site(lambda: posting.credit_memo(company, three, "7.77"))
    bench.at_the_site(lambda: arrangements.national_invoice(company, three, four, "64.00"))
    bench.at_the_site(lambda: arrangements.keep_balance_forward(company, four))
    post(bench, four, "48.20")
    bench.at_the_site(lambda: arrangements.carry_forward(company, four))
    assert bench.command("run", "--once").code == 0
    for options in ([], ["--live"]):
        ended = bench.command("proof", "--json", *options)
        assert ended.code == 0, ended.out
        document = ended.json()
        assert (document["ok"], document["settled"], document["live"]) == (
            True,
            True,
            bool(options),
        )
        found = sums(document)
        assert list(found) == MEASURES
        assert found["balance"]["sage"] == owed(bench)
        assert found["documents"]["sage"] == owed(bench, "BF", "BC")
        assert found["balance"]["sage"] != found["documents"]["sage"]
        for line in found.values():
            assert line["sage"] == line["ours"] == line["hubspot"]
            assert line["difference"] == line["unexplained"] == 0
        buckets = sum(found[name]["hubspot"] for name in MEASURES[1:6])
        assert buckets == found["balance"]["hubspot"]
        assert reasons(document) == set()
    shown = bench.command("proof")
    assert "TIED OUT at position" in shown.out
    assert f"{owed(bench):,.2f}" in shown.out


def test_edited_in_hubspot_found_replayed_and_proved(bench: Bench) -> None:
    """Somebody edits a balance and deletes a record in HubSpot: the ledger cannot know, the live
    proof names both, a replay puts them right, and it ties out again.
    """
    customer = owing(bench)
    first = customers(bench)[0]
    post(bench, first, "18.00")
    assert bench.command("run", "--once").code == 0
    edited, gone = hubspot_id(bench, key_of(customer)), hubspot_id(bench, key_of(first))
    portal = bench.site.portal
    bench.at_the_site(lambda: portal.edit("companies", edited, {"sage100_balance": "1000000"}))
    bench.at_the_site(lambda: portal.archive("companies", gone))
    assert bench.command("proof").code == 0
    ended = bench.command("proof", "--live")
    assert ended.code == 1
    assert "NOT TIED OUT" in ended.out
    document = bench.command("proof", "--live", "--json").json()
    assert reasons(document) == {
        (f"companies/{key_of(customer)}", "unexplained"),
        (f"companies/{key_of(first)}", "unexplained"),
    }
    [company] = document["companies"]
    details = {each["record"]: each["detail"] for each in company["differences"]}
    assert "changed in HubSpot" in details[f"companies/{key_of(customer)}"]
    assert "no record with this key" in details[f"companies/{key_of(first)}"]
    keys = ["--key", key_of(customer), "--key", key_of(first)]
    assert bench.command("replay", *keys).code == 0
    assert bench.command("run", "--once").code == 0
    again = bench.command("proof", "--live")
    assert again.code == 0, again.out


def move(bench: Bench, customer: tuple[str, str], by: Decimal) -> None:
    """Change a balance in HubSpot by hand."""
    portal, found = bench.site.portal, hubspot_id(bench, key_of(customer))

    def edit() -> None:
        now = (portal.record("companies", found) or {})["sage100_balance"]
        portal.edit("companies", found, {"sage100_balance": str(Decimal(now) + by)})

    bench.at_the_site(edit)


def test_two_errors_that_cancel_out_are_two(bench: Bench) -> None:
    """A dollar moved from one customer to another in HubSpot leaves the sum, and is told."""
    one, two, *_ = customers(bench)
    post(bench, one, "500.00")
    post(bench, two, "500.00")
    assert bench.command("run", "--once").code == 0
    move(bench, one, Decimal(1))
    move(bench, two, Decimal(-1))
    ended = bench.command("proof", "--live", "--json")
    assert ended.code == 1
    line = sums(ended.json())["balance"]
    assert (line["difference"], line["unexplained"]) == (Decimal(0), Decimal(2))


def test_what_hubspot_refuses_is_explained(bench: Bench) -> None:
    """A parked company differs for a reason, and so do the invoices that wait for it."""
    customer = owing(bench)
    key = key_of(customer)
    bench.at_the_site(lambda: bench.site.portal.poison("companies", key, message="cursed"))
    assert bench.command("run", "--once").code == 1
    ended = bench.command("proof", "--json")
    assert ended.code == 0, ended.out
    document = ended.json()
    found = reasons(document)
    assert (f"companies/{key}", "parked") in found
    assert {reason for record, reason in found if record.startswith("invoices/")} == {"held"}
    line = sums(document)["balance"]
    assert line["difference"] == line["explained"] != 0
    assert "every difference has its reason" in bench.command("proof").out
    bench.at_the_site(lambda: bench.site.portal.cure("companies", key))
    assert bench.command("replay", "--parked").code == 0
    assert bench.command("run", "--once").code == 0
    assert reasons(bench.command("proof", "--live", "--json").json()) == set()


def test_a_held_company_is_explained(bench: Bench) -> None:
    """What the mass-change breaker keeps back differs for that reason until it is released."""
    flood(bench, 0, 50)
    assert bench.command("run", "--once").code == 0
    flood(bench, 50, 30)
    customer = owing(bench)
    assert bench.command("run", "--once").code == 1
    document = bench.command("proof", "--json").json()
    assert document["ok"] is True
    assert (f"companies/{key_of(customer)}", "held") in reasons(document)
    assert bench.command("release", "ABC").code == 0
    assert bench.command("run", "--once").code == 0
    assert reasons(bench.command("proof", "--json").json()) == set()


def test_a_wrong_read_model_is_found_and_rebuilt(bench: Bench) -> None:
    """Our own figures are checked against the source rows: a lost one is unexplained; rebuild."""
    customer = owing(bench)
    assert bench.command("run", "--once").code == 0
    store = bench.site.config_path.parent / "events.db"
    conn = sqlite3.connect(store, isolation_level=None)
    conn.execute("DELETE FROM t_open_item WHERE key LIKE ?", (f"{key_of(customer)}:%",))
    conn.close()
    ended = bench.command("proof", "--json")
    assert ended.code == 1
    [company] = ended.json()["companies"]
    between = {each["between"] for each in company["differences"]}
    assert "Sage 100 and ours" in between
    assert bench.command("rebuild").code == 0
    assert bench.command("proof").code == 0


def mapping_without(bench: Bench, *properties: str) -> None:
    """Put a mapping in force that leaves out these properties of companies."""
    text = resources.files("projections.mapping").joinpath("default.toml").read_text("utf-8")
    for name in properties:
        text, count = re.subn(
            rf'\[\[companies\.rules\]\]\nproperty = "{name}"\n(?:.+\n)+\n', "", text
        )
        assert count == 1
    folder = bench.site.config_path.parent
    (folder / "mapping.toml").write_text(text, encoding="utf-8")
    config = bench.site.config_path.read_text(encoding="utf-8")
    config = config.replace("[hubspot]\n", '[hubspot]\nmapping = "mapping.toml"\n')
    bench.site.config_path.write_text(config, encoding="utf-8")


def test_a_field_that_is_not_mapped_is_explained(bench: Bench) -> None:
    """What no rule writes to HubSpot is withheld, and said to be so, record by record."""
    mapping_without(bench, "sage100_aging_current")
    customer = owing(bench)
    assert bench.command("run", "--once").code == 0
    document = bench.command("proof", "--live", "--json").json()
    assert document["ok"] is True
    assert (f"companies/{key_of(customer)}", "withheld field") in reasons(document)
    assert {each["measure"] for each in document["companies"][0]["differences"]} <= set(MEASURES)


def test_nothing_is_proved_by_outdated_figures(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read models that do not follow the log (after an import) are made anew first; where another
    process has the store and is to make them, they are refused, with what is waited for.
    """
    assert bench.command("run", "--once").code == 0
    store = bench.site.config_path.parent / "events.db"
    assert bench.command("export", store.with_name("log")).code == 0
    for name in store.parent.glob("events.db*"):
        name.unlink()
    assert bench.command("import", store.with_name("log")).code == 0
    lock = StoreLock(store)
    lock.acquire()
    monkeypatch.setattr(opening, "PATIENCE_S", 0.1)
    for command in ("proof", "status", "plan"):
        ended = bench.command(command)
        assert ended.code == 2
        assert "have not been made since an erasure or an import" in ended.err
        assert "Try again when that is done" in ended.err
    db = sqlite3.connect(store)
    with db:
        other = encode(Number(VERSION - 1))
        db.execute("INSERT INTO t_model (key, value) VALUES ('version', ?)", (other,))
    db.close()
    for command in ("proof", "status"):
        ended = bench.command(command)
        assert ended.code == 2
        assert "run 'ml-connector rebuild' once after the update" in ended.err
    lock.release()
    ended = bench.command("proof")
    assert ended.code == 0, ended.err
    assert "the read models are made from the log" in ended.err
    assert bench.command("rebuild", "--verify").code == 0


def test_as_comma_separated_values(bench: Bench) -> None:
    """--csv lists every sum and every difference; amounts are plain numbers."""
    customer = owing(bench)
    key = key_of(customer)
    bench.at_the_site(lambda: bench.site.portal.poison("companies", key, message="=cmd()"))
    assert bench.command("run", "--once").code == 1
    ended = bench.command("proof", "--csv")
    assert ended.code == 0
    rows = list(csv.DictReader(io.StringIO(ended.out)))
    assert [row["measure"] for row in rows if not row["record"]] == MEASURES
    [balance] = [row for row in rows if row["record"] == "" and row["measure"] == "balance"]
    assert Decimal(balance["left"]) == owed(bench)
    spans = ["", "not yet late", "1–30 days late", "31–60 days late", "61–90 days late"]
    assert [row["days"] for row in rows if not row["record"]] == [*spans, "over 90 days late", ""]
    parked = [row for row in rows if row["reason"] == "parked"]
    assert {row["record"] for row in parked} == {f"companies/{key}"}
    assert not any(value.startswith("=") for row in rows for value in row.values())


def test_sage_100_s_own_aging_is_told_and_fails_nothing(bench: Bench) -> None:
    """Customers whose own aging is not what their open items come to are listed with its day; the
    tie-out is as good as without, in words, as JSON and as CSV.
    """
    one, two, *_ = customers(bench)
    post(bench, one, "500.00")
    company = bench.site.sage100.company
    stale = {"AgingCategory4": "77.50", "DateLastAging": "20260131"}
    bench.at_the_site(lambda: maintenance.change_customer(company, two, stale))
    assert bench.command("run", "--once").code == 0
    ended = bench.command("proof", "--json")
    assert ended.code == 0
    document = ended.json()
    own = document["companies"][0]["own_aging"]
    assert own["customers"] == len(customers(bench))
    assert Decimal(own["open_items"]) == owed(bench)
    [differs] = own["differing"]
    assert (differs["record"], differs["aged_on"]) == (f"companies/{key_of(two)}", "2026-01-31")
    difference = Decimal(differs["aged"]) - Decimal(differs["open_items"])
    assert difference == Decimal(differs["difference"]) == Decimal(own["difference"]) != 0
    shown = bench.command("proof")
    assert (shown.code, "TIED OUT" in shown.out) == (0, True)
    assert f"Sage 100's own aging comes to {Decimal(own['aged']):,.2f}" in shown.out
    assert "2026-01-31" in shown.out
    rows = list(csv.DictReader(io.StringIO(bench.command("proof", "--csv").out)))
    told = {row["record"]: row for row in rows if row["measure"] == "own aging"}
    assert told.keys() == {"AR_Customer", differs["record"]}
    assert told["AR_Customer"]["left"] == own["aged"]
    assert told[differs["record"]]["detail"] == "aged on 2026-01-31"
    assert {row["reason"] for row in told.values()} == {"told only"}


def test_how_old_sage_100_s_side_is(bench: Bench) -> None:
    """The last pass over changes and the last reading of everything are told, with their ages."""
    assert bench.command("run", "--once").code == 0
    reading = bench.command("proof", "--json").json()["companies"][0]["reading"]
    assert reading["changes"] == reading["everything"] != ""
    assert (reading["swept"], reading["warnings"]) == (False, [])
    assert 0 <= reading["changes_age_s"] < 600
    assert "by the first pass, no sweep since" in bench.command("proof").out
    assert bench.command("run", "--once", "--sweep").code == 0
    swept = bench.command("proof", "--json").json()["companies"][0]["reading"]
    assert swept["swept"] is True
    assert swept["everything"] > reading["everything"]
    rows = list(csv.DictReader(io.StringIO(bench.command("proof", "--csv").out)))
    told = {row["measure"]: row["detail"] for row in rows if row["record"] == "AR_Invoice"}
    assert told["last reading of everything"].startswith(swept["everything"])
    assert told["last pass over changes"].startswith(swept["changes"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--company", "XYZ"], "Give one of: ABC"), (["--csv", "--json"], "choose one of")],
)
def test_what_cannot_be_asked(bench: Bench, arguments: list[str], said: str) -> None:
    """An unknown company and two formats at once are refused in words."""
    assert bench.command("run", "--once").code == 0
    ended = bench.command("proof", *arguments)
    assert ended.code == 2
    assert said in ended.err + ended.out


def test_hubspot_must_be_there_for_a_live_proof(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that is refused ends with 3; nothing is claimed."""
    assert bench.command("run", "--once").code == 0
    monkeypatch.setenv("HUBSPOT_TOKEN", "a-wrong-token")
    ended = bench.command("proof", "--live", "--json")
    assert ended.code == 3
    assert bench.site.portal.base_url in ended.json()["error"]["where"]
    assert "a-wrong-token" not in ended.out + ended.err
