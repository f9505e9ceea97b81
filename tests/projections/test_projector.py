"""The projector on a real store: what is emitted, when, and in which order."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connector import replaying, reports
from connector.rebuild import is_current, rebuild, this_version
from eventstore import Put, Row
from projections import events as e
from projections.mapping import compiled
from projections.tables import VERSION, Number
from projections.workspace import encode
from tests.projections import rig
from tests.projections.rig import Rig, bill, contact, customer, open_rig, payment, terms

Outcome = Literal["created", "found", "updated"]
ACME = "companies/ABC:01-ACME"
INVOICE = "invoices/ABC:01-ACME:0000001-000001-IN"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig whose settings are known and folded."""
    async with open_rig(tmp_path) as made:
        await made.settings()
        await made.idle()
        yield made


async def test_a_customer_becomes_a_company_a_contact_and_their_link(desk: Rig) -> None:
    """One customer row leads to three commands, each caused by that row."""
    await desk.see(customer("ACME", EmailAddress="jane@acme.com", City="Oslo"))
    await desk.idle()
    targets = await desk.targets()
    link = "associations/contacts:ABC:01-ACME>companies:ABC:01-ACME"
    assert set(targets) == {ACME, "contacts/ABC:01-ACME", link}
    assert targets[ACME].changes["city"] == "Oslo"
    assert targets[ACME].changes["lifecyclestage"] == "lead"
    assert targets["contacts/ABC:01-ACME"].changes["email"] == "jane@acme.com"
    [emitted] = await desk.store.history(f"hubspot/{ACME}")
    observed = await desk.store.history("sage/acme/ABC/AR_Customer/01-ACME")
    assert emitted.cause == observed[0].position


async def test_the_same_row_again_changes_nothing(desk: Rig) -> None:
    """A re-observed row whose values are the same leads to no command."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await desk.carry_out_all()
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    assert await desk.store.count("outbox_companies") == 0
    assert (await desk.events(ACME)).count("CommandEmitted") == 1


async def test_a_newer_command_absorbs_an_unsent_one(desk: Rig) -> None:
    """Two changes before anything is sent are one command in the end, and the books say so."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await desk.see(customer("ACME", City="Bergen"))
    await desk.idle()
    assert await desk.events(ACME) == ["CommandEmitted", "CommandSuperseded", "CommandEmitted"]
    assert (await desk.target(ACME)).changes["city"] == "Bergen"
    books = (await reports.status(desk.store))["hubspot"][0]
    assert (books["emitted"], books["superseded"], books["pending"]) == (2, 1, 1)


async def test_a_change_during_an_attempt_waits_for_its_outcome(desk: Rig) -> None:
    """While a command is on its way nothing new is emitted; after its outcome it is."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await desk.tell(ACME, e.CommandSent(1, "b", 1))
    await desk.see(customer("ACME", City="Bergen"))
    await desk.idle()
    assert (await desk.target(ACME)).state == "sent"
    await desk.tell(ACME, e.CommandSucceeded(1, "7", "created"))
    await desk.idle()
    doc = await desk.target(ACME)
    assert (doc.state, doc.changes) == ("pending", {"city": "Bergen"})


async def test_a_change_back_leaves_nothing_to_do(desk: Rig) -> None:
    """An unsent change that is undone in Sage 100 is superseded by nothing."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await desk.carry_out_all()
    await desk.see(customer("ACME", City="Bergen"))
    await desk.idle()
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    assert (await desk.target(ACME)).state == "idle"
    assert (await desk.events(ACME))[-1] == "CommandSuperseded"


async def test_values_in_doubt_are_written_again(desk: Rig) -> None:
    """After an attempt of unknown outcome, changing back still writes: HubSpot may differ."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await desk.carry_out_all()
    await desk.see(customer("ACME", City="Bergen"))
    await desk.idle()
    command = (await desk.target(ACME)).command
    await desk.tell(ACME, e.CommandSent(command, "b", 1))
    await desk.tell(ACME, e.CommandFailed(command, "timeout", "no answer", 0, 1, unknown=True))
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    assert (await desk.target(ACME)).changes == {"city": "Oslo"}


async def test_an_emptied_field_is_cleared(desk: Rig) -> None:
    """Empty in Sage 100 clears what we wrote."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await desk.carry_out_all()
    await desk.see(customer("ACME"))
    await desk.idle()
    assert (await desk.target(ACME)).changes == {"city": ""}


async def test_adoption_is_decided_anew(desk: Rig) -> None:
    """What an adopted record holds already is not written; `create` and `fill` keep theirs."""
    await desk.see(customer("ACME", City="Oslo", URLAddress="acme.com"))
    await desk.idle()
    values = {"city": "Oslo", "name": "ACME Inc", "domain": "acme.org", "type": "PARTNER"}
    await desk.tell(ACME, e.RecordAdopted("7", "external key", values))
    await desk.idle()
    changes = (await desk.target(ACME)).changes
    assert changes["name"] == "Customer ACME"
    assert not {"city", "domain", "type"} & set(changes)


async def test_a_stage_never_moves_back(desk: Rig) -> None:
    """A record that is further along in HubSpot keeps its lifecycle stage."""
    await desk.see(customer("ACME"))
    await desk.idle()
    await desk.tell(ACME, e.RecordAdopted("7", "external key", {"lifecyclestage": "evangelist"}))
    await desk.see(bill("ACME", "0000001", "5"))
    await desk.idle()
    assert "lifecyclestage" not in (await desk.target(ACME)).changes


async def test_decisions_wait_while_a_round_is_held(desk: Rig) -> None:
    """During a round nothing is emitted; afterwards a customer's invoices count as one change."""
    desk.projector.hold = True
    await desk.see(customer("ACME"), bill("ACME", "0000001", "40"))
    await desk.idle()
    await desk.see(bill("ACME", "0000002", "2.50"))
    await desk.idle()
    assert await desk.targets() == {}
    desk.projector.hold = False
    await desk.idle()
    assert (await desk.events(ACME)) == ["CommandEmitted"]
    assert (await desk.target(ACME)).changes["sage100_balance"] == "42.50"


async def test_a_round_of_one_company_holds_back_no_other(desk: Rig) -> None:
    """What is read of ABC meanwhile waits for the end of its round; XYZ is decided on at once."""
    desk.projector.held_back = {"ABC"}
    await desk.see(rig.customer("ABF"))
    other = e.RecordObserved(["01", "ABF"], {"CustomerName": "Another"}, "f")
    await desk.store.append([rig.new("sage/second/XYZ/AR_Customer/01-ABF", other)])
    await desk.idle()
    assert {name.partition(":")[0] for name in await desk.targets()} == {
        "companies/XYZ",
        "contacts/XYZ",
        "associations/contacts",
    }
    assert not any("ABC" in name for name in await desk.targets())
    desk.projector.held_back = set()
    await desk.idle()
    assert (await desk.target("companies/ABC:01-ABF")).state == "pending"


async def test_a_mapping_counts_from_the_moment_it_is_in_force(desk: Rig) -> None:
    """A mapping activated while the projector runs is the one that the next decision is made by."""
    await desk.see(rig.customer("ABF"))
    await desk.idle()
    document = compiled.content(rig.MAPPING)
    document["companies"]["rules"] = [
        {**rule, "from": "AddressLine1"} if rule["property"] == "name" else rule
        for rule in document["companies"]["rules"]
    ]
    other = compiled.restore(document)
    activated = e.MappingActivated(other.digest, compiled.content(other))
    await desk.store.append([rig.new("config/mapping", activated)])
    await desk.see(rig.customer("ABF", AddressLine1="1 Main Street"))
    await desk.idle()
    found = await desk.target("companies/ABC:01-ABF")
    assert found.changes["name"] == "1 Main Street"


@pytest.mark.parametrize("outcome", ["created", "found", "updated"])
async def test_held_invoices_go_on_when_their_company_arrives(desk: Rig, outcome: Outcome) -> None:
    """CommandReleased follows the company's success by itself, whatever that is called."""
    await desk.see(bill("ACME", "0000001", "5"))
    await desk.idle()
    doc = await desk.target(INVOICE)
    await desk.tell(INVOICE, e.CommandHeld(doc.command, [ACME]))
    await desk.see(customer("ACME"))
    await desk.idle()
    assert (await desk.target(INVOICE)).state == "held"
    await desk.tell(ACME, e.CommandSent((await desk.target(ACME)).command, "b", 1))
    await desk.tell(ACME, e.CommandSucceeded((await desk.target(ACME)).command, "7", outcome))
    await desk.idle()
    assert (await desk.target(INVOICE)).state == "pending"
    assert await desk.store.count("waiting") == 0


async def test_a_new_day_ages_open_items_only(desk: Rig) -> None:
    """When the as-of day advances, late invoices and their companies change, paid ones do not."""
    await desk.see(
        customer("ACME"),
        bill("ACME", "0000001", "5", InvoiceDate="20260601", InvoiceDueDate="20260625"),
        bill("ACME", "0000002", "0", InvoiceDate="20260601", InvoiceDueDate="20260625"),
    )
    await desk.idle()
    await desk.carry_out_all()
    await desk.store.append([rig.new("config/aging/ABC", e.AgingDateAdvanced("ABC", "2026-08-01"))])
    await desk.idle()
    assert (await desk.target(INVOICE)).changes == {"sage100_days_overdue": "37"}
    changes = (await desk.target(ACME)).changes
    assert changes["sage100_aging_31_60"] == "5.00"
    assert changes["sage100_aging_1_30"] == "0.00"
    paid = await desk.target("invoices/ABC:01-ACME:0000002-000001-IN")
    assert paid.state == "idle"


async def test_balance_forward_becomes_no_invoice_but_counts(desk: Rig) -> None:
    """A balance-forward line is skipped with a reason and still is part of the balance."""
    await desk.see(customer("ACME"), bill("ACME", "0000001", "30", "BF"))
    await desk.idle()
    assert await desk.events("invoices/ABC:01-ACME:0000001-000001-BF") == ["RecordSkipped"]
    assert (await desk.target(ACME)).changes["sage100_balance"] == "30.00"


async def test_replay_sends_everything_again(desk: Rig) -> None:
    """A replay goes through the ordinary pipeline and writes all that is ours."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await desk.carry_out_all()
    selection, targets = await replaying.select_for_replay(desk.store, key=["01-ACME"])
    dry = await replaying.request_replay(desk.store, selection, targets, dry_run=True)
    assert (dry.targets, dry.requested) == ([ACME], False)
    await replaying.request_replay(desk.store, selection, targets, dry_run=False, by="eve")
    await desk.idle()
    doc = await desk.target(ACME)
    assert doc.state == "pending"
    assert doc.changes["city"] == "Oslo"
    assert "type" not in doc.changes


@pytest.mark.parametrize("code", ["N%", ":/", ">2"])
async def test_terms_are_found_whatever_their_code_is_made_of(desk: Rig, code: str) -> None:
    """A terms code with a separator in it describes customers and dates invoices like any other."""
    await desk.see(
        customer("ACME", TermsCode=code),
        bill("ACME", "0000001", "5", InvoiceDate="20260601", TermsCode=code),
        terms(code, TermsCodeDesc="Net 10", DaysBeforeDue="10"),
    )
    await desk.idle()
    assert (await desk.target(ACME)).changes["sage100_terms"] == "Net 10"
    changes = (await desk.target(INVOICE)).changes
    assert (changes["sage100_terms"], changes["sage100_due_date"]) == ("Net 10", "2026-06-11")
    assert (await desk.target(ACME)).changes["sage100_oldest_due_date"] == "2026-06-11"


async def test_history_tells_causes(desk: Rig) -> None:
    """The timeline is found by number and holds Sage 100's change and the command it led to."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    await desk.carry_out_all()
    await desk.see(customer("ACME", City="Bergen"))
    await desk.idle()
    told = await reports.history(desk.store, "01-ACME")
    assert told.target == ACME
    last = told.moments[-1].moment
    assert last.changes == {"city": ("Oslo", "Bergen")}
    cause = next(one.moment for one in told.moments if one.moment.position == last.cause)
    assert cause.changes == {"City": ("Oslo", "Bergen")}


ROWS = [
    customer("ACME", ContactCode="JOE", TermsCode="30", EmailAddress="info@acme.com"),
    contact("ACME", "JOE", ContactName="Joe Doe"),
    contact("ACME", "ANN", ContactName="Ann Lee", EmailAddress="ann@acme.com"),
    terms("30", TermsCodeDesc="Net 30 days", DaysBeforeDue="30", DueDateADayOfTheMonth="N"),
    bill("ACME", "0000001", "0", InvoiceDate="20260101", TermsCode="30"),
    bill("ACME", "0000002", "60.25", InvoiceDate="20260415", TermsCode="30"),
    bill("ACME", "0000003", "10-", "CM", InvoiceDate="20260601", NonTaxableAmt="10"),
    payment("ACME", "0000001", "20260211", "100"),
    ("AR_CustomerSalesHistory", ["01", "ACME", "2026", "05"], {"DollarsSold": "100"}),
    ("AR_CustomerSalesHistory", ["01", "ACME", "2024", "01"], {"DollarsSold": "900"}),
    ("AR_CustomerSalesHistory", ["01", "OTHER", "2026", "06"], {"DollarsSold": "1"}),
    customer("OTHER"),
]


async def _held(order: list[rig.Row], pages: list[bool]) -> dict[str, dict[str, str]]:
    """What HubSpot holds in the end when rows arrive in this order, written now and then."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_rig(Path(folder)) as made:
            await made.settings()
            for row, write in zip(order, pages, strict=True):
                await made.see(row)
                await made.idle()
                if write:
                    await made.carry_out_all()
            for _ in range(3):
                await made.idle()
                await made.carry_out_all()
            report = await rebuild(made.store, made.projector, verify=True)
            assert report.mismatch is None, report.mismatch
            return {name: doc.held for name, doc in (await made.targets()).items()}


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
@given(st.permutations(ROWS), st.lists(st.booleans(), min_size=len(ROWS), max_size=len(ROWS)))
async def test_any_order_converges(order: list[rig.Row], pages: list[bool]) -> None:
    """Whatever order rows arrive in, HubSpot ends the same, and so do rebuilt read models."""
    expected = await _held(ROWS, [False] * len(ROWS))
    company = expected[ACME]
    assert company["sage100_balance"] == "50.25"
    assert company["sage100_aging_31_60"] == "60.25"
    assert company["sage100_average_days_to_pay"] == "41"
    assert company["annualrevenue"] == "100.00"
    assert company["sage100_terms"] == "Net 30 days"
    assert expected["contacts/ABC:01-ACME:JOE"]["email"] == "info@acme.com"
    assert expected["contacts/ABC:01-ACME:JOE"]["lastname"] == "Doe"
    # Properties written only at creation depend on what was known then, by their very rule.
    found = await _held(order, pages)
    assert found.keys() == expected.keys()
    for name, held in expected.items():
        assert {k: v for k, v in found[name].items() if v} == {k: v for k, v in held.items() if v}


async def test_rebuild_finds_a_row_that_was_tampered_with(desk: Rig) -> None:
    """A read-model row that the log does not give is named, and a rebuild mends it."""
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    [row] = (await desk.store.rows({"account": ["ABC:01-ACME"]}))["account"].values()
    wrong = row.value.replace(b"Oslo", b"Rome")
    await desk.store.append([], also=[Put("account", [Row("ABC:01-ACME", wrong)])])
    report = await rebuild(desk.store, desk.projector, verify=True)
    assert report.mismatch is not None
    assert (report.mismatch.table, report.mismatch.key) == ("account", "ABC:01-ACME")
    assert (await rebuild(desk.store, desk.projector, verify=False)).mismatch is None
    assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None
    head = (await desk.store.head()).last
    await desk.idle()
    assert (await desk.store.head()).last == head, "a rebuild must not send anything twice"


async def test_read_models_of_another_version_are_rebuilt(desk: Rig) -> None:
    """Tables that another version wrote are told apart, refolded, and then current."""
    await desk.store.append([], also=[this_version()])
    assert await is_current(desk.store)
    await desk.see(customer("ACME", City="Oslo"))
    await desk.idle()
    old = encode(Number(VERSION - 1))
    garbage = [Row("ABC:01-ACME", b'["what another version kept"]')]
    await desk.store.append([], also=[Put("model", [Row("version", old)]), Put("account", garbage)])
    assert not await is_current(desk.store)
    await rebuild(desk.store, desk.projector, verify=False)
    assert await is_current(desk.store)
    assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None


async def test_a_rebuild_lets_go_on_what_waited(desk: Rig) -> None:
    """A parent that arrived unseen by the projector frees its children when all is refolded."""
    await desk.see(customer("ACME"), bill("ACME", "0000001", "5"))
    await desk.idle()
    await desk.tell(INVOICE, e.CommandHeld((await desk.target(INVOICE)).command, [ACME]))
    await desk.carry_out(ACME, "7")
    checkpoint = await desk.store.checkpoint("projector")
    head = (await desk.store.head()).last
    await desk.store.append([], checkpoint=msgspec.structs.replace(checkpoint, position=head))
    await rebuild(desk.store, desk.projector, verify=False)
    assert (await desk.target(INVOICE)).state == "pending"
