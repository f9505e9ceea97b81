"""One record that HubSpot refuses costs that record and what hangs on it, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector import replaying, reports
from connector.sandbox.agent import AgentOptions
from connector.sandbox.hubspot import inputs, writes
from tests.e2e import holding
from tests.e2e.expectation import Expectation
from tests.e2e.site import Site, open_site

OPTIONS = AgentOptions(seed=21, customers=1_000, invoices=1_200, vendors=5)
WHY = "Quenton was not one of the allowed options: [Quincy]"


class Untraced:
    """Reads batches as a HubSpot does that has never heard of trace ids."""

    def decode(self, body: bytes) -> inputs.Batch:
        """The batch without them."""
        batch = msgspec.json.decode(body, type=inputs.Batch)
        return inputs.Batch(
            [msgspec.structs.replace(one, object_write_trace_id=None) for one in batch.inputs]
        )


def without(whole: Expectation, customer: str) -> Expectation:
    """The expectation without one customer and everything of it."""

    def others(names: dict[str, Any]) -> dict[str, Any]:
        return {
            key: one for key, one in names.items() if f"{key}:".startswith(f"{customer}:") is False
        }

    links = {(one, other) for one, other in whole.links if f"{customer}:" not in f"{one}: {other}:"}
    return Expectation(
        companies=others(whole.companies),
        vendors=whole.vendors,
        contacts=others(whole.contacts),
        invoices=others(whole.invoices),
        links=links,
    )


def busy_customer(site: Site) -> str:
    """The key of a customer with several invoices and contacts."""
    for row in site.company.rows("AR_Customer"):
        key = row["ARDivisionNo"], row["CustomerNo"]
        invoices = list(site.company.rows("AR_Invoice", *key))
        if len(invoices) > 3 and len(list(site.company.rows("AR_CustomerContact", *key))) > 1:
            return f"ABC:{key[0]}-{key[1]}"
    raise LookupError("no customer has several invoices and contacts")


@pytest.mark.parametrize("traced", [True, False], ids=["told apart", "whole batch refused"])
async def test_one_bad_record_among_a_thousand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, traced: bool
) -> None:
    """A refused company is parked with HubSpot's words; 999 arrive; cured, it all follows."""
    if not traced:
        monkeypatch.setattr(writes, "_BATCH", Untraced())
    async with open_site(tmp_path, OPTIONS) as site, site.app() as app:
        customer = busy_customer(site)
        site.portal.poison("companies", customer, WHY)
        await app.run_once()

        whole = site.expectation()
        assert holding.differences(site.portal, without(whole, customer)) == []
        assert len(holding.held(site.portal)["companies"]) == 999
        refused = site.portal.calls.count(route="objects.batch.upsert", status=400)
        assert refused == 0 if traced else refused > 0

        [item] = await reports.parked(app.store)
        children = [name for name, parent in whole.links if parent == f"companies/{customer}"]
        assert (item.target, item.reason) == (f"companies/{customer}", "INVALID_OPTION")
        assert WHY in item.message
        assert "name" in item.advice
        assert "ml-connector retry INVALID_OPTION" in item.advice
        assert item.waiting >= len(children) > 4

        status = await reports.status(app.store)
        books = {row["object"]: row for row in status["hubspot"]}
        assert status["books_close"]
        assert {name: row["parked"] for name, row in books.items() if row["parked"]} == {
            "companies": 1
        }
        assert sum(books[name]["held"] for name in ("contacts", "invoices")) == len(children)
        assert books["associations"]["held"] == sum(
            f"{customer}:" in f"{one}: {other}:" for one, other in whole.links
        )

        # The same once more: nobody asks HubSpot again about what it has refused.
        writes_so_far = site.portal.calls.writes
        await app.run_once()
        assert site.portal.calls.writes == writes_so_far

        site.portal.cure("companies", customer)
        selection, targets = await replaying.select_for_replay(app.store, is_parked=True)
        assert targets == [f"companies/{customer}"]
        await replaying.request_replay(app.store, selection, targets, dry_run=False, by="test")
        await app.run_once()
        assert holding.differences(site.portal, whole) == []
        assert await reports.parked(app.store) == []
        status = await reports.status(app.store)
        assert status["books_close"]
        assert [row["held"] + row["pending"] for row in status["hubspot"]] == [0] * 5
