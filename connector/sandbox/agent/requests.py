"""SOAP requests, read strictly: what is not exactly the contract is refused with a reason.

The XML comes from anyone who can reach the port, so the parser loads nothing, expands nothing and
a document with a DTD is refused outright. Elements must be there, in order, and nothing else may
be; a lenient simulator would let a sloppy client pass that a real agent turns away.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec
from lxml import etree

from connector.sandbox.agent.errors import RequestRefused
from connector.sandbox.agent.values import parse_day

NAMESPACE = "urn:ml-connector:sage100-agent:v1"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
MAX_LIMIT = 500
_UNDERSTAND = f"{{{SOAP}}}mustUnderstand"


class GetInfo(msgspec.Struct, frozen=True):
    """Ask what the agent serves."""


class ReadPage(msgspec.Struct, frozen=True):
    """Ask for a page; `columns` None means all, `after` None means from the start."""

    company: str
    entity: str
    columns: tuple[str, ...] | None
    changed_since: str | None
    after: str | None
    limit: int


class ReadRow(msgspec.Struct, frozen=True):
    """Ask for one row by its key."""

    company: str
    entity: str
    key: tuple[str, ...]


Request = GetInfo | ReadPage | ReadRow


def parse(body: bytes, soap_action: str | None) -> Request:
    """The request of an envelope; RequestRefused for what the contract does not allow."""
    call = _payload(_document(body))
    operation = etree.QName(call).localname
    if etree.QName(call).namespace != NAMESPACE or operation not in _READERS:
        raise RequestRefused(f"the Body holds {_name(call)}, which is no operation of {NAMESPACE}")
    expected = f'"{NAMESPACE}/{operation}"'
    if soap_action != expected:
        raise RequestRefused(f"SOAPAction must be {expected} here, not {soap_action!r:.120}")
    return _READERS[operation](call)


def _document(body: bytes) -> etree._Element:
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise RequestRefused(f"the request is not well-formed XML: {error}") from None
    information = root.getroottree().docinfo
    if information.doctype or information.internalDTD is not None:
        raise RequestRefused("the request holds a DTD, which SOAP 1.1 forbids")
    if (information.encoding or "UTF-8").upper() != "UTF-8":
        raise RequestRefused(f"the request is in {information.encoding!r:.40}, not in UTF-8")
    return root


def _payload(root: etree._Element) -> etree._Element:
    if root.tag != f"{{{SOAP}}}Envelope":
        local = etree.QName(root).localname
        code = "VersionMismatch" if local == "Envelope" else "Client"
        raise RequestRefused(f"{_name(root)} is not a SOAP 1.1 Envelope", faultcode=code)
    parts = list(root)
    if parts and parts[0].tag == f"{{{SOAP}}}Header":
        for block in parts.pop(0):
            if block.get(_UNDERSTAND) in {"1", "true"}:
                message = f"the header {_name(block)} is not understood"
                raise RequestRefused(message, faultcode="MustUnderstand")
    if len(parts) != 1 or parts[0].tag != f"{{{SOAP}}}Body" or len(parts[0]) != 1:
        raise RequestRefused("an Envelope holds one Body with one element in it")
    return parts[0][0]


def _fields(call: etree._Element, **required: bool) -> dict[str, etree._Element]:
    """The children by name: each at most once, in this order, the required ones all there."""
    if call.attrib or _stray(call):
        raise RequestRefused(f"{_name(call)} holds an attribute or text that does not belong there")
    order = list(required)
    found: dict[str, etree._Element] = {}
    at = 0
    for child in call:
        name = etree.QName(child)
        if name.namespace != NAMESPACE or name.localname not in order[at:] or child.attrib:
            raise RequestRefused(
                f"{_name(child)} is not expected here; the order is {', '.join(order)}, "
                f"all in {NAMESPACE}"
            )
        at = order.index(name.localname) + 1
        found[name.localname] = child
    missing = [name for name, needed in required.items() if needed and name not in found]
    if missing:
        raise RequestRefused(f"{etree.QName(call).localname} lacks {', '.join(missing)}")
    return found


def _name(element: etree._Element) -> str:
    name = etree.QName(element)
    return f"{name.localname:.60} of {name.namespace or 'no namespace':.60}"


def _text(element: etree._Element) -> str:
    if len(element):
        raise RequestRefused(f"{etree.QName(element).localname} holds elements instead of text")
    return element.text or ""


def _stray(element: etree._Element) -> bool:
    texts = [element.text, *(child.tail for child in element)]
    return any(text and text.strip() for text in texts)


def _get_info(call: etree._Element) -> GetInfo:
    _fields(call)
    return GetInfo()


def _read_page(call: etree._Element) -> ReadPage:
    found = _fields(
        call,
        CompanyCode=True,
        Entity=True,
        Columns=False,
        ChangedSince=False,
        After=False,
        Limit=True,
    )
    texts = {name: _text(element) for name, element in found.items()}
    since = texts.get("ChangedSince")
    if since is not None and parse_day(since) is None:
        raise RequestRefused(f"ChangedSince {since!r:.40} is not a date YYYYMMDD")
    columns = tuple(texts["Columns"].split()) if "Columns" in texts else None
    if columns == ():
        raise RequestRefused("Columns is empty; leave it out to get them all")
    limit = texts["Limit"].strip()
    if not re.fullmatch("[0-9]{1,4}", limit) or not 1 <= int(limit) <= MAX_LIMIT:
        raise RequestRefused(f"Limit {limit!r:.40} is not a number from 1 to {MAX_LIMIT}")
    return ReadPage(
        company=texts["CompanyCode"],
        entity=texts["Entity"],
        columns=columns,
        changed_since=since,
        after=texts.get("After"),
        limit=int(limit),
    )


def _read_row(call: etree._Element) -> ReadRow:
    found = _fields(call, CompanyCode=True, Entity=True, Key=True)
    parts = found["Key"]
    if not len(parts) or parts.attrib or _stray(parts):
        raise RequestRefused("Key holds one V per key column")
    for part in parts:
        if part.tag != f"{{{NAMESPACE}}}V" or part.attrib:
            raise RequestRefused(f"Key holds V elements of {NAMESPACE}, not {_name(part)}")
    return ReadRow(
        company=_text(found["CompanyCode"]),
        entity=_text(found["Entity"]),
        key=tuple(_text(part) for part in parts),
    )


_READERS: dict[str, Callable[[etree._Element], Request]] = {
    "GetInfo": _get_info,
    "ReadPage": _read_page,
    "ReadRow": _read_row,
}
