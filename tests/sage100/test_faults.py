"""Faults of the contract, refusals, and when the client asks again."""

from __future__ import annotations

import pytest
from aiohttp import web

from connector.errors import ConnectorError, Misconfigured, OtherEndFailed, Refused, Unreachable
from connector.sage100.errors import (
    AgentBusy,
    AgentError,
    AgentFault,
    AgentMisfit,
    BadAnswer,
    CursorInvalid,
    LogonRefused,
    NotTheAgent,
    RecordNotFound,
)
from connector.sage100.retry import Retry
from tests.sage100 import wire

GOOD = wire.page(("TermsCode",), [("00",)])
FAULTS = [
    ("InvalidCompany", False, AgentMisfit),
    ("ExternalAccessDisabled", False, AgentMisfit),
    ("UnknownEntity", False, AgentMisfit),
    ("UnknownColumn", False, AgentMisfit),
    ("InvalidCursor", False, CursorInvalid),
    ("NotFound", False, RecordNotFound),
    ("LogonFailed", False, LogonRefused),
    ("SessionBusy", True, AgentBusy),
    ("LicenseExhausted", True, AgentBusy),
    ("ExclusiveUse", True, AgentBusy),
    ("RecordLocked", True, AgentBusy),
    ("Internal", True, AgentBusy),
    ("SomethingNew", False, AgentFault),
    ("SomethingNew", True, AgentBusy),
]


async def failing(
    *handlers: wire.Handler, retry: Retry, waits: wire.Waits
) -> tuple[AgentError, int]:
    """The error a page ends in, and how many requests it took."""
    async with (
        wire.serve(*handlers) as served,
        wire.client(served.endpoint, retry=retry, waits=waits) as agent,
    ):
        with pytest.raises(AgentError) as caught:
            await agent.read_page("ABC", "AR_TermsCode")
        assert agent.calls == len(served.requests)
        return caught.value, len(served.requests)


@pytest.mark.parametrize(("code", "retryable", "kind"), FAULTS)
async def test_each_fault_has_its_error_and_its_number_of_attempts(
    code: str, retryable: bool, kind: type[AgentError]
) -> None:
    """Retryable faults are tried to the end, all others exactly once; the message is passed on."""
    body = wire.fault(code, retryable=retryable, message="Period end is running in A/R")
    error, asked = await failing(wire.answer(body, 500), retry=Retry(tries=3), waits=wire.Waits())
    assert type(error) is kind
    assert error.code == code
    assert "Period end is running in A/R" in error.what
    assert error.retryable is retryable
    assert asked == error.attempts == (3 if retryable else 1)
    assert error.stopped is (code == "LogonFailed")


async def test_a_refused_log_on_is_never_retried_whatever_the_fault_says() -> None:
    """An agent that calls LogonFailed retryable does not get the account locked by us."""
    body = wire.fault("LogonFailed", retryable=True, after_s=1)
    waits = wire.Waits()
    error, asked = await failing(wire.answer(body, 500), retry=Retry(tries=5), waits=waits)
    assert (type(error), asked, waits.slept) == (LogonRefused, 1, [])


@pytest.mark.parametrize("status", [401, 403, 407])
async def test_a_refusing_status_takes_exactly_one_attempt(status: int) -> None:
    """401 and 403 stop at once, are repeated to every later caller, and cost no request more."""
    refusal = wire.answer(b"unknown key", status, "text/plain")
    async with wire.serve(refusal) as served, wire.client(served.endpoint) as agent:
        for _ in range(3):
            with pytest.raises(LogonRefused, match="unknown key") as caught:
                await agent.read_page("ABC", "AR_TermsCode")
            assert caught.value.code == str(status)
            assert caught.value.stopped
        with pytest.raises(LogonRefused):
            await agent.get_info()
        assert len(served.requests) == agent.calls == 1


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504, 530])
async def test_a_gateway_in_trouble_is_asked_again(status: int) -> None:
    """What stands in front of the agent may recover; then the answer counts."""
    page = b"<html><title>Bad gateway</title></html>"
    trouble = wire.answer(page, status, "text/html")
    waits = wire.Waits()
    async with (
        wire.serve(trouble, trouble, wire.answer(GOOD)) as served,
        wire.client(served.endpoint, waits=waits) as agent,
    ):
        assert len((await agent.read_page("ABC", "AR_TermsCode")).rows) == 1
    assert waits.slept == [1, 2]


@pytest.mark.parametrize("status", [200, 302, 400, 404, 405, 413, 500, 501])
async def test_any_other_answer_from_elsewhere_is_not_asked_again(status: int) -> None:
    """An HTML page under another status will not turn into the agent by asking again."""
    page = wire.answer(b"<html><title>IIS 10.0</title></html>", status, "text/html")
    error, asked = await failing(page, retry=Retry(), waits=wire.Waits())
    assert type(error) is NotTheAgent
    assert "IIS 10.0" in error.what
    assert asked == 1


async def test_a_fault_with_status_200_is_still_a_fault() -> None:
    """Some SOAP stacks send faults with the wrong status."""
    body = wire.fault("UnknownEntity", retryable=False)
    error, _ = await failing(wire.answer(body, 200), retry=Retry(), waits=wire.Waits())
    assert type(error) is AgentMisfit


async def test_a_failure_status_without_fault_is_a_bad_answer() -> None:
    """500 with a good page in it is neither a page nor a fault."""
    error, _ = await failing(wire.answer(GOOD, 500), retry=Retry(), waits=wire.Waits())
    assert type(error) is BadAnswer


async def test_a_fault_without_the_agents_detail_keeps_its_text() -> None:
    """A fault from the SOAP stack itself is reported with what it says."""
    body = wire.envelope(
        "<s:Fault><faultcode>s:Client</faultcode><faultstring>bad action</faultstring></s:Fault>"
    )
    error, _ = await failing(wire.answer(body, 500), retry=Retry(), waits=wire.Waits())
    assert type(error) is AgentFault
    assert "bad action" in error.what


async def test_waits_grow_and_are_never_shorter_than_told() -> None:
    """Exponential waits up to the cap, and RetryAfterSeconds is a lower bound."""
    told = wire.answer(wire.fault("RecordLocked", retryable=True, after_s=5), 500)
    waits = wire.Waits()
    await failing(told, retry=Retry(tries=6, cap_s=10), waits=waits)
    assert waits.slept == [5, 5, 5, 8, 10]


async def test_the_total_time_bounds_the_attempts() -> None:
    """No wait begins that would end after the deadline: the fault is handed on instead."""
    told = wire.answer(wire.fault("ExclusiveUse", retryable=True, after_s=300), 500)
    waits = wire.Waits()
    error, asked = await failing(
        told, retry=Retry(tries=9, deadline_s=600, longest_s=300), waits=waits
    )
    assert (asked, waits.slept, error.retry_after_s) == (3, [300, 300], 300)


async def test_retry_after_of_a_gateway_is_obeyed() -> None:
    """A 503 may say how long to wait, as a fault may."""

    async def busy(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503, text="busy", headers={"Retry-After": "17"})

    waits = wire.Waits()
    await failing(busy, retry=Retry(tries=2), waits=waits)
    assert waits.slept == [17]


@pytest.mark.parametrize("wait", ["-5", "1e9", "soon", "9999999", ""])
async def test_nonsense_waits_are_ignored(wait: str) -> None:
    """Only a plain number of seconds is obeyed."""
    good = wire.fault("Internal", retryable=True, after_s=7)
    body = good.replace(b">7<", f">{wait}<".encode())
    waits = wire.Waits()
    await failing(wire.answer(body, 500), retry=Retry(tries=2), waits=waits)
    assert waits.slept == [1]


@pytest.mark.parametrize("wait", ["soon", "-5", "100000", "9" * 20, "9" * 400])
async def test_nonsense_waits_of_a_gateway_are_ignored(wait: str) -> None:
    """A header is believed no further than a fault: no number of seconds that has no end."""

    async def busy(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503, text="busy", headers={"Retry-After": wait})

    waits = wire.Waits()
    error, _ = await failing(busy, retry=Retry(tries=2), waits=waits)
    assert (waits.slept, error.retry_after_s) == ([1], None)


async def test_what_a_fault_says_is_bounded_and_cleaned() -> None:
    """A fault's message cannot flood a log or forge lines in it, nor echo our secrets."""
    message = f"line one\nline two {wire.API_KEY} " + "x" * 5_000
    body = wire.fault("Internal", retryable=False, message=message)
    error, _ = await failing(wire.answer(body, 500), retry=Retry(), waits=wire.Waits())
    assert len(error.what) < 400
    assert "\n" not in error.what
    assert wire.API_KEY not in error.what


def test_the_tree_says_what_to_do_and_how_to_exit() -> None:
    """Configuration exits 2, the other end 3, and each agent error is one of the tree."""
    assert issubclass(AgentMisfit, Misconfigured)
    assert AgentMisfit.exit_code == 2
    assert issubclass(LogonRefused, Refused)
    assert issubclass(AgentBusy, Unreachable)
    assert {LogonRefused.exit_code, AgentBusy.exit_code, BadAnswer.exit_code} == {3}
    assert issubclass(BadAnswer, OtherEndFailed)
    assert ConnectorError.exit_code == 1
    assert str(ConnectorError()) == "Something needs a person."
    assert str(Misconfigured("Bad.", where="[x] y")) == (
        "[x] y: Bad. Remedy: Correct the configuration and start again."
    )
