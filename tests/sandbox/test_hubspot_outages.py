"""Trouble of HubSpot's own: locks, migration, gateways, half-done batches, every kind of 429."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest

from connector.sandbox.hubspot import Action, Drop, Hold, HubSpotOptions, Limits, Omit, faults

from .clock import Clock
from .hubspot_api import KEY, Api, order, serving

LIST = "/crm/objects/V/companies"
SOON_S = 10.0
THREE = {f"K{number}": {"name": "A"} for number in range(3)}


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A portal in the newest version."""
    async with serving() as caller:
        yield caller


async def test_a_locked_record_is_a_423_for_two_seconds() -> None:
    """A write of a locked record is refused whole, until the lock ends; others are not met."""
    clock = Clock()
    async with serving(clock=clock) as api:
        await api.upsert(THREE)
        company = api.portal.one("companies", KEY, "K1")["hs_object_id"]
        await order(api.portal, "lock", {"object": "companies", "id": company})
        batch = await api.upsert({one: {"name": "B"} for one in THREE})
        single = await api.call("PATCH", f"{LIST}/{company}", {"properties": {"name": "B"}})
        other = await api.upsert({"K2": {"name": "C"}})
        named = [one["name"] for one in api.portal.records("companies").values()]
        clock.time += 2.0
        after = await api.upsert({one: {"name": "B"} for one in THREE})

    assert (batch.status, single.status, other.status, after.status) == (423, 423, 200, 200)
    assert named == ["A", "A", "C"]


async def test_two_writes_of_one_record_at_once_meet_a_lock() -> None:
    """`lock_in_flight`: a second write of a record is a 423 while the first is under way."""
    options = HubSpotOptions(limits=None, lock_in_flight=True)
    async with serving(options=options) as api:
        await api.upsert(THREE)
        injection = api.portal.inject(Hold(applied=True))
        async with asyncio.timeout(SOON_S), asyncio.TaskGroup() as tasks:
            first = tasks.create_task(api.upsert({"K1": {"name": "B"}}))
            await injection.reached.wait()
            second = await api.upsert({"K1": {"name": "C"}})
            other = await api.upsert({"K2": {"name": "C"}})
            injection.release()
        third = await api.upsert({"K1": {"name": "C"}})

    assert first.result().status == 200
    assert (second.status, other.status, third.status) == (423, 200, 200)


async def test_a_migration_says_when_to_come_back(api: Api) -> None:
    """A 477 carries Retry-After in seconds."""
    api.portal.inject(faults.migrating(3600))

    answer = await api.call("GET", LIST)

    assert (answer.status, answer.headers["Retry-After"]) == (477, "3600")


@pytest.mark.parametrize("status", [502, 504, 520, 521, 522, 523, 524, 525, 526, 530])
@pytest.mark.parametrize("applied", [False, True])
async def test_a_gateway_answers_html_whether_or_not_it_was_done(
    api: Api, status: int, applied: bool
) -> None:
    """Nothing in the page of a gateway tells whether the batch was carried out."""
    api.portal.inject(faults.html(status, applied=applied))

    answer = await api.upsert(THREE)

    assert (answer.status, answer.text.startswith("<!DOCTYPE html>")) == (status, True)
    assert api.portal.count("companies") == (3 if applied else 0)


@pytest.mark.parametrize(
    "action", [faults.timed_out(applied=True, only=(0, 2)), Drop(applied=True, only=(0, 2))]
)
async def test_a_batch_may_be_half_done(api: Api, action: Action) -> None:
    """A timeout or a broken connection may leave some inputs written and others not."""
    api.portal.inject(action)

    try:
        answer = await api.upsert(THREE)
    except aiohttp.ClientError:
        status = 0
    else:
        status = answer.status

    assert status in (0, 524)
    held = {one[KEY] for one in api.portal.records("companies").values()}
    assert held == {"K0", "K2"}
    assert (await api.upsert(THREE)).status == 200
    assert api.portal.count("companies") == 3


@pytest.mark.parametrize("applied", [False, True])
async def test_a_success_may_tell_of_nothing(api: Api, applied: bool) -> None:
    """A 2xx with empty results and no errors, done or not."""
    api.portal.inject(Omit(inputs="all", applied=applied))

    answer = await api.upsert(THREE)

    assert (answer.status, answer.results, answer.errors) == (200, [], [])
    assert api.portal.count("companies") == (3 if applied else 0)


@pytest.mark.parametrize(
    ("form", "members"),
    [
        ("policy", {"errorType", "policyName"}),
        ("type", {"errorType"}),
        ("category", {"category"}),
        ("message", set()),
    ],
)
async def test_a_429_has_several_bodies(api: Api, form: Any, members: set[str]) -> None:
    """With policy, with type, with category, or with nothing but the sentence."""
    api.portal.inject(faults.rate_limited("TEN_SECONDLY_ROLLING", form=form, retry_after="9"))

    answer = await api.call("GET", LIST)

    assert (answer.status, answer.headers["Retry-After"]) == (429, "9")
    assert answer.body["message"] == "You have reached your ten_secondly_rolling limit."
    assert set(answer.body) - {"status", "message", "correlationId"} == members


async def test_a_fault_may_strike_by_chance(api: Api) -> None:
    """With a chance of a half some calls go wrong and others do not, the same ones each time."""
    injection = api.portal.inject(faults.html(502), times=None, chance=0.5)

    codes = [(await api.call("GET", LIST)).status for _ in range(40)]

    assert set(codes) == {200, 502}
    assert injection.hits == codes.count(502)


@pytest.mark.parametrize(
    ("action", "status", "category"),
    [
        (faults.unauthenticated(), 401, "INVALID_AUTHENTICATION"),
        (faults.unauthenticated(expired=True), 401, "EXPIRED_AUTHENTICATION"),
        (faults.forbidden("crm.objects.invoices.write"), 403, "MISSING_SCOPES"),
        (faults.forbidden(), 403, "USER_DOES_NOT_HAVE_PERMISSIONS"),
        (faults.locked(), 423, "RESOURCE_LOCKED"),
    ],
)
async def test_a_token_may_fail_in_the_middle(
    api: Api, action: Action, status: int, category: str
) -> None:
    """A token that expires, lacks a scope or has lost its maker, and a lock, by order."""
    api.portal.inject(action)

    answer = await api.call("GET", LIST)

    assert (answer.status, answer.body["category"]) == (status, category)
    assert (await api.call("GET", LIST)).status == 200


async def test_association_batches_may_be_half_done(api: Api) -> None:
    """Making and removing associations can be done by half as well."""
    company = api.portal.add("companies", {"name": "A"})
    contacts = [api.portal.add("contacts", {"email": f"{one}@x.test"}) for one in "ab"]
    pairs = [{"from": {"id": one}, "to": {"id": company}} for one in contacts]
    base = "/crm/associations/V/contacts/companies/batch"
    api.portal.inject(faults.timed_out(applied=True, only=(1,)))
    await api.call("POST", f"{base}/associate/default", {"inputs": pairs})
    half = api.portal.associations("contacts", "companies")
    await api.call("POST", f"{base}/associate/default", {"inputs": pairs})
    api.portal.inject(faults.timed_out(applied=True, only=(1,)))
    ends = [{"from": {"id": one}, "to": [{"id": company}]} for one in contacts]
    await api.call("POST", f"{base}/archive", {"inputs": ends})

    assert half == {(contacts[1], company)}
    assert api.portal.associations("contacts", "companies") == {(contacts[0], company)}


async def test_other_apps_use_up_the_day_and_the_searches() -> None:
    """The day's calls and the searches of a second belong to the whole account."""
    limits = Limits(burst=100, daily=1000, association_burst=100)
    async with serving(options=HubSpotOptions(limits=limits), clock=Clock()) as api:
        await order(api.portal, "spend", {"calls": 5, "window": "search"})
        search = await api.call("POST", f"{LIST}/search", {})
        before = await api.call("GET", LIST)
        await order(api.portal, "spend", {"calls": 996})
        after = await api.call("GET", LIST)

    assert (search.status, before.status, after.status) == (429, 200, 429)
    assert after.body["policyName"] == "DAILY"
    assert before.headers["X-HubSpot-RateLimit-Daily-Remaining"] == "996"


@pytest.mark.parametrize("one_pool", [False, True])
async def test_whose_calls_the_day_counts_can_be_chosen(one_pool: bool) -> None:
    """Sources are silent on it: `one_pool` counts association and search calls in the day too."""
    limits = Limits(burst=100, daily=1000, association_burst=100, one_pool=one_pool)
    path = "/crm/associations/V/invoices/companies/batch/associate/default"
    body = {"inputs": [{"from": {"id": "1"}, "to": {"id": "2"}}]}
    async with serving(options=HubSpotOptions(limits=limits), clock=Clock()) as api:
        left = int((await api.call("GET", LIST)).headers["X-HubSpot-RateLimit-Daily-Remaining"])
        await api.call("POST", path, body)
        await api.call("POST", f"{LIST}/search", {})
        after = await api.call("GET", LIST)
        await order(api.portal, "spend", {"calls": 1000})
        spent = await api.call("POST", path, body)

    shown = int(after.headers["X-HubSpot-RateLimit-Daily-Remaining"])
    assert left - shown == (3 if one_pool else 1)
    assert spent.status == (429 if one_pool else 207)


async def test_a_firewall_turns_away_what_has_a_certain_text_in_it(api: Api) -> None:
    """A fault may be for calls with a text in their body; all others never meet it."""
    page = {"kind": "answer", "status": 403, "body": "<html>Attention Required!</html>"}
    fault = {"action": page, "times": None, "containing": "DROP TABLE"}
    await order(api.portal, "inject", fault)
    blocked = await api.upsert({"K1": {"name": "DROP TABLE Ltd"}, "K2": {"name": "B"}})
    passed = await api.upsert({"K2": {"name": "B"}})

    assert (blocked.status, passed.status) == (403, 200)
    assert blocked.headers["Content-Type"].startswith("text/html")
    assert api.portal.count("companies") == 1


async def test_a_read_of_associations_may_pass_over_a_record(api: Api) -> None:
    """Left out of the answer by order; a record without any is told in an error, or not at all."""
    company = api.portal.add("companies", {"name": "A"})
    one, other = (api.portal.add("contacts", {"lastname": name}) for name in "ab")
    api.portal.associate("contacts", one, "companies", company)
    path = "/crm/associations/V/contacts/companies/batch/read"
    body = {"inputs": [{"id": one}, {"id": other}]}
    usual = await api.call("POST", path, body)
    api.portal.inject(Omit(inputs="all"), route="associations.batch.read")
    silent = await api.call("POST", path, body)
    api.portal.options = msgspec.structs.replace(api.portal.options, unlinked="missing")
    missing = await api.call("POST", path, body)

    assert (usual.status, len(usual.results), len(usual.errors)) == (207, 1, 1)
    assert (silent.status, silent.results, silent.errors) == (200, [], [])
    assert (missing.status, len(missing.results), missing.errors) == (200, 1, [])
