"""Looking for the deals of invoices: nothing is lost on the way, and nothing is guessed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connector import rows
from connector.hubspot import deals as module
from connector.hubspot import journal, searching
from connector.hubspot.deals import CHECKPOINT, DealRule, Deals
from connector.sandbox.hubspot import Omit
from eventstore import Commit, EventStore, NewEvent, Put, Row
from projections import events, keys
from projections.tables import Bill
from projections.workspace import Workspace, encode

from .rig import Site, a_site

SEARCH = "objects.search"
READ = "objects.batch.read"
CROWD = 200  # where a search is made to end


class Contended:
    """A store in which somebody moves an invoice while its deal is told, so many times."""

    def __init__(self, store: EventStore, times: int) -> None:
        self._store = store
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def append(self, new: Sequence[NewEvent], **options: Any) -> Commit:
        """Append after an event on the first invoice of them."""
        streams = [one.stream for one in new if one.stream.startswith("hubspot/invoices/")]
        if streams and self._times:
            self._times -= 1
            await move(self._store, streams[0].removeprefix("hubspot/"))
        return await self._store.append(new, **options)


async def move(store: EventStore, name: str) -> None:
    """What moves a target: it is to be skipped."""
    work = Workspace()
    await rows.load(store, work, {"target": [name]})
    await journal.append(store, work, [journal.Entry(name, events.RecordSkipped("test"), None)])


async def invoice(site: Site, number: int, order: str) -> str:
    """An invoice that HubSpot has, with a sales order's number; its name."""
    name = f"invoices/ABC:01-ACME:{number:07d}-000001-IN"
    bill = keys.bill_of(keys.split_target(name)[1])
    row = Row(bill, encode(Bill(rows={"000001": {"SalesOrderNo": order}})))
    await site.store.append([], also=[Put("bill", [row])])
    await site.emit(name, hs_number=str(number))
    work = Workspace()
    await rows.load(site.store, work, {"target": [name]})
    done = events.CommandSucceeded(1, str(9_000 + number), "created")
    entries = [journal.Entry(name, one, None) for one in (events.CommandSent(1, "b", 1), done)]
    await journal.append(site.store, work, entries)
    return name


def deal(site: Site, number: str) -> str:
    """A deal that carries a number; its id."""
    body = {"dealname": number, "pipeline": "default", "dealstage": "closedwon", "erp": number}
    return site.portal.add("deals", body)


async def looking(site: Site, store: Any = None) -> Deals:
    """The looks at deals by the property `erp`."""
    if "erp" not in site.portal.properties("deals"):
        body = {"name": "erp", "label": "ERP", "type": "string", "fieldType": "text"}
        made = [body | {"groupName": "dealinformation"}]
        assert (await site.hubspot.create_properties("deals", made)).ok
    return Deals(store or site.store, site.hubspot, DealRule("erp"))


async def linked(site: Site, name: str) -> str:
    """The deal that the log says an invoice belongs to."""
    return (await site.target(name)).deal


@pytest.mark.parametrize("times", [1, 5])
async def test_an_invoice_that_moves_meanwhile_costs_nobody_its_deal(
    site: Site, times: int
) -> None:
    """Told again on what all of them are then: every one, once, and the look counts them."""
    looks = await looking(site, Contended(site.store, times))
    names = [await invoice(site, number, f"SO-{number}") for number in range(4)]
    ids = [deal(site, f"SO-{number}") for number in range(4)]
    assert await looks.look() == 4
    assert [await linked(site, name) for name in names] == ids
    told = await site.store.read(0, types=["DealMatched"])
    assert len(told) == 4
    assert await looks.look() == 0


async def test_the_place_is_never_beyond_what_was_told(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    """When every race is lost the look says so, counts nothing, and begins there the next time."""
    stubborn = Contended(site.store, 1_000)
    looks = await looking(site, stubborn)
    name = await invoice(site, 1, "SO-1")
    found = deal(site, "SO-1")
    assert await looks.look() == 0
    assert (await site.store.checkpoint(CHECKPOINT)).position == 0
    assert "lost every race" in caplog.text
    assert await (await looking(site)).look() == 1
    assert await linked(site, name) == found
    assert (await site.store.checkpoint(CHECKPOINT)).position > 0


async def test_a_look_that_failed_asks_the_same_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of those looked at round and round no page is passed over because HubSpot was away."""
    monkeypatch.setattr(module, "_PAGE", 1)
    monkeypatch.setattr(module, "AGAIN", 1)
    looks = await looking(site)
    names = [await invoice(site, number, f"SO-{number}") for number in range(3)]
    await looks.look(again=False)
    ids = [deal(site, f"SO-{number}") for number in range(3)]
    site.portal.inject(site.failure(503), route=SEARCH)
    assert [await looks.look() for _ in range(4)] == [0, 1, 1, 1]
    assert [await linked(site, name) for name in names] == ids


async def test_a_number_among_thousands_of_deals_is_not_taken_for_unique(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Searched for together, a number's two deals lie on both sides of where a search ends."""
    monkeypatch.setattr(searching, "MOST", CROWD)
    looks = await looking(site)
    ids = [deal(site, "PO-7")]
    for _ in range(CROWD):
        deal(site, "VERBAL")
    ids.append(deal(site, "PO-7"))
    single = deal(site, "PO-8")
    several = await invoice(site, 1, "PO-7")
    crowd = await invoice(site, 2, "VERBAL")
    sure = await invoice(site, 3, "PO-8")
    assert await looks.look() == 3
    assert (await site.target(several)).deals == tuple(ids)
    assert (await site.target(crowd)).deals
    assert [await linked(site, name) for name in (several, crowd, sure)] == ["", "", single]


async def test_a_deal_that_an_answer_passes_over_keeps_its_invoice(site: Site) -> None:
    """Silence is no news: the deal is read by itself, and nobody is parted."""
    looks = await looking(site)
    name = await invoice(site, 1, "SO-1")
    found = deal(site, "SO-1")
    await looks.look()
    site.portal.inject(Omit(inputs="all"), route=READ, object="deals")
    site.portal.inject(Omit(inputs="all"), route=SEARCH, object="deals")
    assert await looks.look() == 0
    assert await linked(site, name) == found


async def test_the_index_lags_and_nothing_is_believed_of_it(tmp_path: Path) -> None:
    """A deal it does not show yet is found when it does; a number it still shows links nobody."""
    now = [0.0]
    async with a_site(tmp_path, times={"clock": lambda: now[0]}, search_lag_s=(30.0, 30.0)) as site:
        looks = await looking(site)
        renumbered = deal(site, "SO-1")
        now[0] += 31
        name = await invoice(site, 1, "SO-1")
        other = await invoice(site, 2, "SO-2")
        site.portal.edit("deals", renumbered, {"erp": "SO-9"})
        found = deal(site, "SO-2")
        await looks.look()
        assert (await linked(site, name), await linked(site, other)) == ("", "")
        now[0] += 31
        assert await looks.look() == 1
        assert (await linked(site, name), await linked(site, other)) == ("", found)
