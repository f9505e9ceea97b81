"""What an agent does not have is reported by name, and never keeps the rest from being synced."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec
import pytest

from connector import reports
from connector.cli import status as status_command
from connector.sandbox.agent import AgentOptions, HttpAnswer, SoapFault
from connector.sandbox.agent.layouts import ENTITIES
from connector.sandbox.agent.responses import envelope, info_xml
from projections import events
from tests.e2e import holding
from tests.e2e.expectation import Expectation
from tests.e2e.site import Site, open_site

OPTIONS = AgentOptions(seed=51, customers=40, invoices=160, vendors=4)


def make_old(site: Site, lacking: Mapping[str, Collection[str]]) -> None:
    """Let the agent describe itself without these columns; without any, not even the entity."""
    entities = [
        msgspec.structs.replace(
            entity,
            columns=tuple(one for one in entity.columns if one.name not in lacking.get(name, ())),
        )
        for name, entity in ENTITIES.items()
        if lacking.get(name) != []
    ]
    sage100 = site.sage100
    now = sage100.clock().isoformat(timespec="seconds")
    companies = sage100.model.companies.values()
    described = envelope(info_xml(sage100.options, companies, entities, now)).decode()
    answer = HttpAnswer(
        operation="GetInfo", status=200, body=described, content_type="text/xml", times=1_000
    )
    sage100.inject(answer)


async def errors(site: Site, *, skipped: Sequence[str] = ()) -> dict[tuple[str, str], str]:
    """Run once; what is said of every (company, entity) that failed, in outcome and status."""
    async with site.app() as app:
        report = await app.run_once()
        told = {
            (one.company, one.entity): f"{one.error.what} {one.error.remedy}"
            for one in report.passes
            if one.error is not None
        }
        assert report.complete == (not told)
        assert [one.entity for one in report.passes if one.skipped] == list(skipped)
        status = await reports.status(app.store)
        assert status["books_close"]
        kept = {
            (one["company"], one["entity"]): f"{one['error']['message']} {one['error']['remedy']}"
            for one in status["sage100"]
            if one["error"]
        }
        assert kept == told
        return told


async def test_an_unknown_company_code_is_reported_with_those_served(tmp_path: Path) -> None:
    """A company that the agent does not serve fails by name; the other one is synced whole."""
    async with open_site(tmp_path, OPTIONS, companies=["XYZ", "ABC"]) as site:
        told = await errors(site)
        assert {company for company, _ in told} == {"XYZ"}
        assert len(told) == 7
        for text in told.values():
            assert "XYZ" in text
            assert "it serves ABC" in text
            assert "companies" in text
        assert holding.differences(site.portal, site.expectation()) == []


@pytest.mark.parametrize("code", ["UnknownEntity", "ExternalAccessDisabled"])
async def test_an_entity_that_is_refused_keeps_nothing_else(tmp_path: Path, code: str) -> None:
    """A fault on one entity is reported with the agent's words; everything else is synced."""
    async with open_site(tmp_path, OPTIONS) as site:
        fault = SoapFault(code=code, message="Vendors? Here?", entity="AP_Vendor", times=1_000)
        site.sage100.inject(fault)
        told = await errors(site)
        assert [*told] == [("ABC", "AP_Vendor")]
        assert "Vendors? Here?" in told["ABC", "AP_Vendor"]
        assert holding.differences(site.portal, no_vendors(site.expectation())) == []


async def test_an_old_agent_is_taken_as_it_is(tmp_path: Path) -> None:
    """What an old agent lacks is skipped or left alone, not cleared; the rest is right."""
    async with open_site(tmp_path, OPTIONS) as site:
        make_old(
            site,
            {"AP_Vendor": [], "AR_Customer": ["CustomerStatus"], "AR_Invoice": ["CustomerPONo"]},
        )
        assert await errors(site, skipped=["AP_Vendor"]) == {}
        expected = no_vendors(site.expectation())
        for company in expected.companies.values():
            company.always["sage100_status"] = ""
        for invoice in expected.invoices.values():
            invoice.always["hs_purchase_order_number"] = ""
        assert holding.differences(site.portal, expected) == []

        # People fill in what Sage 100 cannot say: it is theirs, and stays.
        key = "ABC:01-ABF"
        record = site.portal.one("companies", "sage100_customer_key", key)
        site.portal.edit("companies", record["hs_object_id"], {"sage100_status": "A"})
        site.company.update("AR_Customer", ("01", "ABF"), {"City": "Evanston"})
        site.company.update("AR_Customer", ("01", "ABF"), site.company.updated("AR_Customer"))
        assert await errors(site, skipped=["AP_Vendor"]) == {}
        shown = holding.held(site.portal)["companies"][key]
        assert (shown["city"], shown["sage100_status"]) == ("Evanston", "A")


async def test_an_entity_that_is_served_no_more_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its records vanish from nowhere; log and status say that nobody follows them, until it is
    served again.
    """
    async with open_site(tmp_path, OPTIONS) as site:
        assert await errors(site) == {}
        vendors = site.sage100.model.count("AP_Vendor")
        make_old(site, {"AP_Vendor": []})
        for _ in range(2):
            assert await errors(site, skipped=["AP_Vendor"]) == {}
        async with site.app() as app:
            stored = await app.store.read(0, types=["PollSkipped", "RecordVanished"], limit=100)
            [skipped] = [events.decode(one.type, one.data) for one in stored]
            assert isinstance(skipped, events.PollSkipped)
            assert (skipped.reason, skipped.records) == (
                "agent 1.0.0 does not serve AP_Vendor",
                vendors,
            )
            told = {"mapping": {"in_force": app.mapping.digest, "proposed": ""}, "quiet": []}
            status_command.render({**await reports.status(app.store), **told})
        text = " ".join(capsys.readouterr().out.split())
        assert f"AP_Vendor; its {vendors} records stay as last read" in text
        assert holding.differences(site.portal, site.expectation()) == []
        site.sage100.faults.clear()
        assert await errors(site) == {}
        async with site.app() as app:
            rows = (await reports.status(app.store))["sage100"]
            assert [row["skipped"] for row in rows] == [""] * len(rows)


async def test_a_lacking_stamp_is_reported_by_its_name(tmp_path: Path) -> None:
    """An entity without the column that tells changes fails, named; the others are synced."""
    async with open_site(tmp_path, OPTIONS) as site:
        make_old(site, {"AP_Vendor": ["DateUpdated"]})
        told = await errors(site)
        assert [*told] == [("ABC", "AP_Vendor")]
        assert "AP_Vendor has no column DateUpdated" in told["ABC", "AP_Vendor"]
        assert "[sage100.columns]" in told["ABC", "AP_Vendor"]
        assert holding.differences(site.portal, no_vendors(site.expectation())) == []


def no_vendors(whole: Expectation) -> Expectation:
    """The expectation of a site whose vendors cannot be read."""
    return Expectation(
        companies=whole.companies,
        contacts=whole.contacts,
        invoices=whole.invoices,
        links=whole.links,
    )
