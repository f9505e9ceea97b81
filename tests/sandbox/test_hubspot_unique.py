"""Unique values and contact e-mail addresses: who holds them and how a second claim is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connector.sandbox.hubspot import HubSpotOptions

from .hubspot_api import KEY, VERSIONS, Api, serving


@pytest.fixture(params=VERSIONS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A portal, spoken to in each version."""
    async with serving(request.param) as caller:
        yield caller


async def test_a_taken_unique_value_names_property_value_and_owner(api: Api) -> None:
    """The 400 carries the text clients parse: portal, type, property, value, writer, owner."""
    await api.upsert({"K1": {"name": "One"}, "K2": {"name": "Two"}})
    one = api.portal.one("companies", KEY, "K1")["hs_object_id"]
    two = api.portal.one("companies", KEY, "K2")["hs_object_id"]

    answer = await api.call("PATCH", f"/crm/objects/V/companies/{two}", {"properties": {KEY: "k1"}})

    assert answer.status == 400
    assert answer.body["category"] == "VALIDATION_ERROR"
    assert answer.body["message"] == (
        f"Cannot set PropertyValueCoordinates{{portalId={api.portal.options.portal_id}, "
        "objectTypeId=ObjectTypeId{legacyObjectType=COMPANY}, "
        f"propertyName={KEY}, value=k1}} on {two}. {one} already has that value."
    )
    assert api.portal.record("companies", two) is not None
    assert api.portal.one("companies", KEY, "K2")["hs_object_id"] == two


async def test_a_create_that_conflicts_uses_up_an_id_nobody_sees(api: Api) -> None:
    """The writer's id in a refused create is never seen again."""
    await api.upsert({"K1": {"name": "One"}})

    refused = await api.batch("create", [{"properties": {"name": "Other", KEY: "K1"}}])
    made = await api.batch("create", [{"properties": {"name": "Other", KEY: "K2"}}])

    writer = refused.body["message"].partition("} on ")[2].partition(".")[0]
    assert refused.status == 400
    assert writer not in api.portal.records("companies")
    assert int(made.results[0]["id"]) > int(writer)


async def test_a_conflict_without_trace_ids_takes_the_batch_back(api: Api) -> None:
    """One taken value in an untraced batch leaves nothing of the batch, changes included."""
    await api.upsert({"K1": {"name": "One"}, "K2": {"name": "Two"}})
    before = api.portal.snapshot()

    answer = await api.upsert(
        {"K1": {"name": "Changed"}, "K3": {"name": "New"}, "K4": {"name": "Bad", KEY: "K2"}},
        traced=False,
    )

    assert answer.status == 400
    assert api.portal.snapshot() == before
    assert (await api.upsert({"K3": {"name": "New"}}, traced=False)).results[0]["new"] is True


async def test_a_conflict_with_trace_ids_fails_alone(api: Api) -> None:
    """With trace ids only the claimant is refused."""
    await api.upsert({"K1": {"name": "One"}, "K2": {"name": "Two"}})

    answer = await api.upsert({"K1": {"name": "Changed"}, "K4": {"name": "Bad", KEY: "K2"}})

    assert answer.status == 207
    assert answer.errors[0]["context"] == {"objectWriteTraceId": ["t1"]}
    assert "already has that value." in answer.errors[0]["message"]
    assert api.portal.one("companies", KEY, "K1")["name"] == "Changed"
    assert api.portal.count("companies") == 2


async def test_two_inputs_of_one_batch_cannot_claim_one_value(api: Api) -> None:
    """Uniqueness holds inside a batch as well."""
    inputs = [
        {"properties": {"name": str(n), KEY: "SAME"}, "objectWriteTraceId": f"t{n}"}
        for n in range(2)
    ]

    answer = await api.batch("create", inputs)

    assert (answer.status, len(answer.results), len(answer.errors)) == (207, 1, 1)
    assert answer.errors[0]["context"] == {"objectWriteTraceId": ["t1"]}


async def test_a_given_up_value_can_be_taken(api: Api) -> None:
    """Clearing or changing a unique value frees it."""
    await api.upsert({"K1": {"name": "One"}, "K2": {"name": "Two"}})
    one = api.portal.one("companies", KEY, "K1")["hs_object_id"]
    await api.call("PATCH", f"/crm/objects/V/companies/{one}", {"properties": {KEY: ""}})

    answer = await api.upsert({"K1": {"name": "Another"}})

    assert answer.results[0]["new"] is True
    assert answer.results[0]["id"] != one


async def test_unique_values_are_compared_without_case(api: Api) -> None:
    """Keys that differ only by case are one key."""
    await api.upsert({"abc:1": {"name": "One"}})

    answer = await api.upsert({"ABC:1": {"name": "Same"}})

    assert answer.results[0]["new"] is False
    assert api.portal.count("companies") == 1


@pytest.mark.parametrize("path", ["single", "batch"])
async def test_a_taken_email_is_a_409_naming_the_owner(api: Api, path: str) -> None:
    """Creating a contact with an address that exists, in any case, is a CONFLICT."""
    owner = api.portal.add("contacts", {"email": "ann@acme.test"})
    one = {"properties": {"email": "ANN@acme.test", "firstname": "Ann"}}

    if path == "single":
        answer = await api.call("POST", "/crm/objects/V/contacts", one)
    else:
        answer = await api.batch("create", [{"properties": {"email": "bo@x.org"}}, one], "contacts")

    assert answer.status == 409
    assert {key: answer.body[key] for key in ("status", "category", "message")} == {
        "status": "error",
        "category": "CONFLICT",
        "message": f"Contact already exists. Existing ID: {owner}",
    }
    assert api.portal.count("contacts") == 1


async def test_a_taken_email_with_trace_ids_is_an_item_of_a_207(api: Api) -> None:
    """With trace ids the conflict carries trace id and existing id, and the others are made."""
    owner = api.portal.add("contacts", {"email": "ann@acme.test"})
    inputs = [
        {"properties": {"email": one}, "objectWriteTraceId": one}
        for one in ("ann@acme.test", "bo@x.org")
    ]

    answer = await api.batch("create", inputs, "contacts")

    assert answer.status == 207
    assert answer.errors[0]["category"] == "CONFLICT"
    assert answer.errors[0]["message"] == f"Contact already exists. Existing ID: {owner}"
    assert answer.errors[0]["context"] == {
        "objectWriteTraceId": ["ann@acme.test"],
        "existingId": [owner],
    }
    assert [one["objectWriteTraceId"] for one in answer.results] == ["bo@x.org"]


@pytest.mark.parametrize(("traced", "status"), [(True, 207), (False, 409)])
async def test_upsert_by_key_with_anothers_email_conflicts(
    api: Api, traced: bool, status: int
) -> None:
    """A keyed upsert cannot take an address that another contact holds."""
    api.portal.add("contacts", {"email": "ann@acme.test"})

    answer = await api.upsert(
        {"K1": {"email": "ann@acme.test"}, "K2": {"firstname": "Bo"}},
        traced=traced,
        kind="contacts",
    )

    assert answer.status == status
    assert api.portal.count("contacts") == (2 if traced else 1)


async def test_secondary_addresses_are_taken_too(api: Api) -> None:
    """An additional address of a contact is as unique as its first, and finds the contact."""
    owner = api.portal.add(
        "contacts", {"email": "ann@acme.test", "hs_additional_emails": "a.lee@acme.test"}
    )

    made = await api.call(
        "POST", "/crm/objects/V/contacts", {"properties": {"email": "A.Lee@acme.test"}}
    )
    read = await api.call("GET", "/crm/objects/V/contacts/a.lee@acme.test", idProperty="email")

    assert made.body["message"] == f"Contact already exists. Existing ID: {owner}"
    assert read.body["id"] == owner


async def test_an_email_of_an_archived_contact_is_free(api: Api) -> None:
    """Archiving a contact gives its address back."""
    owner = api.portal.add("contacts", {"email": "ann@acme.test"})
    await api.call("DELETE", f"/crm/objects/V/contacts/{owner}")

    answer = await api.call(
        "POST", "/crm/objects/V/contacts", {"properties": {"email": "ann@acme.test"}}
    )

    assert answer.status == 201


async def test_a_taken_email_can_be_told_the_other_way() -> None:
    """`email_conflict="validation"` gives the 400 with coordinates instead of the 409."""
    options = HubSpotOptions(limits=None, email_conflict="validation")
    async with serving(options=options) as api:
        owner = api.portal.add("contacts", {"email": "ann@acme.test"})
        answer = await api.call(
            "POST", "/crm/objects/V/contacts", {"properties": {"email": "ann@acme.test"}}
        )

    assert answer.status == 400
    assert "propertyName=email, value=ann@acme.test} on " in answer.body["message"]
    assert answer.body["message"].endswith(f"{owner} already has that value.")


async def test_companies_may_share_a_domain(api: Api) -> None:
    """The API never takes two companies for one: domain is not unique."""
    for _ in range(2):
        answer = await api.call(
            "POST", "/crm/objects/V/companies", {"properties": {"domain": "acme.test"}}
        )
        assert answer.status == 201

    assert len(api.portal.find("companies", "domain", "acme.test")) == 2


async def test_ids_of_two_types_coincide(api: Api) -> None:
    """Record ids are unique per object type only."""
    company = api.portal.add("companies", {"name": "A"})
    contact = api.portal.add("contacts", {"email": "a@b.test"})

    assert company == contact


async def test_a_taken_email_may_come_without_its_owner() -> None:
    """`email_conflict="unnamed"`: a 409 that names nobody, unless trace ids tell inputs apart."""
    async with serving(options=HubSpotOptions(limits=None, email_conflict="unnamed")) as api:
        owner = api.portal.add("contacts", {"email": "a@x.test"})
        inputs = [{"properties": {"email": "A@x.test"}}, {"properties": {"email": "b@x.test"}}]
        whole = await api.batch("create", inputs, "contacts")
        traced = [one | {"objectWriteTraceId": f"t{n}"} for n, one in enumerate(inputs)]
        single = await api.batch("create", traced, "contacts")

    assert (whole.status, whole.body["message"]) == (409, "Contact already exists.")
    assert (single.status, single.errors[0]["context"]["existingId"]) == (207, [owner])
