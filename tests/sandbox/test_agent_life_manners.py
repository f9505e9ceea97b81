"""How an agent and its site behave badly: shut, locked, capped, wrong, slow, endless, away."""

from __future__ import annotations

import aiohttp
import pytest

from connector.sandbox.agent import (
    Capacity,
    Exclusive,
    ModelError,
    Oversized,
    StrangerPage,
    Trickle,
    TruncatedBody,
    maintenance,
)
from connector.sandbox.agent.pages import PAGES, PageName
from tests.sandbox.agent_wire import A, read, serving
from tests.sandbox.test_agent_life_sessions import asked, drive, paced

ABF = ("01", "ABF")


async def test_exclusive_use_shuts_out_readers() -> None:
    """While period end runs in A/R its files are refused with a wait; A/P is not, nor GetInfo."""
    async with serving() as wire:
        wire.agent.conduct.exclusive = Exclusive(module="AR", retry_after_s=77)
        answer = await wire.page_call("AR_Customer")
        assert answer.fault == ("soap:Server", "ExclusiveUse")
        assert answer.payload.findtext(f"detail/{A}AgentFault/{A}RetryAfterSeconds") == "77"
        assert (await wire.row_call("AR_Customer", ABF)).fault[1] == "ExclusiveUse"
        assert (await wire.page_call("AP_Vendor")).status == 200
        assert (await wire.call("GetInfo", "")).status == 200
        wire.agent.conduct.exclusive = Exclusive(company="XYZ")
        assert (await wire.page_call("AR_Customer")).status == 200
        wire.agent.conduct.exclusive = None
        assert (await wire.page_call("AR_Customer")).status == 200


async def test_a_record_in_use_locks_the_pages_that_hold_it() -> None:
    """A locked row refuses its own read and every page it is on, and no other page."""
    async with serving() as wire:
        wire.agent.conduct.lock("AR_Customer", ABF)
        assert (await wire.row_call("AR_Customer", ABF)).fault[1] == "RecordLocked"
        assert (await wire.page_call("AR_Customer")).fault[1] == "RecordLocked"
        assert (await wire.row_call("AR_Customer", ("02", "ABF"))).status == 200
        first = wire.agent.model.rows("AR_Customer")[0]
        assert (first["ARDivisionNo"], first["CustomerNo"]) != ABF
        assert (await wire.page_call("AR_Customer", limit=1)).status == 200
        wire.agent.conduct.unlock("AR_Customer", ABF)
        assert (await wire.page_call("AR_Customer")).status == 200
        with pytest.raises(ModelError, match="no key"):
            wire.agent.conduct.lock("AR_Customer", ("01",))


async def test_a_capped_scan_never_reaches_the_end() -> None:
    """Behind the cap nothing is served: no Next, not Complete, and a known key is NotFound."""
    async with serving() as wire:
        wire.agent.conduct.scan_cap = 25
        pages = await wire.everything("AR_Customer", limit=10)
        assert [len(page.rows) for page in pages] == [10, 10, 5]
        last = pages[-1]
        assert (last.following, last.complete, last.capped) == (None, False, True)
        rows = wire.agent.model.rows("AR_Customer")
        assert [row for page in pages for row in page.rows] == rows[:25]
        for at, status in ((24, 200), (25, 500)):
            where = (rows[at]["ARDivisionNo"], rows[at]["CustomerNo"])
            assert (await wire.row_call("AR_Customer", where)).status == status
        assert (await wire.page("AR_TermsCode")).complete
        wire.agent.conduct.scan_cap = 60
        assert (await wire.everything("AR_Customer"))[-1].complete


async def test_a_separator_in_a_name_shifts_the_columns() -> None:
    """A Š parts its cell in two: what follows moves on by one, the last cell is lost."""
    async with serving() as wire:
        maintenance.change_customer(
            wire.agent.company, ABF, {"CustomerName": "Šimek", "AddressLine1": "1 Main"}
        )
        honest = read(await wire.row_call("AR_Customer", ABF)).rows[0]
        wire.agent.conduct.separator_collision = True
        shifted = read(await wire.row_call("AR_Customer", ABF)).rows[0]
        assert (shifted["CustomerName"], shifted["AddressLine1"]) == ("", "imek")
        assert shifted["AddressLine2"] == "1 Main"
        assert len(shifted) == len(honest)
        others = (await wire.page("AP_Vendor")).rows
        clean = [row for row in wire.agent.model.rows("AP_Vendor") if "Š" not in str(row)]
        assert [row for row in others if row in clean] == clean


async def test_a_wrong_column_name_gives_blanks() -> None:
    """A column that the agent asks for wrongly is blank in every row, asked for or not."""
    async with serving() as wire:
        wire.agent.conduct.blank_columns.add("AR_Customer.CustomerName")
        for wanted in (None, "CustomerName City"):
            rows = (await wire.page("AR_Customer", columns=wanted)).rows
            assert {row["CustomerName"] for row in rows} == {""}
            assert any(row["City"] for row in rows)


async def test_an_agent_that_restarts_refuses_connections() -> None:
    """Between its end and its return nobody listens; data and cursors survive, the session not."""
    async with paced() as (wire, pace):
        page = await wire.page("AR_Customer", limit=5)
        gap = wire.agent.restart(60)
        await pace.asleep(1)
        with pytest.raises(aiohttp.ClientConnectionError):
            await wire.page_call("AR_Customer")
        with pytest.raises(ModelError, match="already"):
            wire.agent.restart(1)
        pace.advance(60)
        await gap
        after = await wire.page("AR_Customer", limit=5, after=page.following)
        assert after.rows == wire.agent.model.rows("AR_Customer")[5:10]
        assert wire.agent.sessions.opened == 2


async def test_an_agent_can_be_left_while_it_is_away() -> None:
    """Leaving ends a restart that nobody waits for."""
    async with paced() as (wire, pace):
        gap = wire.agent.restart(60)
        await pace.asleep(1)
    assert gap.cancelled()


async def test_a_trickle_comes_in_pieces() -> None:
    """The right answer, piece by piece, with a pause between."""
    async with paced() as (wire, pace):
        wire.agent.inject(Trickle(piece_bytes=1000, pause_s=3))
        task = asked(wire)
        assert await drive(pace, task, 3) >= 3
        assert read(await task).complete
        with pytest.raises(ValueError, match="pieces"):
            Trickle(piece_bytes=0)


@pytest.mark.parametrize("compressed", [False, True])
async def test_an_oversized_answer_is_as_large_as_told(compressed: bool) -> None:
    """The right answer, padded inside; compressed it is small on the way and large after."""
    async with serving() as wire:
        wire.agent.inject(Oversized(body_bytes=3_000_000, compressed=compressed))
        answer = await wire.page_call("AR_TermsCode")
        assert len(answer.body) >= 3_000_000
        assert read(answer).complete


async def test_a_client_may_hang_up_on_an_endless_answer() -> None:
    """A client that closes in the middle of an oversized answer leaves a working agent."""
    async with serving() as wire:
        wire.agent.inject(Oversized(body_bytes=1_000_000_000))
        headers = {
            "X-API-Key": wire.agent.api_key,
            "Authorization": wire.authorization or "",
            "SOAPAction": '"urn:ml-connector:sage100-agent:v1/GetInfo"',
            "Content-Type": "text/xml; charset=utf-8",
        }
        body = (
            b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
            b'<GetInfo xmlns="urn:ml-connector:sage100-agent:v1"/></s:Body></s:Envelope>'
        )
        async with wire.session.post(wire.agent.endpoint, data=body, headers=headers) as response:
            assert len(await response.content.readexactly(1_000_000)) == 1_000_000
            response.close()
        assert (await wire.page_call("AR_Customer")).status == 200


@pytest.mark.parametrize("page", PAGES)
async def test_strangers_answer_with_their_pages(page: PageName) -> None:
    """IIS and tunnels answer HTML, with their own status or with the one a proxy made of it."""
    async with serving() as wire:
        wire.agent.inject(StrangerPage(page=page))
        answer = await wire.call("GetInfo", "")
        assert answer.status in {404, 500, 502, 503, 530}
        assert answer.headers["Content-Type"].startswith("text/html")
        wire.agent.inject(StrangerPage(page=page, status=200))
        again = await wire.call("GetInfo", "")
        assert (again.status, again.body) == (200, answer.body)
        assert b"<html>" in answer.body


def test_unknown_pages_and_limits_are_refused() -> None:
    """A page or a capacity that makes no sense is named when it is made."""
    with pytest.raises(ValueError, match="no page 'iis-418'"):
        StrangerPage(page="iis-418")  # type: ignore[arg-type]
    for wrong in ({"sessions": 0}, {"wait_s": -1}, {"cold_start_s": -1}, {"row_delay_s": -1}):
        with pytest.raises(ValueError, match=r"must be"):
            Capacity(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("abruptly", [False, True])
async def test_a_connection_can_end_in_the_body(abruptly: bool) -> None:
    """A kept-alive connection dropped in the middle of a body is a broken read, not a short one."""
    async with serving() as wire:
        assert (await wire.page_call("AR_TermsCode")).status == 200
        wire.agent.inject(TruncatedBody(abruptly=abruptly, share=0.3))
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)):
            await wire.page_call("AR_Customer")
        assert (await wire.page_call("AR_TermsCode")).status == 200
