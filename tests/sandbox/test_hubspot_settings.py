"""What people set in a portal: companies by domain, pipelines, required properties, scopes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connector.sandbox.hubspot import HubSpotOptions

from .hubspot_api import KEY, VERSIONS, Api, order, serving


@pytest.fixture(params=VERSIONS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A portal, spoken to in each version."""
    async with serving(request.param) as caller:
        yield caller


async def contacts(api: Api, *emails: str) -> list[str]:
    """New contacts; gives their ids in order."""
    answer = await api.upsert({one: {"email": one} for one in emails}, kind="contacts")
    assert answer.status == 200, answer.text
    return [api.portal.one("contacts", "email", one)["hs_object_id"] for one in emails]


@pytest.mark.parametrize("version", VERSIONS)
async def test_companies_are_made_by_email_domain_where_that_is_set(version: str) -> None:
    """A contact without a company gets that of its domain, made if there is none, as primary."""
    options = HubSpotOptions(limits=None, auto_companies=True)
    async with serving(version, options) as api:
        await api.upsert({"K": {"name": "Acme", "domain": "acme.test"}})
        acme = api.portal.one("companies", KEY, "K")["hs_object_id"]
        ids = await contacts(api, "a@acme.test", "b@best.test", "c@best.test", "d@gmail.com")
        made = api.portal.one("companies", "domain", "best.test")
        pairs = api.portal.associations("contacts", "companies")
        types = api.portal.association_types("contacts", ids[0], "companies", acme)

    assert pairs == {
        (ids[0], acme),
        (ids[1], made["hs_object_id"]),
        (ids[2], made["hs_object_id"]),
    }
    assert (made["name"], made.get(KEY), api.portal.count("companies")) == ("Best", None, 2)
    assert 1 in types


async def test_a_company_that_was_made_by_domain_stays_primary(api: Api) -> None:
    """A company that comes later is only one more company of the contact."""
    options = HubSpotOptions(limits=None, auto_companies=True)
    async with serving(options=options) as automatic:
        (contact,) = await contacts(automatic, "a@acme.test")
        erp = automatic.portal.add("companies", {"name": "Acme Inc.", "domain": "acme.test"})
        automatic.portal.associate("contacts", contact, "companies", erp)
        types = automatic.portal.association_types("contacts", contact, "companies", erp)
    await contacts(api, "a@acme.test")

    assert types == (279,)
    assert api.portal.count("companies") == 0  # without the setting


PIPELINES: dict[str, tuple[str, ...]] = {"renewals": ("due", "renewedclosedwon")}


async def test_a_deal_stage_belongs_to_its_pipeline() -> None:
    """A stage of another pipeline is refused, at creation and later; a matching pair is taken."""
    async with serving(options=HubSpotOptions(limits=None, pipelines=PIPELINES)) as api:
        new = {"dealname": "D", "pipeline": "default", "dealstage": "due"}
        wrong = await api.batch("create", [{"properties": new, "associations": []}], "deals")
        new["pipeline"] = "renewals"
        right = await api.batch("create", [{"properties": new, "associations": []}], "deals")
        deal = right.results[0]["id"]
        path = f"/crm/objects/V/deals/{deal}"
        moved = await api.call("PATCH", path, {"properties": {"pipeline": "default"}})
        both = {"pipeline": "default", "dealstage": "closedwon"}
        together = await api.call("PATCH", path, {"properties": both})

    assert (wrong.status, right.status, moved.status, together.status) == (400, 201, 400, 200)
    assert wrong.body["errors"][0]["context"]["propertyName"] == ["dealstage"]


async def test_pipelines_tell_their_stages() -> None:
    """`/crm/pipelines/V/deals` lists every pipeline with its stages in order."""
    async with serving(options=HubSpotOptions(limits=None, pipelines=PIPELINES)) as api:
        answer = await api.call("GET", "/crm/pipelines/V/deals")
        none = await api.call("GET", "/crm/pipelines/V/companies")

    found = {one["id"]: [stage["id"] for stage in one["stages"]] for one in answer.results}
    assert found["renewals"] == ["due", "renewedclosedwon"]
    assert found["default"][-2:] == ["closedwon", "closedlost"]
    assert answer.results[0]["stages"][-2]["metadata"] == {"isClosed": "true", "probability": "1.0"}
    assert none.results == []


@pytest.mark.parametrize(("version", "status"), [("2026-03", 200), ("2026-09", 207)])
async def test_an_administrators_rules_hold_from_2026_09_on(version: str, status: int) -> None:
    """A property required of new records fails a creation alone; older versions do not know it."""
    async with serving(version) as api:
        await api.upsert({"K1": {"name": "A"}})
        api.portal.require("companies", "city")
        answer = await api.upsert({"K1": {"name": "B"}, "K2": {"name": "C"}})
        full = await api.upsert({"K3": {"name": "D", "city": "Rome"}})

    codes = [one["errors"][0]["code"] for one in answer.errors]
    assert (answer.status, full.status) == (status, 200)
    assert codes == ([] if status == 200 else ["MISSING_REQUIRED_PROPERTY"])


async def test_a_property_may_be_required_by_another_ones_value() -> None:
    """A conditional rule refuses the value, unless the property it asks for is there."""
    async with serving() as api:
        rule = {"object": "companies", "property": "zip", "when": ["city", "Rome"]}
        await order(api.portal, "require", rule)
        await api.upsert({"K": {"name": "A"}})
        refused = await api.upsert({"K": {"city": "Rome"}}, traced=False)
        other = await api.upsert({"K": {"city": "Elgin"}})
        both = await api.upsert({"K": {"city": "Rome", "zip": "1"}})
        untouched = await api.upsert({"K": {"name": "B"}})

    assert refused.status == 400
    assert refused.body["errors"][0]["code"] == "MISSING_CONDITIONAL_REQUIRED_PROPERTY"
    assert (other.status, both.status, untouched.status) == (200, 200, 200)


@pytest.mark.parametrize(
    ("scope", "works"),
    [
        ("crm.objects.line_items.read", "/crm/objects/V/line_items"),
        ("crm.objects.deals.read", "/crm/pipelines/V/deals"),
        ("crm.objects.deals.read", "/crm/properties/V/deals"),
    ],
)
async def test_a_scope_opens_one_object_only(scope: str, works: str) -> None:
    """With one object's scope that object is answered and every other is a 403 naming its own."""
    async with serving(options=HubSpotOptions(limits=None, scopes=(scope,))) as api:
        good = await api.call("GET", works)
        bad = await api.call("GET", "/crm/objects/V/invoices")

    assert (good.status, bad.status) == (200, 403)
    assert bad.body["errors"][0]["context"]["requiredGranularScopes"] == [
        "crm.objects.invoices.read"
    ]


async def test_a_scope_may_be_granted_later(api: Api) -> None:
    """Granting a scope through /control lets the same call pass."""
    portal = api.portal
    await order(portal, "grant", {"scopes": ["crm.objects.companies.read"]})
    before = await api.call("GET", "/crm/objects/V/invoices")
    await order(portal, "grant", {"scopes": ["crm.objects.invoices.read"]})
    after = await api.call("GET", "/crm/objects/V/invoices")
    await order(portal, "grant", {"scopes": None})
    everything = await api.call("GET", "/crm/objects/V/contacts")

    assert (before.status, after.status, everything.status) == (403, 200, 200)
