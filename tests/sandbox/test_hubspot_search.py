"""Search: what its filters mean, its pages and bounds, its own window, and how it lags behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from connector.sandbox.hubspot import HubSpotOptions, Limits

from .clock import Clock
from .hubspot_api import KEY, VERSIONS, Answered, Api, serving


@pytest.fixture(params=VERSIONS)
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    """A portal, spoken to in each version."""
    async with serving(request.param) as caller:
        yield caller


async def search(
    api: Api, *filters: dict[str, Any], kind: str = "companies", **more: Any
) -> Answered:
    """A search for records that pass all filters, in the shape the description wants."""
    body = {
        "filterGroups": [{"filters": list(filters)}] if filters else [],
        "sorts": [],
        "properties": ["name"],
        "limit": 10,
        "after": "0",
    }
    return await api.call("POST", f"/crm/objects/V/{kind}/search", body | more)


def names(answer: Answered) -> list[str]:
    """The names found."""
    assert answer.status == 200, answer.text
    return [one["properties"]["name"] for one in answer.results]


def where(name: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    """One filter."""
    given = {"values": value} if isinstance(value, list) else {"value": value}
    return {"propertyName": name, "operator": operator} | (given if value else {}) | more


COMPANIES: dict[str, dict[str, Any]] = {
    "K1": {"name": "Acme Tools", "annualrevenue": "100", "city": "Elgin", "industry": "BANKING"},
    "K2": {"name": "acme tools", "annualrevenue": "900", "city": "Rome"},
    "K3": {"name": "Best Bolts", "annualrevenue": "1000"},
}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (where("name", "EQ", "ACME tools"), ["K1", "K2"]),
        (where("name", "NEQ", "acme tools"), ["K3"]),
        (where(KEY, "IN", ["k1", "k3"]), ["K1", "K3"]),
        (where(KEY, "IN", ["K1", "K3"]), []),
        (where(KEY, "NOT_IN", ["k1"]), ["K2", "K3"]),
        (where("city", "HAS_PROPERTY"), ["K1", "K2"]),
        (where("city", "NOT_HAS_PROPERTY"), ["K3"]),
        (where("annualrevenue", "GT", "100"), ["K2", "K3"]),
        (where("annualrevenue", "GTE", "100"), ["K1", "K2", "K3"]),
        (where("annualrevenue", "LT", "900"), ["K1"]),
        (where("annualrevenue", "LTE", "900"), ["K1", "K2"]),
        (where("annualrevenue", "BETWEEN", "900", highValue="1000"), ["K2", "K3"]),
        (where("annualrevenue", "EQ", "100.0"), ["K1"]),
        (where("name", "CONTAINS_TOKEN", "bolts"), ["K3"]),
        (where("name", "CONTAINS_TOKEN", "bol*"), ["K3"]),
        (where("name", "CONTAINS_TOKEN", "olts"), []),
        (where("name", "NOT_CONTAINS_TOKEN", "acme"), ["K3"]),
        (where("industry", "EQ", "BANKING"), ["K1"]),
        (where("industry", "EQ", "banking"), []),
    ],
)
async def test_a_filter_finds_what_it_means(
    api: Api, wanted: dict[str, Any], found: list[str]
) -> None:
    """Text is compared without case, IN takes lower case only, choices are case-sensitive."""
    await api.upsert(COMPANIES)

    answer = await search(api, wanted, properties=[KEY])

    assert sorted(one["properties"][KEY] for one in answer.results) == found
    assert answer.body["total"] == len(found)


async def test_filters_of_a_group_all_hold_and_one_group_is_enough(api: Api) -> None:
    """Groups are alternatives, the filters inside one are conditions."""
    await api.upsert(COMPANIES)
    groups = [
        {"filters": [where("name", "EQ", "acme tools"), where("city", "EQ", "rome")]},
        {"filters": [where("name", "EQ", "best bolts")]},
    ]

    answer = await search(api, filterGroups=groups, sorts=["-annualrevenue"])

    assert names(answer) == ["Best Bolts", "acme tools"]


async def test_a_sort_may_be_an_object_too() -> None:
    """The guide's form of a sort, which the description does not have, works as well."""
    async with serving() as api:
        await api.upsert(COMPANIES)
        by = {"propertyName": "annualrevenue", "direction": "DESCENDING"}

        answer = await search(api, sorts=[by])

    assert names(answer) == ["Best Bolts", "acme tools", "Acme Tools"]


async def test_a_query_looks_through_the_usual_properties(api: Api) -> None:
    """`query` finds words in name, domain and the like."""
    await api.upsert(COMPANIES)

    assert names(await search(api, query="bolts")) == ["Best Bolts"]


async def test_pages_follow_after_and_hold_at_most_200(api: Api) -> None:
    """`paging.next.after` leads through everything; a page of 201 is refused."""
    for number in range(5):
        api.portal.add("companies", {"name": f"N{number}"})

    first = await search(api, limit=3)
    second = await search(api, limit=3, after=first.body["paging"]["next"]["after"])
    refused = await search(api, limit=201)

    assert names(first) + names(second) == [f"N{number}" for number in range(5)]
    assert (first.body["total"], "paging" in second.body) == (5, False)
    assert (refused.status, (await search(api, limit=200)).status) == (400, 200)


async def test_no_page_goes_beyond_10_000_results(api: Api) -> None:
    """What lies past 10,000 results cannot be reached, however many there are."""
    assert (await search(api, limit=200, after="9800")).status == 200
    assert (await search(api, limit=200, after="9801")).status == 400


FILTER = where("name", "EQ", "a")


@pytest.mark.parametrize(
    "body",
    [
        {"filterGroups": [{"filters": [FILTER]}] * 6},
        {"filterGroups": [{"filters": [FILTER] * 7}]},
        {"filterGroups": [{"filters": [FILTER] * 5}] * 4},
        {"filterGroups": [{"filters": [where("nosuch", "EQ", "a")]}]},
        {"filterGroups": [{"filters": [where("name", "EQ")]}]},
        {"filterGroups": [{"filters": [where("name", "IN")]}]},
        {"filterGroups": [{"filters": [where("annualrevenue", "BETWEEN", "1")]}]},
        {"filterGroups": [{"filters": [where("annualrevenue", "GT", "much")]}]},
        {"sorts": ["name", "city"]},
        {"sorts": ["nosuch"]},
        {"after": "x"},
        {"filterGroups": [{"filters": [where("name", "IN", ["a" * 30] * 100)]}]},
    ],
)
async def test_a_search_has_bounds(api: Api, body: dict[str, Any]) -> None:
    """Groups, filters, sorts, names, values and 3,000 characters: beyond them it is a 400."""
    answer = await search(api, **body)

    assert (answer.status, answer.body["category"]) == (400, "VALIDATION_ERROR")


async def test_a_hundred_short_numbers_fit_into_one_search(api: Api) -> None:
    """100 order numbers of 7 characters can be looked for at once."""
    await api.upsert({"0000007": {"name": "A"}})

    answer = await search(api, where(KEY, "IN", [f"{one:07}" for one in range(100)]))

    assert names(answer) == ["A"]


async def test_archived_and_merged_records_are_not_found(api: Api) -> None:
    """Search finds neither what is in the recycle bin nor the ids that were merged away."""
    ids = [api.portal.add("companies", {"name": f"N{number}"}) for number in range(3)]
    api.portal.archive("companies", ids[0])
    merged = api.portal.merge("companies", ids[1], ids[2])

    everything = await search(api)
    old = await search(api, where("hs_object_id", "EQ", ids[1]))
    new = await search(api, where("hs_object_id", "EQ", merged))

    assert [one["id"] for one in everything.results] == [merged]
    assert (old.body["total"], new.body["total"]) == (0, 1)


@pytest.mark.parametrize(("form", "policy"), [("plain", None), ("policy", "SECONDLY")])
async def test_five_searches_a_second(form: Any, policy: str | None) -> None:
    """The sixth search within a second is a 429 of its own kind, other calls go on."""
    clock = Clock()
    options = HubSpotOptions(
        limits=Limits(burst=100, daily=1000, association_burst=100), rate_limit_bodies=form
    )
    async with serving(options=options, clock=clock) as api:
        codes = [(await search(api)).status for _ in range(5)]
        refused = await search(api)
        other = await api.call("GET", "/crm/objects/V/companies")
        clock.time += 1.0
        again = await search(api)

    assert (codes, refused.status) == ([200] * 5, 429)
    assert refused.body["message"] == "You have reached your secondly limit."
    assert refused.body.get("policyName") == policy
    assert not any(name.startswith("X-HubSpot-RateLimit") for name in refused.headers)
    assert (other.status, again.status) == (200, 200)
    assert other.headers["X-HubSpot-RateLimit-Remaining"] == "96"  # three definitions, this call


async def test_search_lags_behind_and_catches_up() -> None:
    """What was written is read at once, found only after the lag, and as it was until then."""
    clock = Clock()
    options = HubSpotOptions(limits=None, search_lag_s=(5.0, 5.0))
    async with serving(options=options, clock=clock) as api:
        await api.upsert({"K": {"name": "A"}})
        at_once = await search(api)
        read = await api.call("GET", f"/crm/objects/V/companies/K?idProperty={KEY}")
        clock.time += 5.0
        later = await search(api)
        await api.upsert({"K": {"name": "B"}})
        stale = await search(api)
        clock.time += 5.0
        fresh = await search(api)
        api.portal.archive("companies", fresh.results[0]["id"])
        gone_not_yet = await search(api)
        clock.time += 5.0
        gone = await search(api)

    assert (names(at_once), read.status, names(later)) == ([], 200, ["A"])
    assert (names(stale), names(fresh)) == (["A"], ["B"])
    assert (names(gone_not_yet), names(gone)) == (["B"], [])


async def test_hits_come_and_go_while_the_index_catches_up() -> None:
    """With copies that lag differently some searches find a record and later ones do not."""
    clock = Clock()
    options = HubSpotOptions(limits=None, search_lag_s=(1.0, 30.0))
    async with serving(options=options, clock=clock) as api:
        await api.upsert({f"K{number}": {"name": "A"} for number in range(50)})
        clock.time += 15.0
        totals = [(await search(api)).body["total"] for _ in range(20)]
        settled = api.portal.indexes["companies"].settled()
        clock.time += 15.0
        final = {(await search(api)).body["total"] for _ in range(20)}

    assert not settled
    assert len(set(totals)) == 2
    assert totals != sorted(totals)
    assert final == {50}


async def test_what_a_failed_batch_took_back_is_never_found() -> None:
    """A batch that is refused as a whole leaves no trace in the index either."""
    clock = Clock()
    options = HubSpotOptions(limits=None, search_lag_s=(1.0, 1.0))
    async with serving(options=options, clock=clock) as api:
        await api.upsert({"K1": {"name": "A"}})
        refused = await api.upsert({"K2": {"name": "B"}, "K3": {KEY: "K1"}}, traced=False)
        clock.time += 2.0
        found = await search(api)

    assert refused.status == 400
    assert names(found) == ["A"]
