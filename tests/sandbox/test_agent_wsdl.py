"""The WSDL: found where it should be, describing what is really spoken."""

from __future__ import annotations

import copy

from lxml import etree

from connector.sandbox.agent import SoapFault
from tests.sandbox.agent_wire import NS, Wire, envelope, serving

WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
BINDING = "{http://schemas.xmlsoap.org/wsdl/soap/}"
XS = "{http://www.w3.org/2001/XMLSchema}"
OPERATIONS = ["GetInfo", "ReadPage", "ReadRow"]


async def described(wire: Wire) -> etree._Element:
    """The WSDL as the agent serves it."""
    answer = await wire.send(b"", method="GET", query="?wsdl")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    return answer.root


async def test_the_wsdl_describes_all_three_operations() -> None:
    """Port type and binding hold the three operations: document/literal, with their SOAPAction."""
    async with serving() as wire:
        root = await described(wire)
        assert root.tag == f"{WSDL}definitions"
        assert root.get("targetNamespace") == NS
        ports = root.iterfind(f"{WSDL}portType/{WSDL}operation")
        assert [operation.get("name") for operation in ports] == OPERATIONS
        binding = root.find(f"{WSDL}binding/{BINDING}binding")
        assert binding is not None
        assert binding.get("style") == "document"
        actions = [
            operation.get("soapAction")
            for operation in root.iterfind(f"{WSDL}binding/{WSDL}operation/{BINDING}operation")
        ]
        assert actions == [f"{NS}/{name}" for name in OPERATIONS]
        uses = {body.get("use") for body in root.iter(f"{BINDING}body", f"{BINDING}fault")}
        assert uses == {"literal"}


async def test_the_wsdl_is_whole() -> None:
    """Every message, element and binding that the WSDL refers to is in it."""
    async with serving() as wire:
        root = await described(wire)
        elements = {e.get("name") for e in root.iterfind(f".//{XS}schema/{XS}element")}
        messages = {m.get("name") for m in root.iterfind(f"{WSDL}message")}
        parts = [part.get("element", "") for part in root.iter(f"{WSDL}part")]
        assert {part.removeprefix("a:") for part in parts} <= elements
        for name in OPERATIONS:
            assert {name, f"{name}Response"} <= elements
        used = {
            io.get("message", "").removeprefix("a:")
            for io in root.iterfind(f"{WSDL}portType/{WSDL}operation/*")
        }
        assert used == messages
        port = root.find(f"{WSDL}service/{WSDL}port")
        assert port is not None
        address = port.find(f"{BINDING}address")
        assert address is not None
        assert address.get("location") == wire.agent.endpoint


async def test_what_is_spoken_is_what_is_described() -> None:
    """Requests, responses and fault details validate against the schema of the WSDL."""
    async with serving() as wire:
        found = (await described(wire)).find(f".//{XS}schema")
        assert found is not None
        schema = etree.XMLSchema(etree.fromstring(etree.tostring(found)))
        info = await wire.call("GetInfo", "")
        page = await wire.page_call("AR_Customer", since="20261101", limit=5)
        last = await wire.page_call("AR_TermsCode")
        row = await wire.row_call("AR_Customer", ("01", "ABF"))
        for answer in (info, page, last, row):
            assert answer.status == 200
            schema.assertValid(etree.ElementTree(copy.deepcopy(answer.payload)))
        wire.agent.inject(SoapFault(code="ExclusiveUse"))
        detail = (await wire.call("GetInfo", "")).payload.find("detail")
        assert detail is not None
        schema.assertValid(etree.ElementTree(copy.deepcopy(detail[0])))
        wanted = etree.fromstring(
            envelope(
                "<a:ReadPage><a:CompanyCode>ABC</a:CompanyCode><a:Entity>AR_Customer</a:Entity>"
                "<a:Columns>CustomerNo</a:Columns><a:ChangedSince>20261122</a:ChangedSince>"
                "<a:After>x</a:After><a:Limit>500</a:Limit></a:ReadPage>"
            )
        )[0][0]
        schema.assertValid(etree.ElementTree(copy.deepcopy(wanted)))
