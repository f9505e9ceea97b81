"""Misbehaviour on request, poisoned records, accounting, and the control endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest

from connector.sandbox.hubspot import (
    Action,
    Answer,
    Drop,
    Empty,
    Hold,
    HubSpotOptions,
    Omit,
    SimulatedHubSpot,
    faults,
    run_hubspot,
)

from .hubspot_api import KEY, Api, serving

LIST = "/crm/objects/V/companies"
SOON_S = 10.0


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    """A portal in the newest version."""
    async with serving() as caller:
        yield caller


@pytest.mark.parametrize("applied", [False, True])
async def test_an_answer_replaces_the_real_one(api: Api, applied: bool) -> None:
    """The next matching call gets the given status, carried out or not as asked."""
    api.portal.inject(
        faults.error(503, "Service unavailable", applied=applied), route="objects.batch.upsert"
    )

    first = await api.upsert({"K": {"name": "A"}})
    count = api.portal.count("companies")
    second = await api.upsert({"K": {"name": "A"}})

    assert (first.status, second.status) == (503, 200)
    assert first.body["correlationId"] == first.headers["x-hubspot-correlation-id"]
    assert count == (1 if applied else 0)


async def test_an_html_page_and_headers_can_be_the_answer(api: Api) -> None:
    """Proxies answer HTML, and a 477 carries Retry-After."""
    api.portal.inject(faults.html(502, "Bad gateway"))
    api.portal.inject(Answer(status=477, body={"status": "error"}, headers={"Retry-After": "30"}))

    first, second = await api.call("GET", LIST), await api.call("GET", LIST)

    assert (first.status, first.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
    assert "<html>" in first.text
    assert (second.status, second.headers["Retry-After"]) == (477, "30")


async def test_a_rate_limit_can_be_injected(api: Api) -> None:
    """The 429 of a policy can be made without using up a window."""
    api.portal.inject(faults.rate_limited("DAILY"))

    answer = await api.call("GET", LIST)

    assert (answer.status, answer.body["policyName"]) == (429, "DAILY")


@pytest.mark.parametrize("applied", [False, True])
async def test_a_dropped_connection_has_or_has_not_written(api: Api, applied: bool) -> None:
    """The caller sees a broken connection; the portal knows whether it wrote."""
    api.portal.inject(Drop(applied=applied), method="POST")

    with pytest.raises(aiohttp.ClientError):
        await api.upsert({"K": {"name": "A"}})

    assert api.portal.count("companies") == (1 if applied else 0)
    assert api.portal.calls.count(status=0) == 1
    assert (await api.upsert({"K": {"name": "A"}})).results[0]["new"] is not applied


@pytest.mark.parametrize("applied", [False, True])
async def test_a_held_call_waits_until_released(api: Api, applied: bool) -> None:
    """A held call has reached the portal, answers nothing until released, then as usual."""
    injection = api.portal.inject(Hold(applied=applied))
    async with asyncio.timeout(SOON_S), asyncio.TaskGroup() as tasks:
        call = tasks.create_task(api.upsert({"K": {"name": "A"}}))
        await injection.reached.wait()
        other = await api.call("GET", LIST)
        count, waiting = api.portal.count("companies"), not call.done()
        injection.release()

    assert (count, waiting, other.status) == (1 if applied else 0, True, 200)
    assert call.result().status == 200


async def test_leaving_lets_held_calls_go() -> None:
    """A portal that stops does not wait for calls it holds."""
    async with asyncio.timeout(SOON_S):
        async with serving() as api:
            injection = api.portal.inject(Hold())
            call = asyncio.create_task(api.call("GET", LIST))
            await injection.reached.wait()
            api.portal.faults.clear()
            answer = await call

    assert answer.status == 200


async def test_a_success_may_have_no_body(api: Api) -> None:
    """An empty 2xx has been carried out and says nothing."""
    api.portal.inject(Empty())

    answer = await api.upsert({"K": {"name": "A"}})

    assert (answer.status, answer.text) == (200, "")
    assert api.portal.count("companies") == 1


@pytest.mark.parametrize("applied", [False, True])
async def test_an_input_can_be_left_out_in_silence(api: Api, applied: bool) -> None:
    """An omitted input is neither in results nor in errors, written or not as asked."""
    api.portal.inject(Omit(inputs=(1,), applied=applied))

    answer = await api.upsert({f"K{n}": {"name": "A"} for n in range(3)})

    assert (answer.status, answer.errors) == (200, [])
    assert {one["objectWriteTraceId"] for one in answer.results} == {"t0", "t2"}
    assert api.portal.count("companies") == (3 if applied else 2)


@pytest.mark.parametrize("applied", [False, True])
async def test_an_association_can_be_left_out_in_silence(api: Api, applied: bool) -> None:
    """The same holds for pairs of an association batch."""
    company = api.portal.add("companies", {"name": "A"})
    invoices = [api.portal.add("invoices", {"hs_currency": "USD"}) for _ in range(2)]
    api.portal.inject(Omit(inputs=(0,), applied=applied), route="associations")

    answer = await api.call(
        "POST",
        "/crm/associations/V/invoices/companies/batch/associate/default",
        {"inputs": [{"from": {"id": one}, "to": {"id": company}} for one in invoices]},
    )

    assert {one["from"]["id"] for one in answer.results} == {invoices[1], company}
    assert len(api.portal.associations("invoices", "companies")) == (2 if applied else 1)


@pytest.mark.parametrize(
    ("where", "met"),
    [
        ({}, ["list", "upsert", "contacts"]),
        ({"method": "POST"}, ["upsert", "contacts"]),
        ({"route": "objects.batch"}, ["upsert", "contacts"]),
        ({"route": "objects.list"}, ["list"]),
        ({"route": "objects.li"}, []),
        ({"object": "contacts"}, ["contacts"]),
        ({"object": "0-1", "method": "GET"}, []),
        ({"skip": 1}, ["upsert", "contacts"]),
        ({"times": 1}, ["list"]),
        ({"times": 1, "skip": 2}, ["contacts"]),
    ],
)
async def test_an_injection_meets_what_it_is_told_to(
    api: Api, where: dict[str, Any], met: list[str]
) -> None:
    """Method, route (with those below it), object, number and start narrow an injection."""
    injection = api.portal.inject(Answer(status=500), **({"times": None} | where))
    answers = {
        "list": await api.call("GET", LIST),
        "upsert": await api.upsert({"K": {"name": "A"}}),
        "contacts": await api.upsert({"K": {"firstname": "A"}}, kind="contacts"),
    }

    assert [name for name, answer in answers.items() if answer.status == 500] == met
    assert injection.hits == len(met)


async def test_a_cancelled_injection_meets_nothing(api: Api) -> None:
    """After cancel() calls go as usual."""
    injection = api.portal.inject(Answer(status=500), times=None)
    first = await api.call("GET", LIST)
    injection.cancel()

    assert (first.status, (await api.call("GET", LIST)).status) == (500, 200)


@pytest.mark.parametrize(("traced", "status"), [(True, 207), (False, 400)])
async def test_a_poisoned_key_is_refused_until_cured(api: Api, traced: bool, status: int) -> None:
    """A poisoned record fails alone with trace ids and takes its batch along without."""
    api.portal.poison("companies", "K1", "That phone is not to our taste", property="phone")
    records = {f"K{n}": {"name": "A"} for n in range(3)}

    bad = await api.upsert(records, traced=traced)
    count = api.portal.count("companies")
    api.portal.cure("companies", "K1")
    good = await api.upsert(records, traced=traced)

    error = bad.errors[0]["errors"][0] if traced else bad.errors[0]
    assert bad.status == status
    assert error["message"] == "That phone is not to our taste"
    assert error["context"] == {"propertyName": ["phone"]}
    assert count == (2 if traced else 0)
    assert (good.status, api.portal.count("companies")) == (200, 3)


async def test_calls_are_counted_and_kept(api: Api) -> None:
    """Every call is in the books with route, status, number of inputs, and its body if kept."""
    await api.upsert({"K0": {"name": "A"}, "K1": {"name": "B"}})
    await api.call("GET", LIST)
    await api.call("GET", f"{LIST}/999")

    calls = api.portal.calls
    assert [(one.route, one.status, one.write, one.inputs) for one in calls] == [
        ("objects.batch.upsert", 200, True, 2),
        ("objects.list", 200, False, 2),
        ("objects.get", 404, False, 1),
    ]
    assert (len(calls), calls.writes, calls.reads) == (3, 1, 2)
    assert calls.count(route="objects") == 3
    assert calls.count(method="GET", status=404) == 1
    assert next(iter(calls)).object == "companies"
    assert next(iter(calls)).json()["inputs"][0]["id"] == "K0"


async def test_people_change_records_past_the_rules_for_the_api(api: Api) -> None:
    """An edit by hand may move a stage back and clear, but not break a type or a unique value."""
    record_id = api.portal.add("companies", {"name": "A", "lifecyclestage": "customer", KEY: "K"})

    api.portal.edit("companies", record_id, {"lifecyclestage": "lead", "name": "By hand"})

    assert api.portal.records("companies")[record_id]["lifecyclestage"] == "lead"
    assert api.portal.records("companies")[record_id]["hs_object_source"] == "CRM_UI"
    with pytest.raises(ValueError, match="was not a valid number"):
        api.portal.edit("companies", record_id, {"annualrevenue": "x"})
    with pytest.raises(LookupError, match="no record 999"):
        api.portal.edit("companies", "999", {"name": "B"})


async def test_one_finds_exactly_one(api: Api) -> None:
    """`one` refuses none and several; `find` gives them all."""
    for _ in range(2):
        api.portal.add("companies", {"name": "Twin"})

    assert len(api.portal.find("companies", "name", "Twin")) == 2
    with pytest.raises(LookupError, match="2 companies have name='Twin'"):
        api.portal.one("companies", "name", "Twin")
    with pytest.raises(LookupError, match="0 companies"):
        api.portal.one("companies", KEY, "nothing")


async def control(portal: SimulatedHubSpot, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {portal.control_token}"}
    async with (
        aiohttp.ClientSession(portal.base_url, headers=headers) as session,
        session.request(method, f"/control/{path}", json=body) as response,
    ):
        return response.status, msgspec.json.decode(await response.read())


@pytest.mark.parametrize(
    "action",
    [Answer(status=500), Drop(applied=True), Hold(), Empty(), Omit(inputs=(0,))],
    ids=lambda one: type(one).__name__,
)
async def test_other_processes_inject_faults(api: Api, action: Action) -> None:
    """Every action can be sent to /control/inject as JSON; release lets held calls go."""
    wanted = {"action": msgspec.to_builtins(action), "method": "PUT"}

    status, body = await control(api.portal, "POST", "inject", wanted)
    released = await control(api.portal, "POST", "release", body)

    injection = api.portal.faults.get(body["number"])
    assert (status, released) == (200, (200, {"hits": 0}))
    assert injection is not None
    assert injection.action == action


async def test_other_processes_see_and_change_the_portal(api: Api) -> None:
    """Add, edit, poison, cure, archive, statistics and snapshot go through /control."""
    portal = api.portal
    _, added = await control(
        portal, "POST", "add", {"object": "companies", "properties": {"name": "A"}}
    )
    which = {"object": "companies", "id": added["id"]}
    await control(portal, "POST", "edit", which | {"properties": {"name": "B"}})
    name = portal.records("companies")[added["id"]]["name"]
    poison = {"object": "companies", "key": "K"}
    await control(portal, "POST", "poison", poison | {"message": "no"})
    refused = await api.upsert({"K": {"name": "A"}}, traced=False)
    await control(portal, "POST", "cure", poison)
    snapshot = await control(portal, "GET", "snapshot")
    _, stats = await control(portal, "GET", "stats")
    await control(portal, "POST", "archive", which)

    assert name == "B"
    assert refused.status == 400
    assert snapshot[1]["objects"]["companies"][added["id"]]["name"] == "B"
    assert (stats["calls"], stats["records"]["companies"]) == (1, 1)
    assert portal.count("companies") == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "inject", {"action": {"kind": "no such"}}, 400),
        ("POST", "release", {"number": 99}, 400),
        ("POST", "edit", {"object": "companies", "id": "9", "properties": {}}, 400),
        ("POST", "poison", {"object": "butterflies", "key": "K", "message": "no"}, 400),
        ("POST", "grant", {"scopes": ["crm.objects.companys.read"]}, 400),
        ("POST", "nothing", None, 404),
        ("GET", "inject", None, 404),
    ],
)
async def test_wrong_orders_are_refused(
    api: Api, method: str, path: str, body: Any, status: int
) -> None:
    """An order that makes no sense is answered with a reason."""
    answered, reason = await control(api.portal, method, path, body)

    assert answered == status
    assert reason["message"]


async def test_control_needs_its_own_token(api: Api) -> None:
    """The API's token does not open /control, and its calls are in no count."""
    answer = await api.call("GET", "/control/stats")

    assert answer.status == 401
    assert len(api.portal.calls) == 0


async def test_run_hubspot_announces_and_serves_until_cancelled() -> None:
    """The command's function tells once it answers, and stops when cancelled."""
    announced: asyncio.Queue[SimulatedHubSpot] = asyncio.Queue()
    task = asyncio.create_task(
        run_hubspot(
            HubSpotOptions(token="pat-test", limits=None),
            port=0,
            announce=announced.put_nowait,
        )
    )
    async with asyncio.timeout(SOON_S):
        portal = await announced.get()
        headers = {"Authorization": "Bearer pat-test"}
        async with (
            aiohttp.ClientSession(portal.base_url, headers=headers) as session,
            session.get("/account-info/2026-09/details") as response,
        ):
            body = await response.json()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert body["portalId"] == portal.options.portal_id
    with pytest.raises(RuntimeError, match="not serving"):
        _ = portal.base_url


async def test_a_taken_port_is_an_error_at_once() -> None:
    """Two portals cannot share a port."""
    async with SimulatedHubSpot() as first:
        with pytest.raises(OSError, match="address already in use"):
            async with SimulatedHubSpot(port=first.port):
                pass
