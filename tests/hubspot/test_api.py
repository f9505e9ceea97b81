"""The client: paths, headers, what counts as an answer, and what no answer means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import msgspec
import pytest

from connector.errors import Misconfigured
from connector.hubspot.answer import worked_s
from connector.hubspot.api import BASE_URL, HubSpot, WriteInput
from connector.hubspot.errors import DailyLimitReached, NeverSent, OutcomeUnknown
from connector.hubspot.limiter import Limiter
from connector.hubspot.pace import metered
from connector.sandbox.hubspot import Action, Answer, Drop, Hold, faults
from connector.secret import Secret

from .rig import a_client, a_portal

TOKEN = "pat-na1-secret"
DETAILS = f"{BASE_URL}/account-info/2026-03/details"
Replies = Callable[..., None]


@asynccontextmanager
async def client(**options: Any) -> AsyncIterator[HubSpot]:
    """A client of HubSpot's own address."""
    async with HubSpot(Secret(TOKEN), Limiter("free"), **options) as hubspot:
        yield hubspot


async def test_every_call_goes_where_the_api_says() -> None:
    """Method, path, version and body of each call are those of the date-versioned API."""
    one = WriteInput("K", {"name": "N"}, "t0", "sage100_customer_key")
    async with a_portal() as portal, a_client(portal, api_version="2026-09") as hubspot:
        assert (await hubspot.account_details()).status == 200
        assert (await hubspot.read_properties("companies")).status == 200
        assert (await hubspot.create_group("companies", "g_1", "G")).status == 201
        made = await hubspot.create_properties(
            "companies",
            [
                {"name": "p_1", "label": "P", "type": "string", "fieldType": "text"}
                | {"groupName": "g_1"}
            ],
        )
        assert made.ok
        assert (await hubspot.batch_upsert("companies", [one])).status == 200
        read = await hubspot.batch_read("companies", "sage100_customer_key", ["K", "L"], ["name"])
        assert (read.status, len(read.body["results"])) == (207, 1)
        record = read.body["results"][0]["id"]
        assert (await hubspot.batch_read("companies", "", [record], [])).status == 200
        person = portal.add("contacts", {"firstname": "Joe"})
        linked = await hubspot.associate_default("contacts", "companies", [(person, record)])
        assert linked.ok
        back = await hubspot.read_associations("contacts", "companies", [(person, "")])
        assert back.body["results"][0]["to"][0]["toObjectId"] == record
        assert {call.version for call in portal.calls} == {"2026-09"}
        assert all(call.status < 400 for call in portal.calls)
        assert (hubspot.calls.writes, hubspot.calls.reads) == (4, 5)


async def test_an_answer_keeps_what_is_needed_later(replies: Replies) -> None:
    """Status, body, correlation id and a sane Retry-After."""
    replies(
        "GET",
        DETAILS,
        status=429,
        payload={"message": "slow", "policyName": "SECONDLY", "correlationId": "c-9"},
        headers={"Retry-After": "2"},
    )
    async with client() as hubspot:
        answer = await hubspot.account_details()
    assert (answer.status, answer.correlation_id, answer.retry_after_s) == (429, "c-9", 2.0)
    assert hubspot.calls.refused_429 == 1


@pytest.mark.parametrize(
    ("status", "text", "seconds"),
    [
        (429, "2500", 2.5),  # milliseconds
        (429, "600", None),  # absurd for a rate limit
        (429, "soon", None),
        (429, "-1", None),
        (477, "7200", 7200.0),  # a move between data centres takes as long as it takes
    ],
)
async def test_only_a_sane_retry_after_counts(
    replies: Replies, status: int, text: str, seconds: float | None
) -> None:
    """HubSpot documents Retry-After for 477 only; elsewhere it is taken when it makes sense."""
    replies("GET", DETAILS, status=status, payload={}, headers={"Retry-After": text})
    async with client() as hubspot:
        assert (await hubspot.account_details()).retry_after_s == seconds


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ("<html><h1>504</h1></html>", "text/html"),
        ("", "application/json"),
        ("{broken", "application/json"),
        ("[" * 100_000, "application/json"),
        (b"\xff\xfe", "application/json"),
    ],
)
async def test_a_body_that_is_no_json_is_an_answer_all_the_same(
    replies: Replies, body: str | bytes, content_type: str
) -> None:
    """HTML pages, empty bodies and broken JSON leave a status and an excerpt."""
    replies("GET", DETAILS, status=504, body=body, content_type=content_type)
    async with client() as hubspot:
        answer = await hubspot.account_details()
    assert (answer.status, answer.body) == (504, None)
    assert len(answer.text) <= 300


async def test_an_answer_too_large_is_of_unknown_outcome(
    replies: Replies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer can fill the memory."""
    monkeypatch.setattr("connector.hubspot.receiving._LIMIT_BYTES", 1000)
    replies("GET", DETAILS, status=200, body=b" " * 5000)
    async with client() as hubspot:
        with pytest.raises(OutcomeUnknown, match="larger"):
            await hubspot.account_details()


@pytest.mark.parametrize(
    "problem",
    [
        TimeoutError(),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientOSError(104, "reset by peer"),
        aiohttp.ClientPayloadError("cut short"),
        aiohttp.SocketTimeoutError("read"),
    ],
    ids=lambda problem: type(problem).__name__,
)
async def test_what_breaks_after_the_request_left_is_of_unknown_outcome(
    replies: Replies, problem: Exception
) -> None:
    """HubSpot may have done it: nobody may simply send it again."""
    replies("GET", DETAILS, exception=problem)
    async with client() as hubspot:
        with pytest.raises(OutcomeUnknown):
            await hubspot.account_details()


async def test_what_breaks_before_the_request_left_was_not_carried_out(replies: Replies) -> None:
    """A connection that never came about."""
    replies("GET", DETAILS, exception=aiohttp.ConnectionTimeoutError("connect"))
    async with client() as hubspot:
        with pytest.raises(NeverSent):
            await hubspot.account_details()


async def test_a_refused_connection_was_not_carried_out() -> None:
    """Nobody listens: said with the address, and without the token."""
    async with HubSpot(Secret(TOKEN), Limiter("free"), base_url="http://127.0.0.1:1") as hubspot:
        with pytest.raises(NeverSent) as problem:
            await hubspot.account_details()
    assert "127.0.0.1:1" in str(problem.value)
    assert TOKEN not in str(problem.value)


async def test_a_dropped_connection_is_of_unknown_outcome() -> None:
    """The socket closes without an answer."""
    async with a_portal(ready=False) as portal, a_client(portal) as hubspot:
        dropped = portal.inject(Drop(applied=True), times=None)
        with pytest.raises(OutcomeUnknown):
            await hubspot.create_group("companies", "g_1", "G")
        assert dropped.hits == 1


@pytest.mark.parametrize(
    ("action", "troubled"),
    [
        (faults.locked(), True),
        (faults.rate_limited(), True),
        (faults.error(503, "down"), True),
        (faults.html(524), True),
        (Drop(), True),
        (faults.error(400, "no"), False),
        (faults.error(404, "no"), False),
        (faults.html(403), False),
    ],
)
async def test_what_is_too_much_for_hubspot_is_noted_for_the_pace(
    action: Action, troubled: bool
) -> None:
    """423, 429, 5xx and silence call for fewer batches; what is refused for a reason does not."""
    async with a_portal(ready=False) as portal, a_client(portal) as hubspot:
        portal.inject(action)
        with metered(hubspot.limiter.clock) as meter, suppress(OutcomeUnknown):
            await hubspot.create_group("companies", "g_1", "G")
    assert meter.troubled is troubled
    assert meter.calls == {"general": 1}


@pytest.mark.parametrize(
    ("body", "worked"),
    [
        (b'{"startedAt":"2026-03-01T10:00:00.250Z","completedAt":"2026-03-01T10:00:01Z"}', 0.75),
        (b'{"startedAt":"2026-03-01T10:00:01Z","completedAt":"2026-03-01T10:00:00Z"}', 0.0),
        (b'{"startedAt":"2026-03-01T10:00:01","completedAt":"2026-03-01T10:00:02Z"}', 0.0),
        (b'{"startedAt":"soon","completedAt":7}', 0.0),
        (b'{"startedAt":null}', 0.0),
        (b"[]", 0.0),
    ],
)
def test_how_long_hubspot_worked_is_read_from_a_batch_s_answer(body: bytes, worked: float) -> None:
    """What is missing, absurd or of another kind says nothing."""
    assert worked_s(msgspec.json.decode(body)) == worked


async def test_silence_ends_in_time() -> None:
    """A server that never answers is given up after the read time."""
    async with a_portal(ready=False) as portal, a_client(portal, read_s=0.05) as hubspot:
        portal.inject(Hold())
        with pytest.raises(OutcomeUnknown, match="no answer in time"):
            await hubspot.account_details()


async def test_a_redirect_is_not_followed() -> None:
    """The token goes to the configured address and nowhere else."""
    async with a_portal(ready=False) as portal, a_client(portal) as hubspot:
        portal.inject(Answer(status=302, headers={"Location": "http://127.0.0.1:1/"}))
        assert (await hubspot.account_details()).status == 302


async def test_the_limiter_learns_from_real_headers() -> None:
    """The portal's tier is seen after one call, whatever was configured."""
    async with (
        a_portal(ready=False, limits="tier", tier="professional") as portal,
        a_client(portal, limiter=Limiter("free")) as hubspot,
    ):
        await hubspot.account_details()
        state = hubspot.limiter.state()
    assert state.gates[0].limit == 186
    assert state.daily_limit == 625_000
    assert str(hubspot.limiter.portal_zone) == "America/Chicago"


async def test_the_portal_never_refuses_what_the_limiter_lets_through() -> None:
    """A burst far above the limit: what passes in time gets no 429."""
    async with (
        a_portal(ready=False, limits="tier", tier="free") as portal,
        a_client(portal, limiter=Limiter("free")) as hubspot,
    ):
        calls = [asyncio.create_task(hubspot.account_details()) for _ in range(120)]
        async with asyncio.timeout(20):
            while portal.calls.count() < 98:  # noqa: ASYNC110 - until the gate shuts
                await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert portal.calls.count(status=429) == 0
        assert hubspot.limiter.state().gates[0].used == 98


async def test_the_day_s_limit_keeps_further_calls_from_leaving() -> None:
    """After a DAILY 429 nothing more is sent until the portal's midnight."""
    async with a_portal(ready=False) as portal, a_client(portal) as hubspot:
        portal.inject(faults.rate_limited("DAILY"))
        assert (await hubspot.account_details()).status == 429
        with pytest.raises(DailyLimitReached):
            await hubspot.account_details()
        assert len(portal.calls) == 1


@pytest.mark.parametrize(
    "address",
    [
        "http://api.hubapi.com",
        "http://10.0.0.7:8080",
        "ftp://127.0.0.1",
        "api.hubapi.com",
        "https://user:word@api.hubapi.com",
        "http://127.0.0.1.example.com",
        "https://",
    ],
)
def test_an_address_that_would_show_the_token_is_refused(address: str) -> None:
    """Plain http only on this machine; never with credentials in the address."""
    with pytest.raises(Misconfigured):
        HubSpot(Secret(TOKEN), Limiter("free"), base_url=address)


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080", "http://[::1]:1", "http://localhost"])
def test_plain_http_is_for_this_machine(address: str) -> None:
    """The sandbox needs no certificate."""
    assert HubSpot(Secret(TOKEN), Limiter("free"), base_url=address).base_url == address


async def test_the_counter_tells_what_was_added() -> None:
    """For the books: calls since the last time, nothing when there were none."""
    async with a_portal(ready=False) as portal, a_client(portal) as hubspot:
        await hubspot.account_details()
        counted = hubspot.calls.since_last()
        assert counted is not None
        assert (counted.hubspot_calls, counted.hubspot_reads, counted.hubspot_writes) == (1, 1, 0)
        assert hubspot.calls.since_last() is None
