"""Of one number and type of a customer one row is open, whatever order its rows are seen in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connector.rebuild import rebuild
from projections import bills, keys
from projections import events as e
from projections.folding import Entry
from projections.receivables import SourceRows
from projections.tables import Bill
from tests.projections.rig import Rig, Row, customer, open_rig

ACME = "companies/ABC:01-ACME"
BARE: Final = "000000"  # no history row


def name(sequence: str) -> str:
    """The invoice of this HeaderSeqNo."""
    return f"ABC:01-ACME:0000001-{sequence}-IN"


def row(sequence: str, balance: str, *, is_open: bool = True) -> Row:
    """A row of invoice 0000001, due long ago."""
    cells = {
        "InvoiceNo": "0000001",
        "HeaderSeqNo": sequence,
        "InvoiceType": "IN",
        "InvoiceDueDate": "20260601",
        "NonTaxableAmt": "100",
        "Balance": balance,
        "IsOpen": "Y" if is_open else "N",
    }
    return "AR_Invoice", ["01", "ACME", "0000001", sequence, "IN"], cells


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig with a customer whose settings are folded."""
    async with open_rig(tmp_path) as made:
        await made.settings()
        await made.see(customer("ACME"))
        await made.idle()
        yield made


async def shown(desk: Rig) -> dict[str, str]:
    """What HubSpot holds of the customer's receivables, once everything is carried out."""
    await desk.idle()
    await desk.carry_out_all()
    await desk.idle()
    assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None
    held = (await desk.target(ACME)).held
    return {"balance": held["sage100_balance"], "late": held["sage100_aging_1_30"]}


async def test_a_purged_history_leaves_one_open_item(desk: Rig) -> None:
    """The open part stays under 000000: it is owed once, and the old invoice is no longer."""
    await desk.see(row("000001", "100"))
    assert await shown(desk) == {"balance": "100.00", "late": "100.00"}
    await desk.see(row(BARE, "100"))
    assert await shown(desk) == {"balance": "100.00", "late": "100.00"}
    old = (await desk.target(f"invoices/{name('000001')}")).held
    assert (old["sage100_status"], old["sage100_balance"]) == ("gone", "0.00")
    assert old["hs_invoice_status"] == "open"  # which HubSpot would not take back
    await desk.lose(row("000001", ""))
    assert await shown(desk) == {"balance": "100.00", "late": "100.00"}
    assert (await desk.target(f"invoices/{name('000001')}")).held["hs_invoice_status"] == "voided"


async def test_a_number_used_again_is_owed_once(desk: Rig) -> None:
    """The older invoice of the number ends with the newer, and its own row says how, later."""
    await desk.see(row("000001", "100"))
    await shown(desk)
    await desk.see(row("000002", "70"))
    assert await shown(desk) == {"balance": "70.00", "late": "70.00"}
    await desk.see(row("000002", "0", is_open=False))
    assert await shown(desk) == {"balance": "0.00", "late": "0.00"}
    await desk.see(row("000001", "0", is_open=False))
    assert await shown(desk) == {"balance": "0.00", "late": "0.00"}
    old = (await desk.target(f"invoices/{name('000001')}")).held
    assert (old["sage100_status"], old["hs_invoice_status"]) == ("paid", "paid")


async def test_a_row_that_comes_back_open_wins_again(desk: Rig) -> None:
    """A restored backup: what is seen open last is open, and what it replaced is not."""
    await desk.see(row("000001", "100"))
    await desk.see(row(BARE, "40"))
    assert (await shown(desk))["balance"] == "40.00"
    await desk.see(row("000001", "100"))
    assert (await shown(desk))["balance"] == "100.00"
    await desk.lose(row(BARE, ""))
    assert (await shown(desk))["balance"] == "100.00"


async def test_what_took_the_place_and_never_was_gives_it_back(desk: Rig) -> None:
    """The row that ended another one is found to be gone: sweeps saw the other unchanged."""
    await desk.see(row("000001", "100"))
    await desk.see(row(BARE, "40"))
    await desk.lose(row(BARE, ""))
    assert (await shown(desk))["balance"] == "100.00"


async def test_a_restored_backup_gives_the_number_back(desk: Rig) -> None:
    """What took the place is closed again as it was before: the other stands unchanged."""
    early, late = ({"DateUpdated": day, "TimeUpdated": "8"} for day in ("20260601", "20260620"))
    closed = row("000001", "0", is_open=False)
    await desk.see((*closed[:2], closed[2] | early))
    await desk.see(row("000002", "70"))
    assert (await shown(desk))["balance"] == "70.00"
    anew = row("000001", "30")
    await desk.see((*anew[:2], anew[2] | late))
    assert (await shown(desk))["balance"] == "30.00"
    await desk.see((*closed[:2], closed[2] | early))
    assert (await shown(desk))["balance"] == "70.00"
    await desk.see(row("000002", "0", is_open=False))
    assert (await shown(desk))["balance"] == "0.00"


class Office(msgspec.Struct):
    """One number of a consistent Sage 100: at most one of its rows is open at any time."""

    rows: dict[str, tuple[int, bool]] = {}  # HeaderSeqNo -> what is in it, and whether it is open
    backup: dict[str, tuple[int, bool]] = {}
    made: int = 0

    def happen(self, what: int) -> None:
        """Something happens to the number, where it can."""
        current = next((one for one, (_, is_open) in self.rows.items() if is_open), "")
        self.made += 1
        match what:
            case 0 if not current:
                used = [int(one) for one in self.rows]
                self.rows[f"{max(used, default=0) + 1:06d}"] = (self.made, True)
            case 1 if current:  # a payment on account
                self.rows[current] = (self.made, True)
            case 2 if current == BARE:  # paid: without history nothing is left
                del self.rows[BARE]
            case 2 if current:
                self.rows[current] = (self.made, False)
            case 3 if current and current != BARE:  # its history is purged
                del self.rows[current]
                self.rows[BARE] = (self.made, True)
            case 4:  # the history of what is closed is purged
                self.rows = {one: it for one, it in self.rows.items() if it[1]}
            case 5:
                self.backup = dict(self.rows)
            case 6:
                self.rows = dict(self.backup)
            case _:
                pass


class Reader:
    """Reads that office as the pollers do, into both folds: the projector's and the proof's."""

    def __init__(self) -> None:
        self.office = Office()
        self.bill = Bill()
        self.proof = SourceRows(frozenset({"ABC"}))
        self.seen: dict[str, tuple[int, bool]] = {}
        self.misses: dict[str, int] = {}
        self.position = 0

    def read(self, happening: list[int], *, complete: bool, skip: int = 0) -> None:
        """A pass in the order of the keys, while things happen. A cursor does not see them all."""
        between = iter(happening)
        done: set[str] = set()
        while left := sorted(set(self.office.rows) - done):
            done |= {one for one in self.office.rows if one <= left[0]}
            if complete or (skip >> (int(left[0]) % 3)) % 2 == 0:
                self._see(left[0])
            self.office.happen(next(between, 9))
            done |= {one for one in self.office.rows if one < left[0]}
        if complete:
            for one in sorted(self.seen.keys() - done):
                self.misses[one] = self.misses.get(one, 0) + 1
                if self.misses[one] == 2:
                    del self.seen[one], self.misses[one]
                    self.bill = bills.vanished(self.bill, one, withdrawn=False)
                    self._told(one, e.RecordVanished([], ""))

    def _see(self, sequence: str) -> None:
        self.misses.pop(sequence, None)
        if self.seen.get(sequence) == self.office.rows[sequence]:
            return
        self.seen[sequence] = self.office.rows[sequence]
        what, is_open = self.office.rows[sequence]
        stamp = {"DateUpdated": "20260630", "TimeUpdated": f"{what / 1000:.5f}"}
        cells = row(sequence, str(what), is_open=is_open)[2] | stamp
        self.bill = bills.observed(self.bill, sequence, cells)
        self._told(sequence, e.RecordObserved([], cells, str(what)))

    def _told(self, sequence: str, payload: e.Event) -> None:
        self.position += 1
        stream = f"sage/acme/ABC/AR_Invoice/01-ACME:0000001-{sequence}-IN"
        self.proof.fold(Entry(self.position, stream, 1, payload))
        assert self.owed() == self.proof.side("ABC").documents
        assert len(self.owed()) <= 1

    def owed(self) -> dict[str, Decimal]:
        """Invoice to what is owed on it, by the projector's fold."""
        found = bills.open_rows(self.bill)
        return {name(one): Decimal(cells["Balance"]) for one, cells in found.items()}


PASS: Final = st.tuples(st.lists(st.integers(0, 6), max_size=4), st.booleans(), st.integers(0, 7))


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.lists(st.integers(0, 6), max_size=4), PASS), max_size=12))
@example([([0, 2], ([0, 5], False, 0)), ([2, 4, 0], ([6], False, 0))])
def test_both_folds_come_to_what_is_open(
    life: list[tuple[list[int], tuple[list[int], bool, int]]],
) -> None:
    """Whatever happens and whatever part of it a pass sees: never is a number owed twice, both
    folds agree at every event, and complete sweeps come to what Sage 100 holds.
    """
    reader = Reader()
    for happening, (meanwhile, complete, skip) in life:
        for what in happening:
            reader.office.happen(what)
        reader.read(meanwhile, complete=complete, skip=skip)
    for _ in range(3):
        reader.read([], complete=True)
    assert reader.owed() == {
        name(one): Decimal(what) for one, (what, is_open) in reader.office.rows.items() if is_open
    }


def test_an_invoice_of_a_bill() -> None:
    """A bill's key and a HeaderSeqNo make the invoice's key, and the other way round."""
    assert keys.invoice_of("ABC:01-A-B:5-7-IN", "000003") == "ABC:01-A-B:5-7-000003-IN"
    assert keys.bill_of("ABC:01-A-B:5-7-000003-IN") == "ABC:01-A-B:5-7-IN"
