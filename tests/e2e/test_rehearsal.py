"""A rehearsal with the mapping in force ends where the real thing has ended."""

from __future__ import annotations

from pathlib import Path

from connector import breaker
from connector.rehearsal import rehearse
from connector.sandbox.agent import AgentOptions
from projections.events import MassChangeReleased
from projections.tables import Target
from projections.workspace import decode
from tests.e2e import office
from tests.e2e.site import open_site


async def test_a_rehearsal_ends_where_the_service_has(tmp_path: Path) -> None:
    """After days of work in Sage 100 every value it would have written is one that was written,
    with as many commands, and nothing differs between a mapping and itself."""
    options = AgentOptions(seed=51, customers=25, invoices=60, vendors=4)
    async with open_site(tmp_path, options) as site, site.app() as app:
        await app.run_once()
        office.change_masters(site.company)
        await app.run_once(sweep=True)
        office.post(site.company, site.today())
        await app.run_once(sweep=True)
        held = await breaker.find(app.store, "ABC")
        assert held is not None, "so many payments at once wait for a person"
        assert await breaker.release(app.store, MassChangeReleased("ABC", held.position))
        report = await app.run_once()
        assert report.complete
        found = await rehearse(app.store, app.mapping, app.mapping, scratch=tmp_path)
        assert [one for one in found.fields if one.differ] == []
        live: dict[tuple[str, str], int] = {}
        rows = await app.store.scan("target", limit=100_000)
        for row in rows:
            doc: Target = decode("target", row.value)
            kind = row.key.partition("/")[0]
            for prop in doc.held if kind != "associations" else ():
                live[kind, prop] = live.get((kind, prop), 0) + 1
        assert {(one.object, one.property): one.same for one in found.fields} == live
        for one in found.objects:
            assert one.records_old == sum(row.key.startswith(f"{one.object}/") for row in rows)
            assert one.commands_old == one.commands_new == one.commands_then, one.object
