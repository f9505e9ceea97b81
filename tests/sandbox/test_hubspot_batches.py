"""What one bad input does to a batch, and everything else about object batches."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connector.sandbox.hubspot import HubSpotOptions

from .hubspot_api import KEY, VERSIONS, Api, serving


@pytest.fixture(params=VERSIONS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A portal, spoken to in each version."""
    async with serving(request.param) as caller:
        yield caller


def good(position: int) -> dict[str, Any]:
    return {"name": f"Company {position}"}


async def test_upsert_creates_then_updates_and_says_which(api: Api) -> None:
    """An upsert creates what its key does not find, changes what it finds, and tells by `new`."""
    first = await api.upsert({"ABC:1": good(1)})
    second = await api.upsert({"ABC:1": {"phone": "555"}, "ABC:2": good(2)})

    assert (first.status, second.status) == (200, 200)
    assert [one["new"] for one in first.results] == [True]
    assert {one["properties"][KEY]: one["new"] for one in second.results} == {
        "ABC:1": False,
        "ABC:2": True,
    }
    assert api.portal.one("companies", KEY, "ABC:1")["phone"] == "555"
    assert api.portal.one("companies", KEY, "ABC:1")["name"] == "Company 1"
    assert api.portal.count("companies") == 2


async def test_upsert_sets_the_key_by_itself(api: Api) -> None:
    """An upsert that creates stores the key even when `properties` does not repeat it."""
    answer = await api.batch(
        "upsert", [{"id": "ABC:9", "idProperty": KEY, "properties": {"name": "Nine"}}]
    )

    assert answer.status == 200
    assert api.portal.one("companies", KEY, "ABC:9")["name"] == "Nine"


async def test_success_codes_are_those_of_the_endpoint(api: Api) -> None:
    """Object batches answer 201 to create, 200 to read, update and upsert, 204 to archive."""
    made = await api.batch("create", [{"properties": {"name": "A"}}])
    record_id = made.results[0]["id"]
    statuses = [
        made.status,
        (await api.batch("read", [{"id": record_id}])).status,
        (await api.batch("update", [{"id": record_id, "properties": {"city": "X"}}])).status,
        (await api.upsert({"K": good(1)})).status,
        (await api.batch("archive", [{"id": record_id}])).status,
    ]

    assert statuses == [201, 200, 200, 200, 204]


@pytest.mark.parametrize("verb", ["create", "update", "upsert"])
async def test_without_trace_ids_a_bad_value_fails_the_whole_batch(api: Api, verb: str) -> None:
    """An invalid value in a batch without trace ids is a 400 and nothing is written."""
    await api.upsert({"K0": good(0), "K1": good(1)})
    ids = [api.portal.one("companies", KEY, key)["hs_object_id"] for key in ("K0", "K1")]
    values = [{"city": "Written"}, {"annualrevenue": "a lot"}]
    inputs: list[dict[str, Any]]
    if verb == "create":
        inputs = [{"properties": {"name": "New", **one}} for one in values]
    elif verb == "update":
        inputs = [{"id": i, "properties": one} for i, one in zip(ids, values, strict=True)]
    else:
        inputs = [
            {"id": key, "idProperty": KEY, "properties": one}
            for key, one in zip(("K0", "K1"), values, strict=True)
        ]
    before = api.portal.snapshot()

    answer = await api.batch(verb, inputs)

    assert answer.status == 400
    assert answer.body["category"] == "VALIDATION_ERROR"
    assert answer.body["errors"] == [
        {
            "message": "a lot was not a valid number.",
            "code": "INVALID_INTEGER",
            "context": {"propertyName": ["annualrevenue"]},
        }
    ]
    assert api.portal.snapshot() == before


@pytest.mark.parametrize("verb", ["create", "update", "upsert"])
async def test_with_trace_ids_a_bad_value_fails_alone(api: Api, verb: str) -> None:
    """With a unique trace id on every input the good ones are written and the bad one is named."""
    await api.upsert({"K0": good(0), "K1": good(1)})
    ids = [api.portal.one("companies", KEY, key)["hs_object_id"] for key in ("K0", "K1")]
    values: list[dict[str, Any]] = [{"city": "Written"}, {"nonsense": "x"}]
    inputs: list[dict[str, Any]] = []
    for position, one in enumerate(values):
        if verb == "create":
            made: dict[str, Any] = {"properties": {"name": "New", **one}}
        elif verb == "update":
            made = {"id": ids[position], "properties": one}
        else:
            made = {"id": f"K{position}", "idProperty": KEY, "properties": one}
        inputs.append(made | {"objectWriteTraceId": f"trace-{position}"})

    answer = await api.batch(verb, inputs)

    assert answer.status == 207
    assert answer.body["numErrors"] == 1
    assert answer.errors[0]["context"] == {"objectWriteTraceId": ["trace-1"]}
    assert answer.errors[0]["errors"][0]["code"] == "PROPERTY_DOESNT_EXIST"
    assert [one["objectWriteTraceId"] for one in answer.results] == ["trace-0"]
    assert len(api.portal.find("companies", "city", "Written")) == 1


@pytest.mark.parametrize("traces", [["t", "t"], ["t", None]], ids=["twice the same", "one absent"])
async def test_trace_ids_count_only_when_unique_on_every_input(
    api: Api, traces: list[str | None]
) -> None:
    """Trace ids that are missing or repeated do not make a batch partial."""
    inputs = [
        {"properties": {"name": "A"}, "objectWriteTraceId": traces[0]},
        {"properties": {"name": "B", "nonsense": "1"}, "objectWriteTraceId": traces[1]},
    ]

    answer = await api.batch("create", inputs)

    assert answer.status == 400
    assert api.portal.count("companies") == 0


async def test_update_of_unknown_ids_lists_them_in_one_error(api: Api) -> None:
    """batch/update by unknown or archived ids is a 207 that names them all; others are written."""
    await api.upsert({"K": good(1)})
    record_id = api.portal.one("companies", KEY, "K")["hs_object_id"]
    inputs = [{"id": one, "properties": {"city": "Y"}} for one in (record_id, "999", "998")]

    answer = await api.batch("update", inputs)

    assert answer.status == 207
    assert [(one["category"], one["context"]) for one in answer.errors] == [
        ("OBJECT_NOT_FOUND", {"ids": ["999", "998"]})
    ]
    assert answer.errors[0]["message"] == (
        "Could not get some COMPANY objects, they may be deleted or not exist. "
        "Check that ids are valid."
    )
    assert api.portal.records("companies")[record_id]["city"] == "Y"


async def test_read_of_unknown_ids_is_207_with_the_found_ones(api: Api) -> None:
    """batch/read by key gives what is there and one OBJECT_NOT_FOUND with the ids that are not."""
    await api.upsert({"K1": good(1), "K2": good(2)})
    body = {
        "idProperty": KEY,
        "properties": ["name", KEY, "no_such_property", "city"],
        "inputs": [{"id": "K1"}, {"id": "k2"}, {"id": "K3"}],
    }

    answer = await api.call("POST", "/crm/objects/V/companies/batch/read", body)

    assert answer.status == 207
    assert {one["properties"]["name"] for one in answer.results} == {"Company 1", "Company 2"}
    assert answer.errors[0]["context"] == {"ids": ["K3"]}
    assert sorted(answer.results[0]["properties"]) == sorted(
        ["name", KEY, "city", "createdate", "hs_lastmodifieddate", "hs_object_id"]
    )
    assert answer.results[0]["properties"]["city"] is None


@pytest.mark.parametrize(
    ("verb", "first", "second"),
    [
        ("update", {"id": "50001"}, {"id": "50001"}),
        ("upsert", {"id": "A", "idProperty": KEY}, {"id": "A", "idProperty": KEY}),
        ("upsert", {"id": "A", "idProperty": KEY}, {"id": "a", "idProperty": KEY}),
        ("read", {"id": "50001"}, {"id": "50001"}),
    ],
)
async def test_a_record_named_twice_fails_the_batch_even_with_trace_ids(
    api: Api, verb: str, first: dict[str, str], second: dict[str, str]
) -> None:
    """Duplicate ids in one batch are a 400 that names them, whatever the trace ids say."""
    inputs = [
        one | {"properties": {"name": "A"}, "objectWriteTraceId": trace}
        for trace, one in (("t1", first), ("t2", second))
    ]

    answer = await api.batch(verb, inputs)

    assert answer.status == 400
    assert answer.body["message"] == (
        f"Duplicate IDs found in batch input: [{second['id']}]. IDs must be unique"
    )
    assert answer.body["context"] == {"ids": [second["id"]]}
    assert api.portal.count("companies") == 0


@pytest.mark.parametrize("verb", ["create", "read", "update", "upsert", "archive"])
async def test_more_than_100_inputs_are_refused_with_nothing_done(api: Api, verb: str) -> None:
    """A batch of 101 is a 400 and none of it is carried out."""
    inputs = [
        {"id": str(n), "idProperty": KEY, "properties": {"name": "A"}, "objectWriteTraceId": str(n)}
        for n in range(101)
    ]

    answer = await api.batch(verb, inputs)

    assert answer.status == 400
    assert answer.body["category"] == "VALIDATION_ERROR"
    assert api.portal.count("companies") == 0


async def test_exactly_100_inputs_are_taken(api: Api) -> None:
    """A batch of 100 is carried out."""
    answer = await api.upsert({f"K{n}": good(n) for n in range(100)})

    assert (answer.status, len(answer.results)) == (200, 100)


async def test_history_reads_are_limited_to_50(api: Api) -> None:
    """batch/read with propertiesWithHistory takes at most 50 inputs and says so."""
    body = {
        "propertiesWithHistory": ["name"],
        "inputs": [{"id": str(n)} for n in range(51)],
    }

    answer = await api.call("POST", "/crm/objects/V/companies/batch/read", body)

    assert answer.status == 400
    assert "property histories is 50" in answer.body["message"]


@pytest.mark.parametrize(
    ("verb", "name", "verb_text"),
    [
        ("upsert", "domain", "update/upsert"),
        ("update", "domain", "update/upsert"),
        ("upsert", "hs_object_id", "update/upsert"),
        ("upsert", "no_such_property", "update/upsert"),
    ],
)
async def test_a_non_unique_id_property_is_refused(
    api: Api, verb: str, name: str, verb_text: str
) -> None:
    """Only unique properties identify records: domain and hs_object_id do not."""
    answer = await api.batch(verb, [{"id": "x", "idProperty": name, "properties": {"name": "A"}}])

    assert answer.status == 400
    assert answer.body["message"] == (
        f"Unable to perform {verb_text} by non-unique 0-2 property {name}"
    )


async def test_contact_email_identifies_for_upsert_but_not_for_batch_update(api: Api) -> None:
    """`email` is taken as idProperty by contact upsert and read, and refused by batch/update."""
    one = {"id": "A@x.org", "idProperty": "email", "properties": {"email": "A@x.org"}}

    upserted = await api.batch("upsert", [one], "contacts")
    updated = await api.batch("update", [one], "contacts")
    read = await api.call(
        "POST",
        "/crm/objects/V/contacts/batch/read",
        {"idProperty": "email", "properties": ["email"], "inputs": [{"id": "a@X.org"}]},
    )

    assert (upserted.status, updated.status, read.status) == (200, 400, 200)
    assert read.results[0]["properties"]["email"] == "a@x.org"


@pytest.mark.parametrize("verb", ["update", "upsert"])
async def test_an_input_without_id_is_refused(api: Api, verb: str) -> None:
    """An update or upsert needs an id on every input, and an empty one is none."""
    for one in ({"properties": {"name": "A"}}, {"id": "", "properties": {"name": "A"}}):
        answer = await api.batch(verb, [one | {"idProperty": KEY}])
        assert answer.status == 400
        assert "[id]" in answer.body["message"]

    assert api.portal.count("companies") == 0


async def test_results_do_not_keep_the_order_of_the_inputs(api: Api) -> None:
    """Results of create and upsert come shuffled, so only keys and trace ids match them."""
    answer = await api.upsert({f"K{n}": good(n) for n in range(50)})
    traces = [one["objectWriteTraceId"] for one in answer.results]

    assert traces != [f"t{n}" for n in range(50)]
    assert sorted(traces) == sorted(f"t{n}" for n in range(50))


async def test_the_same_seed_gives_the_same_order() -> None:
    """Two portals with one seed answer the same requests in the same order."""
    orders = []
    for seed in (7, 7, 8):
        async with serving(options=HubSpotOptions(seed=seed, limits=None)) as api:
            answer = await api.upsert({f"K{n}": good(n) for n in range(30)})
            orders.append([one["objectWriteTraceId"] for one in answer.results])

    assert orders[0] == orders[1]
    assert orders[0] != orders[2]


async def test_archive_answers_204_for_unknown_ids_too(api: Api) -> None:
    """batch/archive never says whether an id existed; archived records are gone for reads."""
    await api.upsert({"K": good(1)})
    record_id = api.portal.one("companies", KEY, "K")["hs_object_id"]

    answer = await api.batch("archive", [{"id": record_id}, {"id": "999"}])
    read = await api.batch("read", [{"id": record_id}])

    assert (answer.status, answer.text) == (204, "")
    assert (read.status, read.results) == (207, [])


async def test_an_archived_key_is_free_again(api: Api) -> None:
    """Upserting the key of an archived record creates a new one."""
    await api.upsert({"K": good(1)})
    old = api.portal.one("companies", KEY, "K")["hs_object_id"]
    await api.batch("archive", [{"id": old}])

    answer = await api.upsert({"K": good(2)})

    assert answer.results[0]["new"] is True
    assert answer.results[0]["id"] != old


async def test_upsert_by_unknown_record_id_cannot_create(api: Api) -> None:
    """Without idProperty an upsert addresses record ids, and an unknown one is not created."""
    answer = await api.batch("upsert", [{"id": "999", "properties": {"name": "A"}}])

    assert answer.status == 207
    assert answer.errors[0]["category"] == "OBJECT_NOT_FOUND"


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"{", "Invalid input JSON"),
        (b"[]", "Invalid input JSON"),
        (b"{}", "Some required fields were not set: [inputs]"),
        (b'{"inputs":[{}]}', "Some required fields were not set: [properties]"),
        (b'{"inputs":[{"properties":{"name":null}}]}', "Invalid input JSON"),
        (b'{"inputs":[{"properties":{"name":["a"]}}]}', "Invalid input JSON"),
        (b'{"inputs":[]}', "at least one input"),
        (b"", "Invalid input JSON"),
    ],
)
async def test_a_body_of_the_wrong_shape_is_a_400(api: Api, body: bytes, part: str) -> None:
    """Broken JSON, a missing member, null values and empty batches are refused as a whole."""
    async with api.session.post(
        f"/crm/objects/{api.version}/companies/batch/create",
        data=body,
        headers={"Content-Type": "application/json"},
    ) as response:
        answer = await response.json()

    assert response.status == 400
    assert part in answer["message"]
