"""Requests to the agent: SOAP 1.1, document/literal wrapped, as bytes.

Built from text with everything escaped; the shapes are few and fixed, and a tree would buy
nothing. What XML cannot carry is refused here, before it travels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from connector.sage100.contract import MAX_LIMIT, NAMESPACE, SOAP, Operation

_FORBIDDEN: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})


def soap_action(operation: Operation) -> str:
    """The SOAPAction header's value, quotes included."""
    return f'"{NAMESPACE}/{operation}"'


def get_info() -> bytes:
    """GetInfo needs nothing."""
    return _envelope("GetInfo", ())


def read_page(
    company: str,
    entity: str,
    *,
    columns: Sequence[str] = (),
    changed_since: str = "",
    after: str = "",
    limit: int = MAX_LIMIT,
) -> bytes:
    """ReadPage; what is empty is left out. `changed_since` YYYYMMDD, `limit` 1 to 500 rows.

    Raises ValueError for a limit out of range and for text that XML cannot carry.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"a page has 1 to {MAX_LIMIT} rows, not {limit}")
    parts = [_element("CompanyCode", company), _element("Entity", entity)]
    if columns:
        parts.append(_element("Columns", " ".join(columns)))
    if changed_since:
        parts.append(_element("ChangedSince", changed_since))
    if after:
        parts.append(_element("After", after))
    parts.append(_element("Limit", str(limit)))
    return _envelope("ReadPage", parts)


def read_row(company: str, entity: str, key: Sequence[str]) -> bytes:
    """ReadRow for one key, its parts in key order. Raises ValueError as `read_page`."""
    values = "".join(_element("V", part) for part in key)
    parts = [_element("CompanyCode", company), _element("Entity", entity)]
    return _envelope("ReadRow", [*parts, f"<a:Key>{values}</a:Key>"])


def _element(name: str, text: str) -> str:
    if _FORBIDDEN.search(text) is not None:
        raise ValueError(f"{name} holds characters that XML cannot carry: {text!r}")
    return f"<a:{name}>{text.translate(_ESCAPES)}</a:{name}>"


def _envelope(operation: Operation, parts: Iterable[str]) -> bytes:
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        f'<soap:Envelope xmlns:soap="{SOAP}" xmlns:a="{NAMESPACE}"><soap:Body>'
        f"<a:{operation}>{''.join(parts)}</a:{operation}>"
        "</soap:Body></soap:Envelope>"
    ).encode()
