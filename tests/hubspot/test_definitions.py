"""Values against the portal's live definitions, before a call is spent on them."""

from __future__ import annotations

import asyncio
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.hubspot.definitions import (
    TEXT_LIMIT,
    Definition,
    Definitions,
    compiled,
    objection,
    objections,
)
from connector.sandbox.hubspot.property import Property
from connector.sandbox.hubspot.values import check_values, compile_field
from projections import events

from .rig import Site, a_client, a_site

ACME = "companies/ABC:01-ACME"
KEY = "sage100_customer_key"
UPSERT = "objects.batch.upsert"
DEFINITIONS = "properties.list"

LIVE = {
    "name": Definition("string"),
    "revenue": Definition("number"),
    "due": Definition("date"),
    "seen": Definition("datetime"),
    "hold": Definition("bool"),
    "industry": Definition("enumeration", options={"BANKING": "Banking", "RETAIL": "Retail"}),
    "lines": Definition("enumeration", options={"a": "A", "b": "B"}, several=True),
    "owner": Definition("enumeration"),
    "total": Definition("number", writable=False),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("name", "x" * TEXT_LIMIT), ("name", ""), ("revenue", "-1250.50"), ("revenue", "")),
        *(("due", "2026-03-01"), ("due", "1772323200000"), ("seen", "2026-03-01T00:00:00Z")),
        *(("due", "2026-03-01T00:00:00Z"), ("due", "2026-02-28T19:00:00-05:00")),
        *(("seen", "2026-03-01T10:00:00Z"), ("seen", "1772323200001")),
        *(("seen", "2026-03-01"), ("hold", "true"), ("industry", "BANKING"), ("owner", "anyone")),
        *(("lines", "a;b"), ("lines", ";b"), ("lines", "")),
    ],
)
def test_what_a_property_takes_is_not_objected_to(name: str, value: str) -> None:
    """Every format of HubSpot's property API, and an empty text, which clears."""
    assert objection(name, value, LIVE) is None


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        *(("name", "x" * (TEXT_LIMIT + 1), "VALUE_TOO_LONG"), ("revenue", "1,5", "INVALID_NUMBER")),
        *(("revenue", "NaN", "INVALID_NUMBER"), ("revenue", "1_000", "INVALID_NUMBER")),
        *(("due", "soon", "INVALID_DATE"), ("seen", "2026-03-01T10:00:00", "INVALID_DATE")),
        *(
            ("due", "2026-03-01T10:00:00Z", "INVALID_DATE"),
            ("due", "1772323200001", "INVALID_DATE"),
        ),
        *(("due", "2026-03-01T00:00:00-05:00", "INVALID_DATE"), ("due", "9" * 15, "INVALID_DATE")),
        *(("hold", "Y", "INVALID_BOOLEAN"), ("industry", "Banking", "INVALID_OPTION")),
        *(("lines", "a;c", "INVALID_OPTION"), ("total", "1", "READ_ONLY_VALUE")),
        *(("total", "", "READ_ONLY_VALUE"), ("nothing", "1", "PROPERTY_DOESNT_EXIST")),
    ],
)
def test_what_it_does_not_take_is_named(name: str, value: str, code: str) -> None:
    """The codes are HubSpot's where it has one for the case."""
    found = objection(name, value, LIVE)
    assert found is not None
    assert (found.property, found.code) == (name, code)


def test_a_time_of_day_is_named_as_what_is_wrong_with_a_date() -> None:
    """2026-03 would refuse it after a call, 2026-09 would hold another value than was sent."""
    found = objection("due", "2026-03-01T10:00:00Z", LIVE)
    assert found is not None
    assert found.message == "'2026-03-01T10:00:00Z' is a time of day (UTC), and due takes a day."


MOMENTS = st.one_of(
    st.dates(date(1900, 1, 1)).map(str),
    st.integers(-(10**13), 10**13).map(str),
    st.integers(-20_000, 60_000).map(lambda day: str(day * 86_400_000)),
    st.datetimes(datetime(1900, 1, 2), datetime(9999, 12, 30), timezones=st.timezones()).map(
        lambda at: at.isoformat(timespec="seconds")
    ),
    st.dates(date(1900, 1, 1)).map(lambda day: f"{day}T00:00:00Z"),
)


@given(value=MOMENTS, kind=st.sampled_from(["date", "datetime"]))
@example(
    "1924-01-01T00:00:00+04:27:53", "datetime"
)  # Python's, of the time before there were zones
@example("20260301T000000Z", "datetime")
@example("2026-W10-1T00:00:00Z", "date")
@example("\u0662\u0660\u0662\u0666-03-01", "date")
@example("2026-03-01T00:00:00", "datetime")
@example("2026-03-01T00:00+0000", "date")
def test_dates_pass_where_the_strict_version_takes_them(value: str, kind: str) -> None:
    """Nothing that 2026-03 refuses is sent, and nothing that it takes is left out."""
    definition = Property(name="d", label="d", type=kind, field_type="date", group_name="g")
    fields = {"d": compile_field(definition)}
    _, wrong, _ = check_values(fields, {"d": value}, forgive_dates=False)
    assert (objection("d", value, {"d": Definition(kind)}) is not None) == bool(wrong)


def test_an_option_is_named_by_its_value_and_a_label_helps_to_find_it() -> None:
    """Whoever maps to what HubSpot shows on the screen is told what it is called inside."""
    by_label = objection("industry", "banking", LIVE)
    assert by_label is not None
    assert "label of the option whose value is 'BANKING'" in by_label.message
    nearly = objection("industry", "RETAILL", LIVE)
    assert nearly is not None
    assert "the nearest is 'RETAIL' (Retail)" in nearly.message


@pytest.mark.parametrize(
    "raw",
    [
        {"type": "number", "calculated": True},
        {"type": "string", "modificationMetadata": {"readOnlyValue": True}},
    ],
)
def test_what_hubspot_computes_is_not_writable(raw: dict[str, Any]) -> None:
    """Either of HubSpot's two ways of saying so."""
    assert not compiled(raw).writable


def test_the_key_is_not_looked_at() -> None:
    """Setup answers for it."""
    assert objections({"key": "ABC:1", "name": "x"}, LIVE, but="key") == []


async def test_no_call_is_spent_on_a_value_the_portal_does_not_allow(site: Site) -> None:
    """One write, without the value; the reason stands in the log in plain words."""
    await site.emit(ACME, name="Acme", industry="Banking")
    await site.writer(definitions=Definitions(site.hubspot)).run_until_idle()
    assert site.portal.calls.count(route=UPSERT) == 1
    done = (await site.stream(ACME))[-1]
    assert isinstance(done, events.CommandSucceeded)
    assert done.withheld["industry"].reason == "INVALID_OPTION"
    assert "BANKING" in done.withheld["industry"].message
    assert site.portal.one("companies", KEY, "ABC:01-ACME")["name"] == "Acme"


async def test_a_change_of_nothing_else_is_parked_without_a_call(site: Site) -> None:
    """HubSpot is not asked to refuse what the portal's definitions refuse."""
    await site.emit(ACME, name="Acme")
    await site.writer().run_until_idle()
    site.portal.calls.clear()
    await site.emit(ACME, industry="Banking")
    await site.writer(definitions=Definitions(site.hubspot)).run_until_idle()
    parked = (await site.stream(ACME))[-1]
    assert isinstance(parked, events.CommandParked)
    assert parked.reason == "INVALID_OPTION"
    assert site.portal.calls.writes == 0
    assert await site.books_close()


async def test_definitions_are_read_once_and_again_before_anything_is_left_out(
    site: Site,
) -> None:
    """An hour is soon enough for values that pass; ten seconds for one that does not."""
    now_s = [0.0]
    known = Definitions(site.hubspot, clock=lambda: now_s[0])
    good, bad = [{"name": "x"}], [{"industry": "NEW"}]
    reads = site.portal.calls
    for _ in range(3):
        now_s[0] += 100
        assert await known.for_writing("companies", good) is not None
    assert reads.count(route=DEFINITIONS) == 1
    await known.for_writing("companies", bad)
    await known.for_writing("companies", bad)
    assert reads.count(route=DEFINITIONS) == 2
    now_s[0] += 3601
    await known.for_writing("companies", good)
    assert reads.count(route=DEFINITIONS) == 3


async def test_another_mapping_has_them_read_again(site: Site) -> None:
    """It may have come with new properties; and whoever asks meanwhile shares the call."""
    known = Definitions(site.hubspot)
    good = [{"name": "x"}]
    reads = site.portal.calls
    first, second = object(), object()
    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(known.for_writing("companies", good, first))
    assert reads.count(route=DEFINITIONS) == 1
    await known.for_writing("companies", good, second)
    assert reads.count(route=DEFINITIONS) == 2


async def test_without_definitions_hubspot_is_left_to_judge(site: Site) -> None:
    """A token that may not read them writes as ever."""
    site.grant("crm.objects.companies.write")
    known = Definitions(site.hubspot)
    assert await known.of("contacts") is None


@pytest.mark.parametrize("version", ["2026-03", "2026-09"])
async def test_a_date_with_a_time_costs_no_call_in_either_version(
    tmp_path: Path, version: str
) -> None:
    """The same mapping gives the same records: all but the date is written, and that is told."""
    async with a_site(tmp_path) as site:
        body = {"name": "since", "label": "Since", "type": "date", "fieldType": "date"}
        made = [body | {"groupName": "companyinformation"}]
        assert (await site.hubspot.create_properties("companies", made)).ok
        site.portal.calls.clear()
        async with a_client(site.portal, api_version=version) as hubspot:
            site.hubspot = hubspot
            await site.emit(ACME, name="Acme", since="2026-03-01T10:00:00Z")
            await site.writer(definitions=Definitions(hubspot)).run_until_idle()
        done = (await site.stream(ACME))[-1]
        assert isinstance(done, events.CommandSucceeded)
        assert done.withheld["since"].reason == "INVALID_DATE"
        assert done.withheld["since"].unsent
        assert site.portal.calls.count(route=UPSERT) == 1
        assert "since" not in site.portal.one("companies", KEY, "ABC:01-ACME")
