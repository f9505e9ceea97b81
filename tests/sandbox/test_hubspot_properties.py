"""Property definitions and groups, and what the account says about itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connector.sandbox.hubspot import HubSpotOptions

from .clock import Clock
from .hubspot_api import KEY, VERSIONS, Api, order, serving

WANTED = {
    "name": "sage100_balance",
    "label": "Balance",
    "type": "number",
    "fieldType": "number",
    "groupName": "sage100",
}


@pytest.fixture(params=VERSIONS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A portal with a group `sage100` on companies, spoken to in each version."""
    async with serving(request.param) as caller:
        await caller.call(
            "POST", "/crm/properties/V/companies/groups", {"name": "sage100", "label": "Sage 100"}
        )
        yield caller


async def test_native_definitions_tell_what_is_writable(api: Api) -> None:
    """`modificationMetadata.readOnlyValue` and `calculated` mark what cannot be written."""
    answer = await api.call("GET", "/crm/properties/V/invoices")
    flags = {
        one["name"]: (one["modificationMetadata"]["readOnlyValue"], one["calculated"])
        for one in answer.results
    }

    assert flags["hs_balance_due"] == (True, True)
    assert flags["hs_amount_billed"] == (False, False)
    assert flags["hs_object_id"] == (True, False)
    assert flags[KEY] == (False, False)


@pytest.mark.parametrize(
    ("kind", "name", "kind_of", "options"),
    [
        ("companies", "industry", ("enumeration", "select"), 147),
        ("companies", "type", ("enumeration", "radio"), 5),
        ("companies", "annualrevenue", ("number", "number"), 0),
        ("companies", "lifecyclestage", ("enumeration", "radio"), 8),
        ("contacts", "industry", ("string", "text"), 0),
        ("contacts", "annualrevenue", ("string", "text"), 0),
        ("invoices", "hs_due_date", ("datetime", "date"), 0),
        ("invoices", "hs_invoice_status", ("enumeration", "select"), 4),
        ("deals", "amount", ("number", "number"), 0),
    ],
)
async def test_native_properties_have_their_real_types(
    api: Api, kind: str, name: str, kind_of: tuple[str, str], options: int
) -> None:
    """Types, field types and closed lists are those of a real portal."""
    answer = await api.call("GET", f"/crm/properties/V/{kind}/{name}")

    assert (answer.body["type"], answer.body["fieldType"]) == kind_of
    assert len(answer.body["options"]) == options
    assert answer.body["hubspotDefined"] is True


async def test_a_property_is_made_once(api: Api) -> None:
    """A second creation of a name is a 409 with its subcategory."""
    first = await api.call("POST", "/crm/properties/V/companies", WANTED)
    second = await api.call("POST", "/crm/properties/V/companies", WANTED)

    assert first.status == 201
    assert first.body["hasUniqueValue"] is False
    assert second.status == 409
    assert second.body["message"] == "A property named 'sage100_balance' already exists."
    assert second.body["category"] == "OBJECT_ALREADY_EXISTS"
    assert second.body["subCategory"] == "Properties.PROPERTY_WITH_NAME_EXISTS"
    assert second.body["context"] == {"name": ["sage100_balance"]}


@pytest.mark.usefixtures("wrong_requests")
async def test_display_hints_are_shown_before_2026_09_only(api: Api) -> None:
    """The newest version takes a display hint without a word and never shows it."""
    hinted = WANTED | {"numberDisplayHint": "currency"}
    answer = await api.call("POST", "/crm/properties/V/companies", hinted)

    assert answer.status == 201
    assert answer.body.get("numberDisplayHint") == (
        "currency" if api.version == "2026-03" else None
    )


async def test_batch_create_makes_the_new_and_names_the_old(api: Api) -> None:
    """A property batch answers 201 (200 from 2026-09), or 207 with an error per existing name."""
    other = WANTED | {"name": "sage100_other"}

    first = await api.call("POST", "/crm/properties/V/companies/batch/create", {"inputs": [WANTED]})
    second = await api.call(
        "POST", "/crm/properties/V/companies/batch/create", {"inputs": [WANTED, other]}
    )

    assert first.status == (201 if api.version == "2026-03" else 200)
    assert second.status == 207
    assert [one["name"] for one in second.results] == ["sage100_other"]
    assert [one["context"] for one in second.errors] == [{"name": ["sage100_balance"]}]
    assert "sage100_other" in api.portal.properties("companies")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"name": "Sage100"}, "INVALID_PROPERTY_NAME"),
        ({"name": "1st"}, "INVALID_PROPERTY_NAME"),
        ({"name": "with-dash"}, "INVALID_PROPERTY_NAME"),
        ({"name": "x" * 101}, "INVALID_PROPERTY_NAME"),
        ({"groupName": "nowhere"}, "GROUP_DOESNT_EXIST"),
        ({"fieldType": "text"}, "INVALID_FIELD_TYPE"),
        ({"type": "money"}, "INVALID_FIELD_TYPE"),
        ({"type": "bool", "fieldType": "booleancheckbox"}, "INVALID_BOOLEAN_OPTION"),
        (
            {"type": "date", "fieldType": "date", "hasUniqueValue": True},
            "INVALID_UNIQUE_PROPERTY",
        ),
        ({"label": ""}, "MISSING_LABEL"),
    ],
)
async def test_a_definition_must_make_sense(api: Api, change: dict[str, Any], code: str) -> None:
    """Names, groups, types and options are checked before a property is made."""
    answer = await api.call("POST", "/crm/properties/V/companies", WANTED | change)

    assert answer.status == 400
    assert answer.body["errors"][0]["code"] == code


async def test_at_most_ten_properties_are_unique(api: Api) -> None:
    """The eleventh unique property of an object is refused."""
    statuses = [(await api.define("companies", f"key_{n}")).status for n in range(10)]

    assert statuses == [201] * 9 + [400]


@pytest.mark.usefixtures("wrong_requests")
async def test_unique_cannot_be_set_later(api: Api) -> None:
    """A PATCH with hasUniqueValue is a 200 that changes nothing about it."""
    await api.call("POST", "/crm/properties/V/companies", WANTED)

    answer = await api.call(
        "PATCH",
        "/crm/properties/V/companies/sage100_balance",
        {"hasUniqueValue": True, "label": "AR balance"},
    )

    assert answer.status == 200
    assert (answer.body["hasUniqueValue"], answer.body["label"]) == (False, "AR balance")


async def test_options_are_replaced_as_a_whole(api: Api) -> None:
    """A PATCH with options drops those it does not list, and values follow at once."""
    choices = [{"label": one, "value": one, "displayOrder": 0, "hidden": False} for one in "ab"]
    wanted = WANTED | {"type": "enumeration", "fieldType": "select", "options": choices}
    await api.call("POST", "/crm/properties/V/companies", wanted)

    await api.call("PATCH", "/crm/properties/V/companies/sage100_balance", {"options": choices[1:]})
    statuses = [
        (
            await api.call(
                "POST",
                "/crm/objects/V/companies",
                {"properties": {"name": "A", "sage100_balance": value}},
            )
        ).status
        for value in "ab"
    ]

    assert statuses == [400, 201]


async def test_native_definitions_cannot_be_changed_or_deleted(api: Api) -> None:
    """PATCH and DELETE of a HubSpot-defined property are refused."""
    changed = await api.call("PATCH", "/crm/properties/V/companies/name", {"label": "X"})
    deleted = await api.call("DELETE", "/crm/properties/V/companies/name")

    assert (changed.status, deleted.status) == (400, 400)


async def test_creating_an_archived_name_restores_the_old_definition(api: Api) -> None:
    """A deleted property comes back as it was, not as it is asked for now."""
    await api.call("POST", "/crm/properties/V/companies", WANTED)
    deleted = await api.call("DELETE", "/crm/properties/V/companies/sage100_balance")
    write = {"properties": {"name": "A", "sage100_balance": "1"}}
    refused = await api.call("POST", "/crm/objects/V/companies", write)

    again = await api.call("POST", "/crm/properties/V/companies", WANTED | {"label": "New label"})

    assert (deleted.status, refused.status, again.status) == (204, 400, 201)
    assert again.body["label"] == "Balance"
    assert (await api.call("POST", "/crm/objects/V/companies", write)).status == 201


async def test_an_unknown_property_is_a_404(api: Api) -> None:
    """Reading a definition that is not there is a 404 with a category."""
    answer = await api.call("GET", "/crm/properties/V/companies/nothing")

    assert (answer.status, answer.body["category"]) == (404, "OBJECT_NOT_FOUND")


async def test_groups_are_made_once(api: Api) -> None:
    """A group is created, listed, and refused the second time."""
    again = await api.call(
        "POST", "/crm/properties/V/companies/groups", {"name": "sage100", "label": "X"}
    )
    listed = await api.call("GET", "/crm/properties/V/companies/groups")

    assert again.status == 409
    assert [one["name"] for one in listed.results] == ["companyinformation", "sage100"]


async def test_the_account_tells_portal_zone_and_currencies(api: Api) -> None:
    """account-info names what a mapping depends on."""
    answer = await api.call("GET", "/account-info/V/details")

    assert answer.body["portalId"] == api.portal.options.portal_id
    assert answer.body["companyCurrency"] == "USD"
    assert answer.body["additionalCurrencies"] == []
    assert answer.body["timeZone"] == "America/Chicago"
    assert answer.body["utcOffsetMilliseconds"] in (-6 * 3_600_000, -5 * 3_600_000)


async def test_usage_counts_today_and_ends_at_portal_midnight() -> None:
    """The usage endpoint gives the day's count, the tier's limit and the zone's next midnight."""
    noon_utc = 1_780_315_200.0  # 2026-06-01T12:00:00Z, 07:00 in Chicago
    options = HubSpotOptions(tier="enterprise")
    async with serving(options=options, now=lambda: noon_utc) as api:
        await api.call("GET", "/crm/objects/V/companies")
        answer = await api.call("GET", "/account-info/V/api-usage/daily/private-apps")

    usage = answer.results[0]
    assert usage["usageLimit"] == 1_000_000
    assert usage["currentUsage"] == 5  # three definitions of the fixture, the list, this one
    assert usage["resetsAt"] == "2026-06-02T05:00:00Z"


async def test_a_property_in_use_cannot_be_deleted(api: Api) -> None:
    """A property that a list or workflow refers to stays, with its own code."""
    await api.define("companies", "a_name")
    await order(api.portal, "use", {"object": "companies", "property": "a_name"})

    answer = await api.call("DELETE", "/crm/properties/V/companies/a_name")

    assert answer.status == 400
    assert answer.body["errors"][0]["code"] == "CANNOT_DELETE_PROPERTY_IN_USE"
    assert "a_name" in api.portal.properties("companies")


async def test_a_new_property_can_be_written_after_a_moment() -> None:
    """With `property_lag_s` a property is there at once, its values are taken a little later."""
    clock = Clock()
    options = HubSpotOptions(limits=None, property_lag_s=0.5)
    async with serving(options=options, clock=clock) as api:
        clock.time += 1.0
        await api.define("companies", "a_name")
        read = await api.call("GET", "/crm/properties/V/companies/a_name")
        new = {"properties": {"name": "A", "a_name": "B"}}
        early = await api.call("POST", "/crm/objects/V/companies", new)
        clock.time += 0.5
        late = await api.call("POST", "/crm/objects/V/companies", new)

    assert (read.status, early.status, late.status) == (200, 400, 201)
    assert early.body["errors"][0]["code"] == "PROPERTY_DOESNT_EXIST"


async def test_a_group_is_deleted_once_it_is_empty(api: Api) -> None:
    """A group that has properties stays."""
    path = "/crm/properties/V/companies/groups"
    await api.call("POST", path, {"name": "mine", "label": "Mine", "displayOrder": -1})
    await api.define("companies", "a_name", groupName="mine")
    full = await api.call("DELETE", f"{path}/mine")
    await api.call("DELETE", "/crm/properties/V/companies/a_name")
    empty = await api.call("DELETE", f"{path}/mine")

    assert (full.status, empty.status) == (400, 204)
    assert (await api.call("GET", f"{path}/mine")).status == 404
