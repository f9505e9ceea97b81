"""What is gone from Sage 100 before HubSpot had it is not made there after all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector import reports
from connector.rebuild import rebuild
from projections import events as e
from projections.mapping import compiled
from projections.tables import Target
from tests.projections.rig import MAPPING, Gone, Rig, Row, bill, contact, customer, new, open_rig

ACME = "companies/ABC:01-ACME"
VENDOR: Row = ("AP_Vendor", ["00", "V1"], {"VendorName": "Vendor"})
RECORDS: dict[str, Row] = {
    ACME: customer("ACME"),
    "contacts/ABC:01-ACME:JOE": contact("ACME", "JOE", ContactName="Joe Doe"),
    "invoices/ABC:01-ACME:0000001-000001-IN": bill("ACME", "0000001", "5"),
    "vendors/ABC:00-V1": VENDOR,
}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Rig]:
    """A rig whose settings are known and folded."""
    async with open_rig(tmp_path) as made:
        await made.settings()
        await made.idle()
        yield made


async def put(desk: Rig, name: str, state: str) -> None:
    """Bring the open command of a target into this state."""
    command = (await desk.target(name)).command
    match state:
        case "held":
            await desk.tell(name, e.CommandHeld(command, ["companies/ABC:01-OTHER"]))
        case "parked":
            await desk.tell(name, e.CommandSent(command, "b", 1))
            await desk.tell(name, e.CommandParked(command, "REFUSED", "no", "none"))
        case "failed":
            await desk.tell(name, e.CommandSent(command, "b", 1))
            await desk.tell(name, e.CommandFailed(command, "limit", "later", 0, 1))
        case _:
            assert (await desk.target(name)).state == "pending"


async def closed(desk: Rig) -> None:
    """The books close, and the read models are what the log says."""
    await desk.idle()
    assert (await reports.status(desk.store))["books_close"]
    assert (await rebuild(desk.store, desk.projector, verify=True)).mismatch is None


@pytest.mark.parametrize("kind", ["withdrawn", "unknown"])
@pytest.mark.parametrize("state", ["pending", "held", "parked", "failed"])
@pytest.mark.parametrize("name", RECORDS)
async def test_an_open_creation_is_taken_back(desk: Rig, name: str, state: str, kind: Gone) -> None:
    """Wherever the command stands: it is superseded with the reason, and so are its links."""
    await desk.see(*RECORDS.values())
    await desk.idle()
    await put(desk, name, state)
    await desk.lose(RECORDS[name], kind=kind)
    await desk.idle()
    doc = await desk.target(name)
    assert (doc.state, doc.skipped) == ("idle", "gone from Sage 100 before it was ever sent")
    assert (await desk.events(name))[-2:] == ["CommandSuperseded", "RecordSkipped"]
    for link, found in (await desk.targets()).items():
        if link.startswith(f"associations/{name.replace('/', ':', 1)}>"):
            assert found.state == "idle"
    await closed(desk)
    await desk.see(RECORDS[name])
    await desk.idle()
    doc = await desk.target(name)
    assert (doc.state, doc.skipped) == ("pending", "")
    await desk.carry_out_all()
    await desk.idle()
    assert all(found.hubspot_id for found in (await desk.targets()).values())
    await closed(desk)


async def test_a_customer_takes_its_own_contact_along(desk: Rig) -> None:
    """A contact that only the customer's row made is gone with it."""
    await desk.see(customer("ACME"))
    await desk.idle()
    await desk.lose(customer("ACME"))
    await desk.idle()
    for name in (ACME, "contacts/ABC:01-ACME"):
        assert (await desk.target(name)).skipped.startswith("gone")
    assert await desk.store.count("outbox_associations") == 0
    await closed(desk)


@pytest.mark.parametrize("state", ["pending", "sent"])
async def test_an_attempt_of_unknown_outcome_is_read_back_first(desk: Rig, state: str) -> None:
    """HubSpot may have made the record: then it is ours, and told that it is gone."""
    name = "invoices/ABC:01-ACME:0000001-000001-IN"
    await desk.see(customer("ACME"), RECORDS[name])
    await desk.idle()
    command = (await desk.target(name)).command
    await desk.tell(name, e.CommandSent(command, "b", 1))
    unknown = e.CommandFailed(command, "timeout", "?", 0, 1, unknown=True)
    if state == "pending":
        await desk.tell(name, unknown)
    await desk.lose(RECORDS[name])
    await desk.idle()
    if state == "sent":
        assert (await desk.target(name)).state == "sent"
        await desk.tell(name, unknown)
        await desk.idle()
    doc = await desk.target(name)
    assert (doc.state, doc.skipped) == ("pending", "")
    await desk.tell(name, e.RecordAdopted("7", "external key", {"sage100_balance": "5.00"}))
    await desk.idle()
    await desk.carry_out_all()
    assert (await desk.target(name)).held["sage100_balance"] == "0.00"
    await closed(desk)


async def test_what_hubspot_has_stays(desk: Rig) -> None:
    """Nothing is deleted in HubSpot: a record that is there is told what became of its source."""
    await desk.see(*RECORDS.values())
    await desk.idle()
    await desk.carry_out_all()
    await desk.lose(*RECORDS.values())
    await desk.idle()
    docs = await desk.targets()
    assert not any(doc.skipped for doc in docs.values())
    assert [name for name, doc in docs.items() if doc.state != "idle"] == [
        ACME,
        "invoices/ABC:01-ACME:0000001-000001-IN",
    ]
    await closed(desk)


STEP = st.tuples(st.integers(0, 3), st.integers(0, 4))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(STEP, max_size=10))
async def test_only_what_is_there_is_made(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    """Come and go as records may: no command to make one stands open while its source is gone,
    every one that is there ends in HubSpot, and the books close.
    """
    async with open_rig(tmp_path_factory.mktemp("gone")) as desk:
        await desk.settings()
        there: set[str] = set()
        for which, what in steps:
            name = list(RECORDS)[which]
            if what == 0 and name in there:
                await desk.lose(RECORDS[name])
                there.discard(name)
            elif what == 1:
                await desk.carry_out_all()
            elif what == 2 and (await desk.target(name)).state == "pending":
                await put(desk, name, "parked")
            else:
                await desk.see(RECORDS[name])
                there.add(name)
            await desk.idle()
            for one in RECORDS:
                doc = await desk.target(one)
                assert one in there or doc.hubspot_id or doc.state == "idle"
        await closed(desk)
        assert {name for name in there if not _is_known(await desk.target(name))} == set()


def _is_known(doc: Target) -> bool:
    """Whether HubSpot has it or a command is open that would give it."""
    return bool(doc.hubspot_id) or doc.state != "idle"


async def test_a_raw_balance_is_taken_back_too(desk: Rig) -> None:
    """A mapping of one's own may show the column itself: nothing is open on what is gone."""
    content = compiled.content(MAPPING)
    own = {"property": "erp_open", "from": "Balance", "transform": "money"}
    content["invoices"]["rules"] = [*content["invoices"]["rules"], own]
    mapping = compiled.restore(content)
    activated = e.MappingActivated(mapping.digest, compiled.content(mapping))
    await desk.store.append([new("config/mapping", activated)])
    row = bill("ACME", "0000001", "60")
    for happen in (desk.see, desk.lose):
        await happen(row)
        for _ in range(3):
            await desk.idle()
            await desk.carry_out_all()
        held = (await desk.target("invoices/ABC:01-ACME:0000001-000001-IN")).held
        assert held["erp_open"] == ("60.00" if happen == desk.see else "")
