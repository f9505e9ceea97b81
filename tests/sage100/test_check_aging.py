"""What `check` says of a company's aging limits: what the rounds make of them, nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from connector.sage100.checks import check_agent
from connector.sandbox.agent import CompanyOptions
from eventstore import EventStore
from projections.columns import uses
from tests.projections.rig import MAPPING
from tests.sage100 import wire
from tests.sage100.test_check import WSDL, lines_of, office
from tests.sage100.world import UTC_NOW, World, instance, rounds


@pytest.mark.parametrize(
    ("basis", "limits", "said", "note"),
    [
        ("DueDate", (30, 60, 90, 120), "by DueDate, limits 30 60 90 120", False),
        ("DueDate", (15, 45, 75, 120), "up to 0, 1-15, 16-45, 46-75, over 75 days", True),
        ("InvoiceDate", (30, 60, 90, 120), "to 30, 31-60, 61-90, 91-120, over 120 days", True),
    ],
)
async def test_buckets_that_are_not_those_of_their_labels_are_said(
    basis: Any, limits: Any, said: str, *, note: bool
) -> None:
    """HubSpot's properties are named after the usual limits: where others hold, a note says so."""
    companies = (CompanyOptions(aging_basis=basis, aging_limits=limits),)
    async with office(companies=companies) as sim:
        line = (await lines_of(sim, uses=uses(MAPPING.source)))["company ABC aging"]
    assert line.ok
    assert said in line.detail
    assert ("companies.sage100_aging_1_30" in line.remedy) is note


@pytest.mark.parametrize("basis", ["DueDate", "InvoiceDate"])
@pytest.mark.parametrize(
    "limits",
    [
        "30 60 90 120",
        "30 60 90",
        "30 60",
        "",
        "0 30 60 90",
        "60 30 90 120",
        "30 60 90 90",
        "30 60 90 9999",
        "30 60 90 99999",
        "30 60 99999 120",
    ],
)
async def test_check_and_rounds_agree_on_aging_limits(
    store: EventStore, world: World, basis: str, limits: str
) -> None:
    """What the rounds would refuse is wrong here, for the same reason and with the same remedy."""
    told = wire.info({}).replace(b"30 60 90 120", limits.encode())
    told = told.replace(b"<a:AgingBasis>DueDate", f"<a:AgingBasis>{basis}".encode())
    assert basis.encode() in told
    async with (
        wire.serve(wire.answer(WSDL), wire.answer(told)) as site,
        wire.client(site.endpoint) as agent,
    ):
        lines = await check_agent(agent, instance(site.endpoint), now=lambda: UTC_NOW)
        outcomes = await rounds(agent, store, world).run_once()
    [line] = [one for one in lines if one.subject.endswith(" aging")]
    refused = {(one.error.what, one.error.remedy) for one in outcomes if one.error is not None}
    refused = {(what, remedy) for what, remedy in refused if " ages by " in what}
    assert refused == (set() if line.ok else {(line.detail, line.remedy)})
    taken = {"30 60 90 120", "30 60 90 9999"} | (
        {"30 60 90", "30 60 90 90", "30 60 90 99999"} if basis == "DueDate" else set()
    )
    assert line.ok == (limits in taken)
