"""One bad input among good ones: what each batch does of it, with and without trace ids.

And the bodies of refusals, member by member, as they were recorded.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from .hubspot_api import KEY, VERSIONS, Answered, Api, serving

TRACED = pytest.mark.parametrize("traced", [False, True], ids=["untraced", "traced"])
INVALID = {"lifecyclestage": "nosuch"}


@pytest.fixture(params=VERSIONS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A portal with contacts C0 to C2, spoken to in each version."""
    async with serving(request.param) as caller:
        for number in range(3):
            properties = {KEY: f"C{number}", "email": f"c{number}@x.test", "firstname": "Old"}
            caller.portal.add("contacts", properties)
        yield caller


def contact(api: Api, key: str) -> str:
    """The id of a contact by its key."""
    return api.portal.one("contacts", KEY, key)["hs_object_id"]


def changed(api: Api) -> set[str]:
    """Keys of the contacts that were written."""
    return {
        one.get(KEY, "")
        for one in api.portal.records("contacts").values()
        if one["firstname"] != "Old"
    }


async def send(api: Api, verb: str, inputs: list[dict[str, Any]], traced: bool) -> Answered:
    """A contacts batch whose inputs all set a first name, traced `t0`, `t1` … if wanted."""
    full = []
    for number, one in enumerate(inputs):
        made = one | {"properties": {"firstname": "New"} | one["properties"]}
        full.append(made | ({"objectWriteTraceId": f"t{number}"} if traced else {}))
    return await api.batch(verb, full, "contacts")


def bad_input(api: Api, verb: str, wrong: dict[str, str]) -> dict[str, Any]:
    """An input of a batch, about C1 where there is one, with something wrong."""
    if verb == "create":
        return {"properties": {KEY: "N1"} | wrong, "associations": []}
    if verb == "update":
        return {"id": contact(api, "C1"), "properties": wrong}
    return {"id": "C1", "idProperty": KEY, "properties": {KEY: "C1"} | wrong}


def good_input(api: Api, verb: str) -> dict[str, Any]:
    """An input that is all right."""
    if verb == "create":
        return {"properties": {KEY: "N0"}, "associations": []}
    if verb == "update":
        return {"id": contact(api, "C0"), "properties": {}}
    return {"id": "C0", "idProperty": KEY, "properties": {KEY: "C0"}}


@TRACED
@pytest.mark.parametrize("verb", ["create", "update", "upsert"])
async def test_an_invalid_value(api: Api, verb: str, traced: bool) -> None:
    """Untraced: 400 and nothing written; traced: 207, the bad one named, the good one written."""
    inputs = [good_input(api, verb), bad_input(api, verb, INVALID)]
    good = "N0" if verb == "create" else "C0"

    answer = await send(api, verb, inputs, traced)

    if not traced:
        assert (answer.status, changed(api)) == (400, set())
        assert "objectWriteTraceId" not in answer.text
    else:
        assert (answer.status, changed(api)) == (207, {good})
        assert answer.errors[0]["context"]["objectWriteTraceId"] == ["t1"]
        assert [one["objectWriteTraceId"] for one in answer.results] == ["t0"]


@TRACED
@pytest.mark.parametrize("verb", ["create", "update", "upsert"])
async def test_an_email_of_another_contact(api: Api, verb: str, traced: bool) -> None:
    """Untraced: 409 that names the first owner only; traced: 207 with each owner's id."""
    taken = {"email": "C2@x.test"}
    inputs = [good_input(api, verb), bad_input(api, verb, taken)]
    owner = contact(api, "C2")

    answer = await send(api, verb, inputs, traced)

    if not traced:
        assert (answer.status, changed(api)) == (409, set())
        assert answer.body["message"] == f"Contact already exists. Existing ID: {owner}"
    else:
        assert answer.status == 207
        assert answer.errors[0]["context"] == {"objectWriteTraceId": ["t1"], "existingId": [owner]}


@TRACED
async def test_an_update_of_what_is_not_there(api: Api, traced: bool) -> None:
    """Unknown and archived ids make a 207 in one error, with their trace ids if there are any."""
    archived = contact(api, "C1")
    api.portal.archive("contacts", archived)
    inputs = [good_input(api, "update"), {"id": "9", "properties": {}}]
    inputs.append({"id": archived, "properties": {}})

    answer = await send(api, "update", inputs, traced)

    assert (answer.status, changed(api)) == (207, {"C0"})
    (error,) = answer.errors
    assert (error["category"], error["context"]["ids"]) == ("OBJECT_NOT_FOUND", ["9", archived])
    assert error["context"].get("objectWriteTraceId") == (["t1", "t2"] if traced else None)


async def test_a_read_of_what_is_not_there(api: Api) -> None:
    """207 with the found ones, and one error that lists the others."""
    inputs = [{"id": "C0"}, {"id": "C8"}, {"id": "C9"}]
    body = {"inputs": inputs, "properties": [KEY], "idProperty": KEY, "propertiesWithHistory": []}

    answer = await api.call("POST", "/crm/objects/V/contacts/batch/read", body)

    assert answer.status == 207
    assert [one["properties"][KEY] for one in answer.results] == ["C0"]
    assert [one["context"]["ids"] for one in answer.errors] == [["C8", "C9"]]


async def test_an_archive_of_what_is_not_there(api: Api) -> None:
    """204 regardless, without a body."""
    inputs = [{"id": contact(api, "C0")}, {"id": "9"}]

    answer = await api.batch("archive", inputs, "contacts")

    assert (answer.status, answer.text, api.portal.count("contacts")) == (204, "", 2)


@TRACED
@pytest.mark.parametrize("verb", ["update", "upsert", "read"])
async def test_a_record_named_twice(api: Api, verb: str, traced: bool) -> None:
    """400 for the whole batch; trace ids do not help."""
    if verb == "read":
        body = {
            "inputs": [{"id": "C0"}, {"id": "c0"}],
            "properties": [],
            "propertiesWithHistory": [],
            "idProperty": KEY,
        }
        answer = await api.call("POST", "/crm/objects/V/contacts/batch/read", body)
    else:
        answer = await send(api, verb, [good_input(api, verb)] * 2, traced)

    assert (answer.status, changed(api)) == (400, set())
    assert answer.body["message"].startswith("Duplicate IDs found in batch input: [")
    assert answer.body["message"].endswith("]. IDs must be unique")
    assert len(answer.body["context"]["ids"]) == 1


@TRACED
@pytest.mark.parametrize("verb", ["create", "update", "upsert"])
async def test_more_than_a_hundred(api: Api, verb: str, traced: bool) -> None:
    """101 inputs are a 400 and none is carried out."""
    inputs = [
        {"id": f"N{number}", "idProperty": KEY, "properties": {KEY: f"N{number}"}}
        for number in range(101)
    ]
    if verb == "create":
        inputs = [{"properties": one["properties"]} for one in inputs]

    answer = await send(api, verb, inputs, traced)

    assert (answer.status, changed(api)) == (400, set())


@pytest.mark.parametrize("body", [{}, [], {"inputs": {}}, {"inputs": [{"id": "1"}]}])
async def test_a_body_without_inputs(api: Api, body: Any) -> None:
    """What is no batch is a 400 as a whole."""
    answer = await api.call("POST", "/crm/objects/V/contacts/batch/upsert", body)

    assert (answer.status, answer.body["category"]) == (400, "VALIDATION_ERROR")


async def test_an_association_to_nothing(api: Api) -> None:
    """207, the other pairs are made."""
    company = api.portal.add("companies", {"name": "A"})
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]
    inputs = [
        {"from": {"id": contact(api, key)}, "to": {"id": to}, "types": types}
        for key, to in (("C0", company), ("C1", "9"))
    ]
    path = "/crm/associations/V/contacts/companies/batch/create"

    answer = await api.call("POST", path, {"inputs": inputs})

    assert (answer.status, len(answer.results)) == (207, 1)
    assert answer.errors[0]["subCategory"] == "crm.associations.INVALID_IDENTIFIER"
    assert api.portal.associations("contacts", "companies") == {(contact(api, "C0"), company)}


async def test_a_property_that_exists(api: Api) -> None:
    """207, the others are made."""
    wanted = {
        "label": "L",
        "type": "string",
        "fieldType": "text",
        "groupName": "contactinformation",
    }
    inputs = [wanted | {"name": name} for name in (KEY, "another")]

    answer = await api.call("POST", "/crm/properties/V/contacts/batch/create", {"inputs": inputs})

    assert (answer.status, [one["name"] for one in answer.results]) == (207, ["another"])
    assert answer.errors[0]["context"] == {"name": [KEY]}


def without_id(answer: Answered) -> dict[str, Any]:
    """An error's body without its correlation id."""
    body: dict[str, Any] = answer.body
    assert body.pop("correlationId") == answer.headers["x-hubspot-correlation-id"]
    return body


async def test_the_body_of_property_values(api: Api) -> None:
    """The message carries the list as JSON text, `errors` the same in short."""
    answer = await api.call("POST", "/crm/objects/V/contacts", {"properties": {"foo": "1"}})

    portal = api.portal.options.portal_id
    assert without_id(answer) == {
        "status": "error",
        "message": (
            'Property values were not valid: [{"isValid":false,"message":"Property \\"foo\\" does '
            'not exist","error":"PROPERTY_DOESNT_EXIST","name":"foo","localizedErrorMessage":'
            f'"Property \\"foo\\" does not exist","portalId":{portal}}}]'
        ),
        "errors": [
            {
                "message": 'Property "foo" does not exist',
                "code": "PROPERTY_DOESNT_EXIST",
                "context": {"propertyName": ["foo"]},
            }
        ],
        "category": "VALIDATION_ERROR",
    }


async def test_the_body_of_a_taken_unique_value(api: Api) -> None:
    """Portal, type, property, value, the record being written and the owner, in one sentence."""
    first, second = contact(api, "C0"), contact(api, "C1")
    path = f"/crm/objects/V/contacts/{first}"

    answer = await api.call("PATCH", path, {"properties": {KEY: "C1"}})

    assert without_id(answer) == {
        "status": "error",
        "message": (
            f"Cannot set PropertyValueCoordinates{{portalId={api.portal.options.portal_id}, "
            f"objectTypeId=ObjectTypeId{{legacyObjectType=CONTACT}}, propertyName={KEY}, "
            f"value=C1}} on {first}. {second} already has that value."
        ),
        "category": "VALIDATION_ERROR",
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/crm/objects/V/contacts/9", 404, {"message": "resource not found"}),
        (
            "GET",
            "/crm/objects/V/butterflies",
            400,
            {"message": "Unable to infer object type from: butterflies"},
        ),
        (
            "POST",
            "/crm/properties/V/contacts",
            409,
            {
                "message": f"A property named '{KEY}' already exists.",
                "context": {"name": [KEY]},
                "category": "OBJECT_ALREADY_EXISTS",
                "subCategory": "Properties.PROPERTY_WITH_NAME_EXISTS",
            },
        ),
    ],
)
async def test_the_bodies_of_short_refusals(
    api: Api, method: str, path: str, status: int, body: dict[str, Any]
) -> None:
    """404 and unknown types have neither category nor context; an existing property has all."""
    wanted = {
        "name": KEY,
        "label": "L",
        "type": "string",
        "fieldType": "text",
        "groupName": "contactinformation",
    }
    answer = await api.call(method, path, wanted if method == "POST" else None)

    assert answer.status == status
    assert without_id(answer) == {"status": "error"} | body


@pytest.mark.parametrize("name", ["domain", "name", "hs_object_id"])
async def test_an_id_property_that_identifies_nothing(api: Api, name: str) -> None:
    """The domain, a name and the record id itself are refused as idProperty, by type id."""
    one = {"id": "x", "idProperty": name, "properties": {"name": "A"}}

    answer = await api.batch("upsert", [one])

    assert answer.status == 400
    assert without_id(answer) == {
        "status": "error",
        "message": f"Unable to perform update/upsert by non-unique 0-2 property {name}",
        "category": "VALIDATION_ERROR",
    }
