"""What is not the contract is refused, and what is meant to harm does none."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.sandbox.agent.errors import RequestRefused
from connector.sandbox.agent.requests import ReadPage, parse
from tests.sandbox.agent_wire import NS, SOAP, envelope, serving

ACTION = f'"{NS}/ReadPage"'
_PIECES = [b"<a:V>", b"</a:V>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?p ?>", b"&#x9;"]
START = "<a:CompanyCode>ABC</a:CompanyCode><a:Entity>AR_Customer</a:Entity>"
GOOD = f"<a:ReadPage>{START}<a:Limit>1</a:Limit></a:ReadPage>"


async def test_the_good_request_is_good() -> None:
    """The request that the others spoil is answered; the namespace prefix does not matter."""
    respelt = envelope(GOOD).replace(b"a:", b"x:").replace(b"xmlns:a=", b"xmlns:x=")
    commented = envelope(GOOD.replace("ABC", "A<!-- c -->BC"))
    async with serving() as wire:
        for body in (envelope(GOOD), respelt, commented):
            assert (await wire.send(body, action=ACTION)).status == 200
        for content_type in ("text/xml", 'Text/XML; charset="UTF-8"'):
            answer = await wire.send(envelope(GOOD), action=ACTION, content_type=content_type)
            assert answer.status == 200


@pytest.mark.parametrize(
    "inner",
    [
        f"<a:ReadPage>{START}</a:ReadPage>",
        "<a:ReadPage><a:Entity>AR_Customer</a:Entity><a:Limit>1</a:Limit></a:ReadPage>",
        f"<a:ReadPage><a:Limit>1</a:Limit>{START}</a:ReadPage>",
        f"<a:ReadPage>{START}<a:Limit>1</a:Limit><a:Limit>1</a:Limit></a:ReadPage>",
        f"<a:ReadPage>{START}<a:Offset>1</a:Offset><a:Limit>1</a:Limit></a:ReadPage>",
        f"<a:ReadPage>{START}<Limit>1</Limit></a:ReadPage>",
        f"<a:ReadPage>{START}text<a:Limit>1</a:Limit></a:ReadPage>",
        f"<a:ReadPage>{START}<a:Limit><a:V>1</a:V></a:Limit></a:ReadPage>",
        f'<a:ReadPage>{START}<a:Limit unit="rows">1</a:Limit></a:ReadPage>',
        f"<a:ReadPage>{START}<a:Columns> </a:Columns><a:Limit>1</a:Limit></a:ReadPage>",
        f"<a:ReadPage xmlns:a='urn:other'>{START}<a:Limit>1</a:Limit></a:ReadPage>",
        "<a:ReadRow><a:CompanyCode>ABC</a:CompanyCode><a:Entity>AR_Customer</a:Entity></a:ReadRow>",
        "<a:DropTables/>",
        "",
        GOOD + GOOD,
    ],
)
async def test_wrong_bodies_are_client_faults(inner: str) -> None:
    """Missing, doubled, misplaced, unknown or misspelt elements are soap:Client faults."""
    async with serving() as wire:
        assert (await wire.send(envelope(inner), action=ACTION)).fault == ("soap:Client", None)
        assert wire.agent.calls.answers == {"Client": 1}


@pytest.mark.parametrize("limit", ["0", "501", "-1", "", "1.0", "1e2", "９", "99999999999"])
async def test_limits_are_one_to_five_hundred(limit: str) -> None:
    """Limit is a whole number from 1 to 500, nothing else."""
    async with serving() as wire:
        assert (await wire.page_call("AR_Customer", limit=limit)).fault == ("soap:Client", None)


@pytest.mark.parametrize("since", ["", "2026-11-22", "20261322", "20260230", "2026112", "today"])
async def test_changed_since_is_a_date(since: str) -> None:
    """ChangedSince is a day of the calendar, YYYYMMDD."""
    async with serving() as wire:
        assert (await wire.page_call("AR_Customer", since=since)).fault == ("soap:Client", None)


@pytest.mark.parametrize("key", [[], ["01"], ["01", "ABF", ""]])
async def test_keys_have_all_their_parts(key: list[str]) -> None:
    """ReadRow takes one V per key column."""
    async with serving() as wire:
        assert (await wire.row_call("AR_Customer", key)).fault == ("soap:Client", None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not xml",
        b"<",
        envelope(GOOD)[:-10],
        envelope(GOOD).replace(b"utf-8", b"utf-16"),
        envelope(GOOD).decode().encode("utf-16"),
        envelope(GOOD).replace(b"utf-8", b"iso-8859-1"),
        envelope(GOOD).replace(b"ABC", b"A\xff"),
        envelope(GOOD).replace(b"ABC", b"A&#0;"),
        envelope(GOOD).replace(b"ABC", b"A\x00"),
        b"<a/>",
        envelope(GOOD).replace(b"soap:Body", b"soap:Bodies"),
        b"<x>" * 5_000,
    ],
)
async def test_broken_documents_are_client_faults(body: bytes) -> None:
    """What is no UTF-8 XML document with a SOAP 1.1 envelope is a soap:Client fault."""
    async with serving() as wire:
        assert (await wire.send(body, action=ACTION)).fault == ("soap:Client", None)


@pytest.mark.parametrize(
    "dtd",
    [
        b"<!DOCTYPE x>",
        b'<!DOCTYPE x SYSTEM "file:///etc/passwd">',
        b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY e "&b;&b;&b;&b;">]>',
    ],
)
async def test_a_dtd_is_refused(dtd: bytes) -> None:
    """A DTD, with or without entities, is refused and never expanded or fetched."""
    head, close, rest = envelope(
        GOOD.replace("ABC", "&e;" if b"ENTITY" in dtd else "ABC")
    ).partition(b"?>")
    async with serving() as wire:
        answer = await wire.send(head + close + dtd + rest, action=ACTION)
        assert answer.fault == ("soap:Client", None)
        assert b"root:" not in answer.body


@pytest.mark.parametrize(
    "action", [None, '""', NS + "/ReadPage", f'"{NS}/GetInfo"', f'"{NS}/readpage"', "ReadPage"]
)
async def test_the_soap_action_must_name_the_operation(action: str | None) -> None:
    """SOAPAction is the quoted URI of the operation in the Body."""
    async with serving() as wire:
        answer = await wire.send(envelope(GOOD), action=action)
        assert answer.fault == ("soap:Client", None)


@pytest.mark.parametrize(
    "content_type",
    ["application/soap+xml", "application/xml", "text/plain", "text/xml; charset=latin-1", ""],
)
async def test_the_content_type_must_be_xml_in_utf8(content_type: str) -> None:
    """SOAP 1.1 is text/xml, and this contract is UTF-8."""
    async with serving() as wire:
        answer = await wire.send(envelope(GOOD), action=ACTION, content_type=content_type)
        assert answer.fault == ("soap:Client", None)


async def test_soap_rules_for_envelopes_and_headers() -> None:
    """SOAP 1.2 is a version mismatch; a header that must be understood is not."""
    twelve = envelope(GOOD).replace(SOAP.encode(), b"http://www.w3.org/2003/05/soap-envelope")
    header = "<soap:Header><t:T xmlns:t='urn:t' soap:mustUnderstand='{}'/></soap:Header><soap:Body>"
    async with serving() as wire:
        assert (await wire.send(twelve, action=ACTION)).fault[0] == "soap:VersionMismatch"
        for needed, expected in (("0", 200), ("1", 500)):
            body = envelope(GOOD).replace(b"<soap:Body>", header.format(needed).encode())
            answer = await wire.send(body, action=ACTION)
            assert answer.status == expected
        assert answer.fault[0] == "soap:MustUnderstand"


@given(st.data())
def test_no_bytes_break_the_parser(data: st.DataObject) -> None:
    """Whatever is done to a good request, it is read or refused; nothing else happens."""
    body = bytearray(envelope(GOOD))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(body)))
        cut = data.draw(st.integers(0, 30))
        body[at : at + cut] = data.draw(st.binary(max_size=8) | st.sampled_from(_PIECES))
    asked = None
    with contextlib.suppress(RequestRefused):
        asked = parse(bytes(body), ACTION)
    assert asked is None or (isinstance(asked, ReadPage) and 1 <= asked.limit <= 500)


async def test_oversized_requests_are_cut_off() -> None:
    """A request beyond the limit is answered 413 without being parsed."""
    async with serving(max_request_bytes=2_000) as wire:
        answer = await wire.send(b"x" * 3_000, action=ACTION)
        assert answer.status == 413
        assert (await wire.page_call("AR_Customer")).status == 200


async def test_other_methods_and_places() -> None:
    """Only POST, and GET of ?wsdl, mean anything; other places are not there."""
    async with serving() as wire:
        assert (await wire.send(b"", method="GET")).status == 404
        for method in ("PUT", "DELETE", "PATCH"):
            answer = await wire.send(envelope(GOOD), method=method, action=ACTION)
            assert answer.status == 405
        async with wire.session.get(wire.agent.endpoint + "/../../etc/passwd") as response:
            assert response.status == 404


async def test_faults_do_not_echo_without_end() -> None:
    """What a hostile request says comes back short, and as text."""
    async with serving() as wire:
        for answer in (
            await wire.page_call("<b>&" * 1_000),
            await wire.page_call("AR_Customer", company="x" * 30_000),
            await wire.page_call("AR_Customer", columns="x" * 30_000),
            await wire.page_call("AR_Customer", since="x" * 30_000),
            await wire.row_call("AR_Customer", ("01", "x" * 30_000)),
            await wire.send(envelope(f"<{'x' * 30_000}/>"), action=ACTION),
        ):
            assert answer.fault[0] == "soap:Client"
            assert len(answer.body) < 1_500
