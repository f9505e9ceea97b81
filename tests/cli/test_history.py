"""`history`: one record's life with what led to it, found by whatever a person knows of it."""

from __future__ import annotations

from typing import Any

from connector.sandbox.agent import posting
from tests.cli.conftest import Bench
from tests.cli.test_undo import customer_keys, move, record


def moments(bench: Bench, key: str) -> list[dict[str, Any]]:
    """A record's life as a document."""
    found: list[dict[str, Any]] = bench.command("history", key, "--json").json()["moments"]
    return found


def test_every_step_has_its_trace(bench: Bench) -> None:
    """Without a collector too; what led to a write, the write and its answer are one trace."""
    assert bench.command("run", "--once").code == 0
    [key] = customer_keys(bench, 1)
    target = f"companies/ABC:{key[0]}-{key[1]}"
    move(bench, key, City="Fargo")
    assert bench.command("run", "--once").code == 0
    assert bench.command("undo", "--run", "last").code == 0
    assert bench.command("run", "--once").code == 0
    told = moments(bench, target)
    assert all(len(each["trace"]) == 32 for each in told)
    traces = {each["moment"]["position"]: each["trace"] for each in told}
    sent = [each for each in told if each["moment"]["event"] == "CommandSent"]
    assert len(sent) == 3
    for each in sent:
        assert each["trace"] == traces[each["moment"]["cause"]], each
    [undone] = [each for each in told if each["moment"]["event"] == "UndoRequested"]
    [pinned] = [each for each in told if each["moment"]["event"] == "FieldsPinned"]
    last = [each for each in told if each["moment"]["event"] == "CommandSucceeded"][-1]
    assert undone["trace"] == pinned["trace"] == last["trace"]
    assert record(bench, key)["city"] != "Fargo"


def found_by(bench: Bench, key: str) -> str:
    """The one target that this names."""
    ended = bench.command("history", key, "--json")
    assert ended.code == 0, ended.out
    target: str = ended.json()["target"]
    return target


def test_a_record_is_found_by_all_that_people_know_of_it(bench: Bench) -> None:
    """Keys, numbers with and without the division, HubSpot's id, each after its kind too."""
    assert bench.command("run", "--once").code == 0
    [(division, number)] = customer_keys(bench, 1)
    external = f"ABC:{division}-{number}"
    target, record_id = f"companies/{external}", record(bench, (division, number))["hs_object_id"]
    for key in (external, f"{division}-{number}", number, number.lower()):
        assert found_by(bench, key) == target, key
    several = bench.command("history", record_id, "--json").json()["choices"]
    assert target in several, "HubSpot numbers each kind for itself"
    for key in (external, f"{division}-{number}", number, record_id):
        assert found_by(bench, f"companies/{key}") == target, key
    invoices = list(bench.site.sage100.model.rows("AR_Invoice"))
    numbers = [one["InvoiceNo"] for one in invoices]
    invoice = next(one for one in invoices if numbers.count(one["InvoiceNo"]) == 1)
    [row] = [
        one
        for one in bench.at_the_site(lambda: bench.site.portal.records("invoices").values())
        if f":{invoice['InvoiceNo']}-" in one["sage100_invoice_key"]
    ]
    told = f"invoices/{row['sage100_invoice_key']}"
    for key in (invoice["InvoiceNo"], row["sage100_invoice_key"]):
        assert found_by(bench, key) == found_by(bench, f"invoices/{key}") == told, key
    assert found_by(bench, f"invoices/{row['hs_object_id']}") == told
    plain = row["sage100_invoice_key"].partition(":")[2]
    assert found_by(bench, plain) == told
    for key in (f"contacts/{invoice['InvoiceNo']}", "vendors/99999", "companies/1"):
        assert bench.command("history", key).code == 1, key


def test_vendors_are_companies_of_hubspot(bench: Bench) -> None:
    """`companies/ID` finds a vendor by its HubSpot id, and its number does without a division."""
    assert bench.command("run", "--once").code == 0
    row = next(iter(bench.site.sage100.model.rows("AP_Vendor")))
    target = f"vendors/ABC:{row['APDivisionNo']}-{row['VendorNo']}"
    record_id = bench.command("history", target, "--json").json()["hubspot_id"]
    for key in (f"companies/{record_id}", f"vendors/{record_id}", f"vendors/{row['VendorNo']}"):
        assert found_by(bench, key) == target


def test_what_may_be_several_is_told_apart_by_name(bench: Bench) -> None:
    """A table of key, name and kind, the same in the document, and how to go on."""
    keys = customer_keys(bench, 2)
    for key, name in zip(keys, ("Twinfield North", "Twinfield South"), strict=True):
        move(bench, key, CustomerName=name)
    assert bench.command("run", "--once").code == 0
    for arguments in ([], ["--at", "2999-01-01"]):
        told = bench.command("history", "twinfield", *arguments)
        assert told.code == 1
        assert "'twinfield' may be any of these 2" in told.out
        for name in ("Twinfield North", "Twinfield South"):
            [line] = [one for one in told.out.splitlines() if name in one]
            assert "companies/ABC:" in line
            assert "customer" in line
        assert "Name one of them by its key: ml-connector history companies/ABC:" in told.out
        found = bench.command("history", "twinfield", "--json", *arguments)
        assert found.code == 1
        assert found.json()["choices"] == [one["key"] for one in found.json()["named"]]
        assert {one["name"] for one in found.json()["named"]} == {
            "Twinfield North",
            "Twinfield South",
        }


def test_what_led_to_an_aging_is_named(bench: Bench) -> None:
    """An invoice or a payment changes a company's aging: the command's cause says which record of
    Sage 100 that was, and what led to its being seen; only what is new is said to be."""
    assert bench.command("run", "--once").code == 0
    company = bench.site.sage100.company
    [key] = customer_keys(bench, 1)
    target = f"companies/ABC:{key[0]}-{key[1]}"
    number = bench.at_the_site(lambda: posting.post_invoice(company, key, "70.00"))
    assert bench.command("run", "--once").code == 0

    def why() -> tuple[dict[str, Any], dict[str, Any]]:
        told = {one["moment"]["position"]: one["moment"] for one in moments(bench, target)}
        last = [one for one in told.values() if one["event"] == "CommandEmitted"][-1]
        assert "sage100_balance" in last["changes"]
        assert told[told[last["cause"]]["cause"]]["event"] == "PollStarted"
        return last, told[last["cause"]]

    _, cause = why()
    assert cause["text"].startswith(("Sage 100: AR_Invoice ", "Sage 100: AR_Payment "))
    assert f"{key[0]}-{key[1]}:{number[2]}" in cause["text"]
    assert "seen for the first time, by a poll" in cause["text"]
    bench.at_the_site(lambda: posting.receive_payment(company, number, "30.00"))
    assert bench.command("run", "--once").code == 0
    told = moments(bench, target)
    first = [one["moment"]["text"] for one in told if "first time" in one["moment"]["text"]]
    assert len(first) == len(set(first))
    _, cause = why()
    assert f"{key[0]}-{key[1]}:{number[2]}" in cause["text"]


def then(bench: Bench, key: str, at: str = "2999-01-01") -> dict[str, dict[str, Any]]:
    """Property to what it held at a moment, with its reason."""
    found = bench.command("history", key, "--at", at, "--json").json()["fields"]
    return {one["field"]: one for one in found}


def test_each_value_of_a_moment_has_its_reason_from_sage_100_to_hubspot(bench: Bench) -> None:
    """The column with its stamp and how it was found, or the fact and its columns; the mapping, the
    command and what led to it; HubSpot's status and correlation id, batch and trace."""
    assert bench.command("run", "--once").code == 0
    [key] = customer_keys(bench, 1)
    target = f"companies/ABC:{key[0]}-{key[1]}"
    move(bench, key, City="Fargo")
    company = bench.site.sage100.company
    number = bench.at_the_site(lambda: posting.post_invoice(company, key, "70.00"))
    assert bench.command("run", "--once").code == 0
    fields = then(bench, target)
    city = fields["city"]
    assert (city["value"], city["source"], city["via"]) == ("Fargo", "AR_Customer.City", "cursor")
    assert city["cells"] == {"AR_Customer.City": "Fargo"}
    told = {one["moment"]["position"]: one for one in moments(bench, target)}
    [seen] = [
        one
        for one in told.values()
        if one["moment"]["event"] == "RecordObserved" and "City" in one["moment"]["changes"]
    ][1:]
    assert (city["seen"], city["stamp"]) == (seen["time"], seen["moment"]["facts"]["stamp"])
    answer = told[city["position"]]
    facts = answer["moment"]["facts"]
    assert (str(city["status"]), city["correlation_id"]) == (
        facts["status"],
        facts["correlation id"],
    )
    assert city["status"] == 200
    assert (city["batch"], city["trace"]) == (facts["batch"], answer["trace"])
    command = next(
        one["moment"] for one in told.values() if one["moment"]["text"] == city["because"]
    )
    assert city["mapping"] == command["facts"]["mapping"]
    assert f"command {city['command']}: update HubSpot" in city["because"]
    balance = fields["sage100_balance"]
    assert balance["source"].startswith(
        "aging.balance: sum of open balances, of AR_Invoice.Balance"
    )
    assert number[2] in balance["cause"]
    open_items = [float(cell) for cell in balance["cells"].values()]
    assert balance["cells"][f"AR_Invoice.Balance of {key[0]}-{key[1]}:{'-'.join(number[2:])}"] in {
        "70",
        "70.00",
    }
    assert f"{sum(open_items):.2f}" == balance["value"]
    domain = fields["domain"]
    assert set(domain["cells"]) == {"AR_Customer.URLAddress", "AR_Customer.EmailAddress"}
    shown = bench.command("history", target, "--at", "2999-01-01").out
    assert "AR_Customer.City Fargo" in shown
    assert "status 200, correlation id" in shown
    own = next(one for one in found_contacts(bench) if key[1] in one)
    person = then(bench, own)
    assert person["company"]["cells"].keys() == {"AR_Customer.CustomerName"}
    contact_of = then(bench, f"invoices/ABC:{key[0]}-{key[1]}:{'-'.join(number[2:])}")
    total = contact_of["sage100_total"]
    assert "AR_Invoice.NonTaxableAmt" in total["cells"]


def found_contacts(bench: Bench) -> list[str]:
    """The contacts that the log knows."""
    rows = bench.at_the_site(lambda: list(bench.site.portal.records("contacts").values()))
    return [f"contacts/{row['sage100_contact_key']}" for row in rows]


def test_what_was_undone_or_erased_is_told_as_that(bench: Bench) -> None:
    """An undo's value does not come from Sage 100; of what was erased it is said since when."""
    assert bench.command("run", "--once").code == 0
    [key] = customer_keys(bench, 1)
    target = f"companies/ABC:{key[0]}-{key[1]}"
    first_day = moments(bench, target)[-1]["time"]
    move(bench, key, City="Fargo")
    assert bench.command("run", "--once").code == 0
    assert bench.command("undo", "--run", "last").code == 0
    assert bench.command("run", "--once").code == 0
    assert then(bench, target)["city"]["source"] == "an undo: what stood there before"
    assert bench.command("erase", target, "--reason", "asked", "--yes").code == 0
    assert bench.command("run", "--once").code == 0
    [erased] = [
        one["time"] for one in moments(bench, target) if one["moment"]["event"] == "TargetErased"
    ]
    for at in (first_day, "2999-01-01"):
        address = then(bench, target, at)["address"]
        assert (address["value"] or None, address["erased"] in {erased, ""}) == (None, True)
    before = then(bench, target, first_day)
    assert {one["erased"] for one in before.values()} == {erased}
    assert "sage100_credit_limit" in before
    assert "sage100_credit_limit" in then(bench, target)
    shown = bench.command("history", target, "--at", first_day).out
    assert f"nothing is left: personal data was erased on {erased}" in shown
    story = bench.command("history", target).out
    assert f"the content of this event was erased on {erased}" in " ".join(story.split())
