"""What every call goes through: token, scopes, versions, limits, and the error envelope."""

from __future__ import annotations

import uuid
from datetime import datetime

import aiohttp
import pytest

from connector.sandbox.hubspot import HubSpotOptions, Latency, Limits

from .clock import Clock
from .hubspot_api import VERSIONS, serving

LIST = "/crm/objects/V/companies"


@pytest.mark.parametrize(
    "header",
    [None, "Bearer wrong", "Basic {token}", "{token}", "Bearer", "Bearer é", "Bearer \udce9"],
)
async def test_a_wrong_token_is_a_401(header: str | None) -> None:
    """Without the bearer token nothing is answered but INVALID_AUTHENTICATION."""
    async with serving() as api, aiohttp.ClientSession(api.portal.base_url) as session:
        given = {} if header is None else {"Authorization": header.format(token=api.portal.token)}
        async with session.get("/crm/objects/2026-09/companies", headers=given) as response:
            body = await response.json()

    assert response.status == 401
    assert body["category"] == "INVALID_AUTHENTICATION"
    assert body["message"].startswith("Authentication credentials not found.")
    assert body["correlationId"] == response.headers["x-hubspot-correlation-id"]


@pytest.mark.parametrize(
    ("method", "path", "needed"),
    [
        ("GET", "/crm/objects/V/invoices", ["crm.objects.invoices.read"]),
        ("POST", "/crm/objects/V/invoices", ["crm.objects.invoices.write"]),
        ("POST", "/crm/objects/V/contacts/batch/upsert", ["crm.objects.contacts.write"]),
        ("POST", "/crm/objects/V/contacts/batch/read", ["crm.objects.contacts.read"]),
        ("POST", "/crm/properties/V/companies", ["crm.schemas.companies.write"]),
        (
            "GET",
            "/crm/properties/V/invoices",
            [
                "crm.schemas.invoices.read",
                "crm.objects.invoices.read",
                "crm.objects.invoices.write",
            ],
        ),
        (
            "POST",
            "/crm/associations/V/companies/invoices/batch/create",
            ["crm.objects.invoices.write"],
        ),
    ],
)
async def test_a_missing_scope_is_a_403_naming_it(
    method: str, path: str, needed: list[str]
) -> None:
    """The 403 lists in requiredGranularScopes what the token lacks."""
    options = HubSpotOptions(
        limits=None, scopes=("crm.objects.companies.read", "crm.objects.companies.write")
    )
    async with serving(options=options) as api:
        answer = await api.call(method, path, {} if method == "POST" else None)

    assert answer.status == 403
    assert answer.body["category"] == "MISSING_SCOPES"
    assert answer.body["errors"][0]["context"] == {"requiredGranularScopes": needed}
    assert answer.body["links"] == {"scopes": "https://developers.hubspot.com/scopes"}


async def test_granted_scopes_and_account_info_are_let_through() -> None:
    """A 403 concerns one object type; the others and account-info go on."""
    options = HubSpotOptions(
        limits=None, scopes=("crm.objects.companies.read", "crm.schemas.companies.write")
    )
    async with serving(options=options) as api:
        statuses = [
            (await api.call("GET", LIST)).status,
            (await api.define("companies", "some_key")).status,
            (await api.call("GET", "/crm/properties/V/companies")).status,
            (await api.call("GET", "/account-info/V/details")).status,
        ]

    assert statuses == [200, 201, 200, 200]


async def test_only_the_versions_of_the_options_answer() -> None:
    """A version the portal does not serve is a 404, and so are unknown paths."""
    async with serving(options=HubSpotOptions(limits=None, versions=("2026-09",))) as api:
        statuses = [
            (await api.call("GET", path)).status
            for path in (
                "/crm/objects/2026-09/companies",
                "/crm/objects/2026-03/companies",
                "/crm/v3/objects/companies",
                "/",
            )
        ]

    assert statuses == [200, 404, 404, 404]


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_answer_carries_its_correlation_id(version: str) -> None:
    """The header names a UUID, and an error body repeats it."""
    async with serving(version) as api:
        good = await api.call("GET", LIST)
        bad = await api.call("GET", f"{LIST}/999")

    assert uuid.UUID(good.headers["x-hubspot-correlation-id"]).version == 7
    assert bad.body["correlationId"] == bad.headers["x-hubspot-correlation-id"]
    assert good.headers["x-hubspot-correlation-id"] != bad.headers["x-hubspot-correlation-id"]
    assert good.headers["Content-Type"] == "application/json;charset=utf-8"


async def test_a_body_must_be_sent_as_json() -> None:
    """A write with another content type is a 415."""
    async with serving() as api:
        async with api.session.post(
            "/crm/objects/2026-09/companies", data=b"name=A", headers={"Content-Type": "text/plain"}
        ) as response:
            await response.read()

        assert response.status == 415
        assert api.portal.count("companies") == 0


async def test_a_url_over_8_kib_is_an_html_414() -> None:
    """A long list of properties in a GET is refused by the proxy, not in JSON."""
    async with serving() as api:
        answer = await api.call("GET", LIST, properties="x" * 8200)

    assert answer.status == 414
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_a_body_over_the_limit_is_a_413() -> None:
    """A request larger than the portal takes is refused unread."""
    async with serving(options=HubSpotOptions(limits=None, max_body_bytes=2000)) as api:
        answer = await api.call("POST", LIST, {"properties": {"name": "x" * 3000}})

        assert answer.status == 413
        assert api.portal.count("companies") == 0


async def test_the_rolling_window_refuses_and_recovers() -> None:
    """Calls beyond the burst are 429 TEN_SECONDLY_ROLLING until 10 s have gone by."""
    clock = Clock()
    options = HubSpotOptions(limits=Limits(burst=5, daily=100, association_burst=3))
    async with serving(options=options, clock=clock) as api:
        clock.time += 4  # the fixture's three calls are 4 s old
        statuses = [(await api.call("GET", LIST)).status for _ in range(3)]
        refused = await api.call("GET", LIST)
        clock.time += 6
        after = [(await api.call("GET", LIST)).status for _ in range(4)]

    assert statuses == [200, 200, 429]
    assert refused.body["errorType"] == "RATE_LIMIT"
    assert refused.body["policyName"] == "TEN_SECONDLY_ROLLING"
    assert refused.body["message"] == "You have reached your ten_secondly_rolling limit."
    assert refused.body["requestId"]
    assert "category" not in refused.body
    assert after == [200, 200, 200, 429]


async def test_ordinary_answers_tell_the_limits() -> None:
    """The headers carry the tier's numbers and what is left of them."""
    async with serving(options=HubSpotOptions(), clock=Clock()) as api:
        answer = await api.call("GET", LIST)

    assert {
        name: answer.headers[f"X-HubSpot-RateLimit-{name}"]
        for name in ("Max", "Remaining", "Interval-Milliseconds", "Daily", "Daily-Remaining")
    } == {
        "Max": "190",
        "Remaining": "186",
        "Interval-Milliseconds": "10000",
        "Daily": "625000",
        "Daily-Remaining": "624996",
    }


async def test_association_batches_have_a_window_of_their_own() -> None:
    """They neither use up the ordinary window nor show its headers, and have their own limit."""
    clock = Clock()
    options = HubSpotOptions(limits=Limits(burst=4, daily=100, association_burst=2))
    path = "/crm/associations/V/invoices/companies/batch/associate/default"
    body = {"inputs": [{"from": {"id": "1"}, "to": {"id": "2"}}]}
    async with serving(options=options, clock=clock) as api:
        answers = [await api.call("POST", path, body) for _ in range(3)]
        ordinary = await api.call("GET", LIST)

    assert [one.status for one in answers] == [207, 207, 429]
    assert not any("RateLimit" in name for name in answers[0].headers)
    assert ordinary.status == 200


async def test_the_daily_limit_ends_at_portal_midnight() -> None:
    """Beyond the day's calls the policy is DAILY, until midnight in the portal's zone."""
    wall = Clock()
    wall.time = 1_780_376_100.0  # 2026-06-01T23:55 in Chicago
    options = HubSpotOptions(limits=Limits(burst=100, daily=4, association_burst=1))
    async with serving(options=options, now=wall) as api:
        first, second = await api.call("GET", LIST), await api.call("GET", LIST)
        wall.time += 600
        third = await api.call("GET", LIST)

    assert (first.status, second.status, third.status) == (200, 429, 200)
    assert second.body["policyName"] == "DAILY"


async def test_limits_none_lifts_them() -> None:
    """Without limits nothing is refused and no header speaks of them."""
    async with serving(options=HubSpotOptions(limits=None)) as api:
        answers = [await api.call("GET", LIST) for _ in range(200)]

    assert {one.status for one in answers} == {200}
    assert "X-HubSpot-RateLimit-Max" not in answers[0].headers


def test_latency_grows_with_the_inputs_and_contacts_are_slow() -> None:
    """The latency model is a base plus a part per record, more for contacts."""
    latency = Latency(factor=2.0)

    assert latency.of("companies", 100) == pytest.approx(0.72)
    assert latency.of("contacts", 100) == pytest.approx(3.4)
    assert latency.of(None, 1) == pytest.approx(0.126)


async def test_latency_delays_but_does_not_change_answers() -> None:
    """With a latency the answer is the same."""
    options = HubSpotOptions(limits=None, latency=Latency(factor=0.001))
    async with serving(options=options) as api:
        answer = await api.upsert({"K": {"name": "A"}})

    assert answer.status == 200


def test_options_do_not_print_their_tokens() -> None:
    """The representation of options holds neither token."""
    options = HubSpotOptions(token="pat-secret", control_token="control-secret")

    assert "secret" not in repr(options)


async def test_a_batch_says_how_long_it_was_worked_on() -> None:
    """Between `startedAt` and `completedAt` lies the latency; time is the portal's own."""
    clock = Clock()

    async def sleep(delay_s: float) -> None:
        clock.time += delay_s

    options = HubSpotOptions(limits=None, latency=Latency())
    async with serving(options=options, clock=clock, now=clock, sleep=sleep) as api:
        answer = await api.upsert({f"K{number}": {"name": "A"} for number in range(100)})

    started, completed = (
        datetime.fromisoformat(answer.body[name]) for name in ("startedAt", "completedAt")
    )
    assert (completed - started).total_seconds() == pytest.approx(0.36, abs=0.002)
