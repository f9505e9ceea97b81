"""SOAP responses as bytes: envelopes, pages, the agent's self-description, faults.

Pages are the hot path: packed rows are joined, escaped in three passes over the whole page, and the
separators replaced by tags. Cells are clean when they enter the model, so escaping is all it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter

from connector.sandbox.agent.errors import AgentFault, RequestRefused
from connector.sandbox.agent.faults import FAULT_CODES
from connector.sandbox.agent.layouts import Entity
from connector.sandbox.agent.model import Company
from connector.sandbox.agent.options import AgentOptions
from connector.sandbox.agent.requests import NAMESPACE, SOAP
from connector.sandbox.agent.table import CELL_SEPARATOR
from connector.sandbox.agent.values import xml_text

CONTENT_TYPE = "text/xml; charset=utf-8"
_CELL = CELL_SEPARATOR.encode()
_ROW = b"\x1e"  # forbidden in XML as well, and never in a packed row
_HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>'
    f'<soap:Envelope xmlns:soap="{SOAP}" xmlns:a="{NAMESPACE}"><soap:Body>'
).encode()
_TAIL = b"</soap:Body></soap:Envelope>"


def envelope(payload: bytes) -> bytes:
    """A whole SOAP 1.1 document around a response element."""
    return _HEAD + payload + _TAIL


def rows_xml(entity: Entity, rows: Sequence[bytes], columns: Sequence[str] | None) -> bytes:
    """The `a:Columns` and `a:Row` elements; `columns` None means all of the layout."""
    names = entity.names if columns is None else columns
    head = f"<a:Columns>{' '.join(names)}</a:Columns>".encode()
    if not rows:
        return head
    if columns is not None:
        rows = list(_projected(rows, [entity.index[name] for name in columns]))
    text = _escaped(_ROW.join(rows))
    text = text.replace(_CELL, b"</a:V><a:V>").replace(_ROW, b"</a:V></a:Row><a:Row><a:V>")
    return b"".join((head, b"<a:Row><a:V>", text, b"</a:V></a:Row>"))


def page_xml(
    operation: str,
    rows: bytes,
    *,
    following: str | None,
    scanned: int,
    capped: bool,
    server_time: str,
    cut: bool = False,
) -> bytes:
    """A `ReadPageResponse` or `ReadRowResponse`; complete when nothing follows and nothing is cut.

    `cut` is the agent that gives up: no Next, and yet not the end of the file.
    """
    after = "" if following is None else f"<a:Next>{following}</a:Next>"
    tail = (
        f"{after}<a:Complete>{_truth(following is None and not cut)}</a:Complete>"
        f"<a:Scanned>{scanned}</a:Scanned>"
        f"<a:ScanLimitReached>{_truth(capped)}</a:ScanLimitReached>"
        f"<a:ServerTime>{server_time}</a:ServerTime></a:Page></a:{operation}Response>"
    )
    return b"".join((f"<a:{operation}Response><a:Page>".encode(), rows, tail.encode()))


def info_xml(
    options: AgentOptions,
    companies: Iterable[Company],
    entities: Iterable[Entity],
    server_time: str,
    *,
    aging_limits: str = "",
) -> bytes:
    """The `GetInfoResponse`; `aging_limits` in place of those of each company."""
    parts = [
        "<a:GetInfoResponse><a:Info>",
        _element("AgentVersion", options.agent_version),
        _element("Sage100Version", options.version),
        _element("Edition", options.edition),
        _element("ServerTime", server_time),
        _element("TimeZone", options.time_zone),
        "<a:Companies>",
    ]
    for company in companies:
        settings = company.options
        parts += [
            "<a:Company>",
            _element("Code", settings.code),
            _element("Name", settings.name),
            _element("Currency", settings.currency),
            _element("AgingBasis", settings.aging_basis),
            _element("AgingLimits", aging_limits or " ".join(map(str, settings.aging_limits))),
            "</a:Company>",
        ]
    parts.append("</a:Companies><a:Entities>")
    for entity in entities:
        parts += [
            "<a:Entity>",
            _element("Name", entity.name),
            _element("Key", " ".join(entity.key)),
        ]
        parts.append("<a:Columns>")
        parts += [
            f'<a:Column name="{column.name}" type="{column.type}" length="{column.length}"/>'
            for column in entity.columns
        ]
        parts.append("</a:Columns></a:Entity>")
    parts.append("</a:Entities></a:Info></a:GetInfoResponse>")
    return "".join(parts).encode()


def fault_xml(fault: AgentFault) -> bytes:
    """A whole envelope with a fault of the contract."""
    known = FAULT_CODES[fault.code]
    wait = fault.retry_after_s
    detail = (
        "<detail><a:AgentFault>"
        + _element("Code", fault.code)
        + _element("Message", fault.message)
        + _element("Retryable", _truth(known.retryable))
        + ("" if wait is None else _element("RetryAfterSeconds", str(wait)))
        + "</a:AgentFault></detail>"
    )
    return _fault(known.faultcode, fault.message, detail)


def refusal_xml(refused: RequestRefused) -> bytes:
    """A whole envelope with the fault of a request that is not of this service."""
    return _fault(refused.faultcode, refused.message, "")


def _fault(code: str, message: str, detail: str) -> bytes:
    # SOAP 1.1, section 4.4: the children of Fault are in no namespace.
    text = _escape_text(message)
    return envelope(
        f"<soap:Fault><faultcode>soap:{code}</faultcode><faultstring>{text}</faultstring>"
        f"{detail}</soap:Fault>".encode()
    )


def _projected(rows: Iterable[bytes], positions: list[int]) -> Iterable[bytes]:
    if len(positions) == 1:
        at = positions[0]
        return (row.split(_CELL, at + 1)[at] for row in rows)
    pick, last = itemgetter(*positions), max(positions)
    return (_CELL.join(pick(row.split(_CELL, last + 1))) for row in rows)


def _escaped(data: bytes) -> bytes:
    # A bare carriage return would reach the reader as a line feed (XML 1.0, section 2.11).
    data = data.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    return data.replace(b"\r", b"&#13;") if b"\r" in data else data


def _escape_text(text: str) -> str:
    return _escaped(xml_text(text).encode()).decode()


def _element(name: str, text: str) -> str:
    return f"<a:{name}>{_escape_text(text)}</a:{name}>"


def _truth(value: bool) -> str:
    return "true" if value else "false"
