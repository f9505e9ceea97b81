"""Property values: what is taken, what is stored, what is refused, and in which words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connector.sandbox.hubspot import HubSpotOptions

from .hubspot_api import KEY, Api, serving


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A portal with a date, a yes/no and a multiple-choice property on companies."""
    async with serving() as caller:
        await caller.define(
            "companies", "a_day", type="date", fieldType="date", hasUniqueValue=False
        )
        choices = [
            {"label": one.title(), "value": one, "displayOrder": 0, "hidden": False}
            for one in ("true", "false")
        ]
        await caller.define(
            "companies",
            "a_flag",
            type="bool",
            fieldType="booleancheckbox",
            hasUniqueValue=False,
            options=choices,
        )
        await caller.define(
            "companies",
            "some_choices",
            type="enumeration",
            fieldType="checkbox",
            hasUniqueValue=False,
            options=[
                {"label": one, "value": one, "displayOrder": 0, "hidden": False} for one in "abc"
            ],
        )
        yield caller


@pytest.mark.parametrize(
    ("name", "value", "code", "message"),
    [
        ("foo", "1", "PROPERTY_DOESNT_EXIST", 'Property "foo" does not exist'),
        ("annualrevenue", "1,000", "INVALID_INTEGER", "1,000 was not a valid number."),
        ("annualrevenue", "NaN", "INVALID_INTEGER", "NaN was not a valid number."),
        ("closedate", "yesterday", "INVALID_LONG", "yesterday was not a valid long."),
        ("closedate", "2026-01-05T10:00:00", "INVALID_LONG", None),
        ("closedate", "2026-W01-1", "INVALID_LONG", None),
        ("closedate", "2026-13-05T10:00:00Z", "INVALID_LONG", None),
        ("a_day", "5/31/2026", "INVALID_DATE", None),
        ("a_day", "2026-02-30", "INVALID_DATE", None),
        ("a_flag", "yes", "INVALID_OPTION", None),
        ("type", "prospect", "INVALID_OPTION", None),
        ("some_choices", "a;d", "INVALID_OPTION", None),
        (
            "hs_object_id",
            "5",
            "READ_ONLY_VALUE",
            '"hs_object_id" is a read only property; its value cannot be set.',
        ),
        ("createdate", "2026-01-05T10:00:00Z", "READ_ONLY_VALUE", None),
        ("num_associated_contacts", "5", "READ_ONLY_VALUE", None),
        ("description", "x" * 65_537, "VALUE_TOO_LONG", None),
    ],
)
async def test_a_value_its_type_does_not_take_is_refused(
    api: Api, name: str, value: str, code: str, message: str | None
) -> None:
    """Each type refuses foreign values with its own code, in `errors` and inside the message."""
    answer = await api.call(
        "POST", "/crm/objects/V/companies", {"properties": {"name": "A", name: value}}
    )

    assert answer.status == 400
    assert answer.body["category"] == "VALIDATION_ERROR"
    assert [one["code"] for one in answer.body["errors"]] == [code]
    assert answer.body["errors"][0]["context"] == {"propertyName": [name]}
    assert message in (None, answer.body["errors"][0]["message"])
    assert answer.body["message"].startswith('Property values were not valid: [{"isValid":false,')
    assert f'"error":"{code}"' in answer.body["message"]
    assert api.portal.count("companies") == 0


async def test_an_unknown_option_lists_the_allowed_ones(api: Api) -> None:
    """INVALID_OPTION names every option with its label and value."""
    answer = await api.call(
        "POST", "/crm/objects/V/companies", {"properties": {"name": "A", "type": "X"}}
    )

    assert answer.body["errors"][0]["message"] == (
        'X was not one of the allowed options: [label: "Prospect" value: "PROSPECT", '
        'label: "Partner" value: "PARTNER", label: "Reseller" value: "RESELLER", '
        'label: "Vendor" value: "VENDOR", label: "Other" value: "OTHER"]'
    )


@pytest.mark.usefixtures("wrong_requests")  # numbers and booleans, where texts are described
@pytest.mark.parametrize(
    ("name", "sent", "stored"),
    [
        ("annualrevenue", "-1234.50", "-1234.50"),
        ("annualrevenue", 12.5, "12.5"),
        ("annualrevenue", 7, "7"),
        ("a_flag", True, "true"),
        ("closedate", "2026-05-31T10:20:30Z", "2026-05-31T10:20:30Z"),
        ("closedate", "2026-05-31T10:20:30.123Z", "2026-05-31T10:20:30.123Z"),
        ("closedate", "2026-05-31T10:20:30+02:00", "2026-05-31T08:20:30Z"),
        ("closedate", "2026-05-31", "2026-05-31T00:00:00Z"),
        ("closedate", "1780185600000", "2026-05-31T00:00:00Z"),
        ("closedate", "1780185600", "1970-01-21T14:29:45.600Z"),
        ("a_day", "2026-05-31", "2026-05-31"),
        ("a_day", "1780185600000", "2026-05-31"),
        ("industry", "BANKING", "BANKING"),
        ("some_choices", "a;b", "a;b"),
        ("name", "  spaces kept ", "  spaces kept "),
    ],
)
async def test_a_value_is_stored_as_text_in_its_own_form(
    api: Api, name: str, sent: Any, stored: str
) -> None:
    """Values come back as texts: days as YYYY-MM-DD, moments in UTC, seconds taken for ms."""
    answer = await api.call(
        "POST", "/crm/objects/V/companies", {"properties": {"name": "A", name: sent}}
    )

    assert answer.status == 201
    assert answer.body["properties"][name] == stored
    assert api.portal.records("companies")[answer.body["id"]][name] == stored


@pytest.mark.parametrize("value", ["1780192800000", "2026-05-31T02:00:00Z"])
async def test_before_2026_09_a_day_must_be_midnight_utc(value: str) -> None:
    """In 2026-03 a time of day in a date property is INVALID_DATE, with the time in words."""
    async with serving("2026-03") as api:
        await api.define("companies", "a_day", type="date", fieldType="date", hasUniqueValue=False)

        answer = await api.call(
            "POST", "/crm/objects/V/companies", {"properties": {"name": "A", "a_day": value}}
        )

    assert answer.status == 400
    assert answer.body["errors"][0]["code"] == "INVALID_DATE"
    assert answer.body["errors"][0]["message"] == f"{value} is at 2:0:0.0 UTC, not midnight!"


@pytest.mark.parametrize("value", ["1780192800000", "2026-05-31T02:00:00Z", "1780192800"])
async def test_from_2026_09_on_a_day_is_cut_down_with_a_warning(api: Api, value: str) -> None:
    """2026-09 stores the day and tells in the record's `warnings` what it made of the value."""
    answer = await api.upsert({"K": {"name": "A", "a_day": value}})

    assert answer.status == 200
    assert api.portal.one("companies", KEY, "K")["a_day"] == "2026-05-31"
    assert [(one["category"], one["context"]) for one in answer.results[0]["warnings"]] == [
        (
            "PROPERTY_VALUE_NORMALIZED",
            {
                "propertyName": ["a_day"],
                "rawValue": [value],
                "normalizedValue": ["2026-05-31"],
            },
        )
    ]


async def test_an_empty_text_clears(api: Api) -> None:
    """Sending "" takes a property's value away; what is not sent stays."""
    await api.upsert({"K": {"name": "A", "city": "Milwaukee", "zip": "53202"}})

    await api.upsert({"K": {"city": ""}})

    record = api.portal.one("companies", KEY, "K")
    assert "city" not in record
    assert record["zip"] == "53202"


async def test_a_leading_semicolon_adds_choices(api: Api) -> None:
    """A multiple choice that begins with ";" is added to what is chosen."""
    await api.upsert({"K": {"name": "A", "some_choices": "a"}})

    await api.upsert({"K": {"some_choices": ";c;a"}})

    assert api.portal.one("companies", KEY, "K")["some_choices"] == "a;c"


@pytest.mark.parametrize(
    ("kind", "properties", "lacking"),
    [
        ("companies", {"city": "X"}, ["name", "domain"]),
        ("contacts", {"phone": "1"}, ["email", "firstname", "lastname"]),
        ("deals", {"dealname": "D"}, ["dealstage", "pipeline"]),
        ("invoices", {"hs_number": "1"}, ["hs_currency"]),
    ],
)
async def test_creating_needs_certain_properties(
    api: Api, kind: str, properties: dict[str, str], lacking: list[str]
) -> None:
    """A record without what its type requires is refused, naming what is missing."""
    answer = await api.call("POST", f"/crm/objects/V/{kind}", {"properties": properties})

    assert answer.status == 400
    assert "Some required properties were not set." in answer.body["message"]
    assert answer.body["context"] == {"properties": lacking}


async def test_an_invoice_needs_one_of_the_portals_currencies() -> None:
    """hs_currency takes the company's currencies only."""
    options = HubSpotOptions(limits=None, additional_currencies=("CAD",))
    async with serving(options=options) as api:
        statuses = {}
        for currency in ("USD", "CAD", "EUR"):
            body = {"properties": {"hs_currency": currency}}
            answer = await api.call("POST", "/crm/objects/V/invoices", body)
            statuses[currency] = answer.status

    assert statuses == {"USD": 201, "CAD": 201, "EUR": 400}


async def test_new_records_get_what_hubspot_adds(api: Api) -> None:
    """Companies take their website from the domain, contacts a stage, invoices status and dates."""
    company = await api.call(
        "POST", "/crm/objects/V/companies", {"properties": {"domain": "acme.test"}}
    )
    contact = await api.call(
        "POST", "/crm/objects/V/contacts", {"properties": {"email": "Ann.Lee@Acme.test"}}
    )
    invoice = await api.call(
        "POST", "/crm/objects/V/invoices", {"properties": {"hs_currency": "USD"}}
    )

    assert company.body["properties"]["website"] == "acme.test"
    assert company.body["properties"]["hs_object_source"] == "INTEGRATION"
    assert contact.body["properties"]["email"] == "ann.lee@acme.test"
    assert contact.body["properties"]["hs_email_domain"] == "acme.test"
    assert contact.body["properties"]["lifecyclestage"] == "lead"
    assert contact.body["properties"]["lastmodifieddate"] == contact.body["updatedAt"]
    assert invoice.body["properties"]["hs_invoice_status"] == "draft"
    assert invoice.body["properties"]["hs_due_date"] == invoice.body["createdAt"]


async def test_a_lifecycle_stage_only_moves_forward(api: Api) -> None:
    """A stage that would move back is ignored in silence; clearing it first lets it."""
    await api.upsert({"K": {"name": "A", "lifecyclestage": "customer"}})

    back = await api.upsert({"K": {"lifecyclestage": "lead"}})
    held = api.portal.one("companies", KEY, "K")["lifecyclestage"]
    await api.upsert({"K": {"lifecyclestage": ""}})
    await api.upsert({"K": {"lifecyclestage": "lead"}})

    assert (back.status, held) == (200, "customer")
    assert api.portal.one("companies", KEY, "K")["lifecyclestage"] == "lead"


async def test_invalid_email_is_refused(api: Api) -> None:
    """A contact's e-mail must look like one."""
    answer = await api.call(
        "POST", "/crm/objects/V/contacts", {"properties": {"email": "not an address"}}
    )

    assert answer.body["errors"][0]["code"] == "INVALID_EMAIL"
    assert answer.body["errors"][0]["message"] == "Email address not an address is invalid"
