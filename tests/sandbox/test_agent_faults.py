"""Scripted misbehaviour: the agent fails the way it is told to, as often as it is told to."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from lxml import etree

from connector.sandbox.agent import (
    FAULT_CODES,
    DoctypeXml,
    DropConnection,
    Hold,
    HttpAnswer,
    MalformedXml,
    SoapFault,
    TruncatedBody,
)
from tests.sandbox.agent_wire import A, read, serving

LIMIT_S = 10.0
CONTRACT = {  # code: (faultcode, retryable)
    "InvalidCompany": ("soap:Client", "false"),
    "ExternalAccessDisabled": ("soap:Server", "false"),
    "UnknownEntity": ("soap:Client", "false"),
    "UnknownColumn": ("soap:Client", "false"),
    "InvalidCursor": ("soap:Client", "false"),
    "NotFound": ("soap:Client", "false"),
    "LogonFailed": ("soap:Server", "false"),
    "SessionBusy": ("soap:Server", "true"),
    "LicenseExhausted": ("soap:Server", "true"),
    "ExclusiveUse": ("soap:Server", "true"),
    "RecordLocked": ("soap:Server", "true"),
    "Internal": ("soap:Server", "true"),
}


@pytest.mark.parametrize("code", CONTRACT)
async def test_every_fault_code_can_be_scripted(code: str) -> None:
    """Each code of the contract answers 500 with its faultcode and retryability, then is over."""
    async with serving() as wire:
        wire.agent.inject(SoapFault(code=code, message="told <so>", retry_after_s=7))
        answer = await wire.page_call("AR_Customer")
        assert answer.fault == (CONTRACT[code][0], code)
        detail = answer.payload.find(f"detail/{A}AgentFault")
        assert detail is not None
        assert detail.findtext(f"{A}Message") == "told <so>"
        assert detail.findtext(f"{A}Retryable") == CONTRACT[code][1]
        assert detail.findtext(f"{A}RetryAfterSeconds") == "7"
        assert (await wire.page_call("AR_Customer")).status == 200
        assert wire.agent.calls.answers == {code: 1, "ok": 1}


def test_the_codes_are_those_of_the_contract() -> None:
    """The simulator knows every code of the contract and no other."""
    assert set(FAULT_CODES) == set(CONTRACT)
    with pytest.raises(ValueError, match="no fault code"):
        SoapFault(code="Broken")


async def test_usual_waits_go_with_retryable_faults_only() -> None:
    """Without a wait of its own, a retryable fault names a usual one, a final fault none."""
    async with serving() as wire:
        for code, wait in (("ExclusiveUse", "300"), ("LogonFailed", None)):
            wire.agent.inject(SoapFault(code=code))
            answer = await wire.call("GetInfo", "")
            found = answer.payload.findtext(f"detail/{A}AgentFault/{A}RetryAfterSeconds")
            assert found == wait


async def test_faults_strike_what_they_are_meant_for() -> None:
    """Filters by operation, entity and company, a number of hits and a head start are kept."""
    async with serving() as wire:
        wire.agent.inject(
            SoapFault(
                code="RecordLocked", entity="AR_Invoice", operation="ReadPage", after=1, times=2
            )
        )
        assert (await wire.page_call("AR_Customer")).status == 200
        answers = [(await wire.page_call("AR_Invoice", limit=1)).status for _ in range(4)]
        assert answers == [200, 500, 500, 200]
        wire.agent.inject(SoapFault(code="Internal", company="XYZ"))
        assert (await wire.page_call("AR_Customer")).status == 200


async def test_faults_wait_for_an_authenticated_request() -> None:
    """A refused log-on or a malformed request does not use a scripted fault up."""
    async with serving() as wire:
        wire.agent.inject(SoapFault(code="SessionBusy"))
        good, wire.api_key = wire.api_key, "wrong"
        assert (await wire.page_call("AR_Customer")).status == 403
        wire.api_key = good
        assert (await wire.page_call("AR_Customer", limit=0)).fault == ("soap:Client", None)
        assert (await wire.page_call("AR_Customer")).fault[1] == "SessionBusy"


async def test_strangers_answers() -> None:
    """Any status, body and header can be answered in the agent's stead, HTML with 200 included."""
    async with serving() as wire:
        wire.agent.inject(HttpAnswer(status=503, headers={"Retry-After": "30"}))
        answer = await wire.call("GetInfo", "")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
        assert answer.headers["Content-Type"] == "text/html"
        wire.agent.inject(HttpAnswer(status=200, body="<html>tunnel</html>"))
        assert (await wire.call("GetInfo", "")).body == b"<html>tunnel</html>"


async def test_broken_bodies() -> None:
    """A truncated body breaks the read, a malformed one the parse, a DTD stands before the rest."""
    async with serving() as wire:
        wire.agent.inject(TruncatedBody())
        with pytest.raises(aiohttp.ClientPayloadError):
            await wire.page_call("AR_Customer")
        wire.agent.inject(MalformedXml())
        answer = await wire.page_call("AR_Customer")
        assert answer.status == 200
        with pytest.raises(etree.XMLSyntaxError):
            etree.fromstring(answer.body)
        wire.agent.inject(DoctypeXml())
        answer = await wire.page_call("AR_Customer")
        assert answer.root.getroottree().docinfo.internalDTD is not None
        assert read(await wire.page_call("AR_Customer")).complete


async def test_dropped_connections() -> None:
    """A dropped connection ends without a byte, and the next request is served."""
    async with serving() as wire:
        wire.agent.inject(DropConnection())
        with pytest.raises(aiohttp.ClientError):
            await wire.page_call("AR_Customer")
        assert (await wire.page_call("AR_Customer")).status == 200


async def test_held_requests_wait_until_released() -> None:
    """A held request answers as usual once it is released, and others pass meanwhile."""
    async with serving() as wire:
        hold = wire.agent.inject(Hold(entity="AR_Customer"))
        waiting = asyncio.create_task(wire.page_call("AR_Customer"))
        await asyncio.wait_for(hold.reached.wait(), LIMIT_S)
        assert (await wire.page_call("AP_Vendor")).status == 200
        assert not waiting.done()
        assert wire.agent.calls.in_flight == 1
        hold.release()
        answer = await asyncio.wait_for(waiting, LIMIT_S)
        assert read(answer).complete
        assert wire.agent.calls.most_in_flight == 2


async def test_the_wsdl_can_fail_too() -> None:
    """Faults meant for the WSDL strike its GET alone."""
    async with serving() as wire:
        wire.agent.inject(HttpAnswer(status=404, operation="WSDL"))
        wire.agent.inject(SoapFault(code="Internal", operation="WSDL"))
        assert (await wire.call("GetInfo", "")).status == 200
        statuses = [(await wire.send(b"", method="GET", query="?wsdl")).status for _ in range(3)]
        assert statuses == [404, 500, 200]


async def test_leaving_lets_held_requests_go() -> None:
    """An agent that stops does not wait for a hold that nobody releases."""
    async with serving() as wire:
        hold = wire.agent.inject(Hold())
        waiting = asyncio.create_task(wire.call("GetInfo", ""))
        await asyncio.wait_for(hold.reached.wait(), LIMIT_S)
        async with asyncio.timeout(LIMIT_S):
            await wire.agent.__aexit__(None, None, None)
        await asyncio.wait([waiting], timeout=LIMIT_S)
        assert waiting.done()
        waiting.exception()
