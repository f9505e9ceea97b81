"""HubSpot misbehaves during a first sync: the end is the same, and nothing is there twice."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from connector import reports
from connector.app import App
from connector.hubspot.delivery import Surroundings
from connector.hubspot.writer import Writer
from connector.sandbox.agent import AgentOptions
from connector.sandbox.hubspot import Action, Drop, Empty, Omit, faults
from tests.e2e import holding
from tests.e2e.site import open_site

OPTIONS = AgentOptions(seed=71, customers=120, invoices=400, vendors=4)
UPSERT, LINK = "objects.batch.upsert", "associations.batch.default"
BUSY = msgspec.structs.replace(faults.rate_limited(), headers={"Retry-After": "1"})

Fault = tuple[Action, str, int, int]  # what, on which calls, how often, after how many

FAULTS: dict[str, Sequence[Fault]] = {
    "dropped, done": [(Drop(applied=True), UPSERT, 3, 1), (Drop(applied=True), LINK, 1, 1)],
    "dropped, not done": [(Drop(), UPSERT, 3, 1), (Drop(), LINK, 1, 0)],
    "429": [(BUSY, UPSERT, 3, 2), (BUSY, LINK, 1, 0)],
    "503": [(faults.error(503, "down"), UPSERT, 4, 1), (faults.error(503, "down"), LINK, 2, 0)],
    "500, done": [(faults.error(500, "oops", applied=True), UPSERT, 3, 2)],
    "proxy, done": [(faults.html(502, applied=True), UPSERT, 2, 0), (faults.html(524), LINK, 1, 1)],
    "silence": [
        (Omit(inputs=(0, 3, 7)), UPSERT, 2, 1),
        (Omit(inputs=(1, 2), applied=False), UPSERT, 2, 0),
        (Empty(), UPSERT, 1, 2),
        (Empty(), LINK, 1, 0),
    ],
    "reads fail": [(faults.error(503, "down"), "objects.batch.read", 2, 1)],
}


def impatient(app: App) -> Writer:
    """The app's writer, but that it tries again at once."""
    return Writer(
        Surroundings(app.store, app.hubspot, lambda: app.mapping.source, delay_s=lambda _: 0.0)
    )


@pytest.mark.parametrize("name", FAULTS)
async def test_a_first_sync_survives(tmp_path: Path, name: str) -> None:
    """Whatever the fault, all of Sage 100 is in HubSpot once, right, and accounted for."""
    async with open_site(tmp_path, OPTIONS) as site, site.app() as app:
        app.writer = impatient(app)
        await app.setup()
        injected = [
            site.portal.inject(action, route=route, times=times, skip=skip)
            for action, route, times, skip in FAULTS[name]
        ]
        report = await app.run_once()
        assert report.complete, report
        assert [one.hits for one in injected] == [times for _, _, times, _ in FAULTS[name]]
        assert holding.differences(site.portal, site.expectation()) == []
        status = await reports.status(app.store)
        assert status["books_close"]
        assert [row["pending"] + row["held"] + row["parked"] for row in status["hubspot"]] == [
            0
        ] * 5
        assert await app.store.verify() == status["log"]["head"]
        assert (await app.rebuild(verify=True)).mismatch is None
        written = site.portal.calls.writes
        assert (await app.run_once()).complete
        assert site.portal.calls.writes == written
