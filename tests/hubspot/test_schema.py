"""Setting a portal up and checking it: created once, repeated at will, refused with a remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.hubspot import currencies
from connector.hubspot.checks import check_hubspot
from connector.hubspot.errors import HubSpotUnreachable, SchemaRefused, TokenRefused
from connector.hubspot.matching import MatchRules
from connector.hubspot.schema import is_ensured, setup
from connector.sandbox.hubspot import SimulatedHubSpot, faults
from projections.mapping.rules import Definition, Mapping, Rule

from .rig import MAPPING, a_client, a_portal, a_store

SOURCE = MAPPING.source


async def no_wait(_seconds: float) -> None:
    """Waiting that takes no time."""


def with_rule(rule: Rule) -> Mapping:
    """The default mapping with one more rule for companies."""
    companies = msgspec.structs.replace(SOURCE.companies, rules=(*SOURCE.companies.rules, rule))
    return msgspec.structs.replace(SOURCE, companies=companies)


async def test_setup_creates_what_is_missing_and_says_so(tmp_path: Path) -> None:
    """Groups, unique keys and properties are created and listed; the log knows the portal."""
    async with (
        a_portal(ready=False) as portal,
        a_store(tmp_path) as store,
        a_client(portal) as hubspot,
    ):
        assert not await is_ensured(store, MAPPING.digest)
        report = await setup(store, hubspot, SOURCE, MAPPING.digest)
        assert report.ready
        assert "companies.sage100_customer_key" in report.created
        assert "companies.sage100_vendor_key" in report.created
        made = portal.properties("companies")["sage100_customer_key"]
        assert made.has_unique_value
        assert made.group_name == "sage100"
        assert await is_ensured(store, MAPPING.digest)
        assert await is_ensured(store, MAPPING.digest, report.portal)
        assert not await is_ensured(store, MAPPING.digest, "1")
        assert not await is_ensured(store, "another digest")


async def test_a_second_setup_creates_nothing(tmp_path: Path) -> None:
    """Safe to repeat: only reads."""
    async with a_portal() as portal, a_store(tmp_path) as store, a_client(portal) as hubspot:
        report = await setup(store, hubspot, SOURCE, MAPPING.digest)
        assert (report.ready, report.created) == (True, [])
        assert hubspot.calls.writes == 0


async def test_a_group_that_exists_already_is_no_trouble(tmp_path: Path) -> None:
    """409 for the group: somebody made it, or setup was cut off."""
    async with (
        a_portal(ready=False) as portal,
        a_store(tmp_path) as store,
        a_client(portal) as hubspot,
    ):
        assert (await hubspot.create_group("companies", "sage100", "Sage 100")).ok
        assert (await setup(store, hubspot, SOURCE, MAPPING.digest)).ready


async def test_a_key_that_cannot_be_unique_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    """HubSpot fixes uniqueness at creation: the remedy is told, and nothing is changed."""
    async with (
        a_portal(ready=False) as portal,
        a_store(tmp_path) as store,
        a_client(portal) as hubspot,
    ):
        await hubspot.create_properties("contacts", [plain("sage100_contact_key")])
        written = hubspot.calls.writes
        with pytest.raises(SchemaRefused) as refused:
            await setup(store, hubspot, SOURCE, MAPPING.digest)
        assert "contacts.sage100_contact_key" in str(refused.value)
        assert "Archive" in refused.value.remedy
        assert refused.value.exit_code == 2
        assert hubspot.calls.writes == written
        assert not await is_ensured(store, MAPPING.digest)


def plain(name: str, **more: Any) -> dict[str, Any]:
    """A text property without unique values."""
    body = {"name": name, "label": name, "type": "string", "fieldType": "text"}
    return body | {"groupName": "contactinformation"} | more


@pytest.mark.parametrize(
    ("rule", "detail"),
    [
        (Rule("no_such_property", "CustomerName"), "no such property"),
        (Rule("hs_object_id", "CustomerName"), "lets nobody write"),
        (Rule("industry", "CustomerType", values={"X": "NO_SUCH_OPTION"}), "NO_SUCH_OPTION"),
        (
            Rule("industry", "CustomerType", values={"X": "banking"}),
            "banking is the label of BANKING",
        ),
        (
            Rule("annualrevenue_2", "CustomerName", define=Definition("A", "number", "number")),
            "of type string",
        ),
    ],
    ids=["missing", "read-only", "option", "label", "type"],
)
async def test_what_would_fail_record_by_record_is_named_before(
    tmp_path: Path, rule: Rule, detail: str
) -> None:
    """A mapping that does not fit the portal is a list of problems, each with its remedy."""
    async with a_portal() as portal, a_store(tmp_path) as store, a_client(portal) as hubspot:
        await hubspot.create_properties(
            "companies", [plain("annualrevenue_2", groupName="companyinformation")]
        )
        report = await setup(store, hubspot, with_rule(rule), "digest")
        (problem,) = report.problems
        assert problem.subject == f"companies.{rule.property}"
        assert detail in problem.detail
        assert problem.remedy
        assert not await is_ensured(store, "digest")


async def test_a_missing_scope_is_named_and_the_other_objects_are_set_up(tmp_path: Path) -> None:
    """403 for one object: its scope is told, the others get their properties."""
    scopes = [
        f"crm.{kind}.{one}.{access}"
        for kind in ("schemas", "objects")
        for one in ("companies", "contacts")
        for access in ("read", "write")
    ]
    async with (
        a_portal(ready=False, scopes=tuple(scopes)) as portal,
        a_store(tmp_path) as store,
        a_client(portal) as hubspot,
    ):
        report = await setup(store, hubspot, SOURCE, MAPPING.digest)
        (problem,) = report.problems
        assert problem.subject == "invoices"
        assert "crm.schemas.invoices.read" in problem.remedy
        assert "sage100_customer_key" in portal.properties("companies")
        assert not await is_ensured(store, MAPPING.digest)


async def test_a_property_that_shows_up_late_is_waited_for(tmp_path: Path) -> None:
    """New properties take a moment to appear: setup looks again before it says all is well."""
    async with (
        a_portal(ready=False) as portal,
        a_store(tmp_path) as store,
        a_client(portal) as hubspot,
    ):
        portal.inject(
            faults.Answer(status=200, body={"results": []}),
            method="GET",
            object="companies",
            skip=1,
            times=2,
        )
        assert (await setup(store, hubspot, SOURCE, MAPPING.digest, sleep=no_wait)).ready


async def test_setup_says_who_refuses_it(tmp_path: Path) -> None:
    """A wrong token and a portal in trouble are told apart."""
    async with a_portal(ready=False) as portal, a_store(tmp_path) as store:
        async with a_client(portal, token="pat-wrong") as hubspot:
            with pytest.raises(TokenRefused):
                await setup(store, hubspot, SOURCE, MAPPING.digest)
        portal.inject(faults.html(503))
        async with a_client(portal) as hubspot:
            with pytest.raises(HubSpotUnreachable) as down:
                await setup(store, hubspot, SOURCE, MAPPING.digest)
        assert "status.hubspot.com" in down.value.remedy
        portal.inject(faults.html(404))
        async with a_client(portal) as hubspot:
            with pytest.raises(HubSpotUnreachable) as elsewhere:
                await setup(store, hubspot, SOURCE, MAPPING.digest)
        assert "[hubspot] base_url" in elsewhere.value.remedy
        assert "status.hubspot.com" not in elsewhere.value.remedy


# ------------------------------------------------------------ check


async def lines_of(portal: SimulatedHubSpot, **options: Any) -> dict[str, Any]:
    """The check's lines by subject."""
    async with a_client(portal, **options) as hubspot:
        return {line.subject: line for line in await check_hubspot(hubspot, SOURCE)}


async def test_a_good_portal_has_good_lines() -> None:
    """Token, each object, limits: all well, and nothing is changed."""
    async with a_portal(limits="tier") as portal:
        before = portal.snapshot()
        lines = await lines_of(portal)
        assert all(line.ok for line in lines.values())
        first = next(iter(lines.values()))
        assert "portal 48812340" in first.detail
        assert "USD" in first.detail
        assert "625,000" in lines["HubSpot limits"].detail
        assert portal.snapshot() == before


async def test_a_portal_that_is_not_set_up_is_told_to_be() -> None:
    """Missing properties are counted, and setup is the remedy."""
    async with a_portal(ready=False) as portal:
        lines = await lines_of(portal)
        assert not lines["HubSpot companies"].ok
        assert "properties are missing" in lines["HubSpot companies"].detail
        assert "setup" in lines["HubSpot companies"].remedy


async def test_a_refused_token_is_one_clear_line() -> None:
    """401: what to do is said, and the token is not shown."""
    async with a_portal(ready=False) as portal:
        (line,) = (await lines_of(portal, token="pat-wrong")).values()
        assert not line.ok
        assert "new token" in line.remedy
        assert "pat-wrong" not in line.detail + line.remedy


async def test_an_object_that_cannot_be_read_does_not_hide_the_others() -> None:
    """403 on invoices leaves the lines of companies and contacts."""
    async with a_portal() as portal:
        portal.inject(
            faults.error(403, "scopes", category="MISSING_SCOPES"), method="GET", object="invoices"
        )
        lines = await lines_of(portal)
        assert not lines["HubSpot invoices"].ok
        assert lines["HubSpot contacts"].ok


async def test_a_token_that_may_read_but_not_write_invoices_is_told() -> None:
    """The line names the scope and that the rest goes on; the other objects are fine."""
    async with a_portal() as portal:
        kinds = ("companies", "contacts", "invoices")
        granted = [f"crm.objects.{one}.{act}" for one in kinds for act in ("read", "write")]
        portal.grant([scope for scope in granted if scope != "crm.objects.invoices.write"])
        async with a_client(portal) as hubspot:
            lines = await check_hubspot(hubspot, SOURCE)
    [bad] = [line for line in lines if not line.ok]
    assert bad.subject == "HubSpot invoices"
    assert "may not write" in bad.detail
    assert "crm.objects.invoices.write" in bad.remedy
    assert "everything else goes on" in bad.remedy


async def test_a_hubspot_that_is_not_there_is_one_clear_line() -> None:
    """Nobody answers: the address is in the line."""
    async with a_portal(ready=False) as portal, a_client(portal) as hubspot:
        hubspot.base_url = "http://127.0.0.1:1"
        (line,) = await check_hubspot(hubspot, SOURCE)
        assert not line.ok
        assert "127.0.0.1:1" in line.subject


async def test_a_currency_that_the_account_lacks_is_told_before_a_record_is() -> None:
    """Each currency of the books is one of the account's, or a line with the way to add it."""
    async with a_portal(additional_currencies=("EUR",)) as portal, a_client(portal) as hubspot:
        books = {"ABC": "USD", "CAN": "CAD", "EUR": "EUR"}
        lines = await check_hubspot(hubspot, SOURCE, MatchRules(), books)
        [wrong] = [line for line in lines if not line.ok]
        assert wrong.subject == "HubSpot currency CAD"
        assert "books of CAN" in wrong.detail
        assert "only USD, EUR" in wrong.detail
        assert "Settings > Account defaults > Currency" in wrong.remedy
        del books["CAN"]
        lines = await check_hubspot(hubspot, SOURCE, MatchRules(), books)
        [line] = [one for one in lines if one.subject == "HubSpot currencies"]
        assert (line.ok, line.detail) == (True, "the account has USD, EUR")


async def test_a_currency_that_no_invoice_is_told_in_is_not_missed() -> None:
    """A custom object takes any currency as text, and a mapping may send another or none."""
    custom = msgspec.structs.replace(SOURCE.invoices, hubspot_type="p_sage100_invoice")
    rules = [
        msgspec.structs.replace(rule, values={"CAD": "USD"})
        if rule.property == "hs_currency"
        else rule
        for rule in SOURCE.invoices.rules
    ]
    mapped = msgspec.structs.replace(SOURCE.invoices, rules=tuple(rules))
    for invoices, needs in ((SOURCE.invoices, ["CAD"]), (custom, []), (mapped, ["USD"])):
        mapping = msgspec.structs.replace(SOURCE, invoices=invoices)
        assert list(currencies.needed(mapping, {"CAN": "CAD"})) == needs


async def test_setup_warns_of_a_currency_and_does_its_work(tmp_path: Path) -> None:
    """The portal is ready for all other companies: a warning with the remedy, no problem."""
    async with a_portal(ready=False) as portal, a_store(tmp_path) as store:
        async with a_client(portal) as hubspot:
            report = await setup(
                store, hubspot, SOURCE, MAPPING.digest, books={"ABC": "USD", "CAN": "CAD"}
            )
        assert report.ready
        assert report.created
        [warning] = report.warnings
        assert warning.subject == "currency CAD"
        assert "Settings > Account defaults > Currency" in warning.remedy
        assert await is_ensured(store, MAPPING.digest)


@pytest.mark.parametrize(("name", "there"), [("name", True), ("erp_no", False)])
async def test_check_looks_for_the_property_of_the_customer_number(
    name: str, *, there: bool
) -> None:
    """A rule that could never find anything is named before it parks every new record."""
    rules = MatchRules(customer_number="propose", customer_number_property=name)
    async with a_portal() as portal, a_client(portal) as hubspot:
        lines = await check_hubspot(hubspot, SOURCE, rules)
    wrong = [line.subject for line in lines if not line.ok]
    assert wrong == ([] if there else ["HubSpot companies.erp_no"])
