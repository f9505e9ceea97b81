"""What an agent says of itself in GetInfo, as values.

Strict where the connector relies on it (codes, keys, column names, the clock and its zone),
silent about what it does not know: agents may say more than the contract.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Final, cast, get_args

from lxml import etree

from connector.sage100.contract import (
    MAX_COLUMNS,
    NAMESPACE,
    AgentInfo,
    Column,
    ColumnType,
    Company,
    Entity,
)
from connector.sage100.errors import BadAnswer, Call

_A: Final = f"{{{NAMESPACE}}}"
_TYPES: Final = frozenset(get_args(ColumnType))
_SHOWN: Final = 10  # names in a message
# A clock outside was never set (.NET's first year is 1), and days of such years cannot be counted
# with. Sage 100's own dates begin in the eighties.
_FIRST_YEAR: Final = 1980
_LAST_YEAR: Final = 2100


def info_of(element: etree._Element, call: Call) -> AgentInfo:
    """The Info element as a value. Raises BadAnswer naming what is missing or twice."""
    companies = element.iterfind(f"{_A}Companies/{_A}Company")
    entities = element.iterfind(f"{_A}Entities/{_A}Entity")
    try:
        info = AgentInfo(
            agent_version=_text(element, "AgentVersion"),
            sage100_version=_text(element, "Sage100Version"),
            edition=_text(element, "Edition"),
            server_time=local_time(_text(element, "ServerTime")),
            time_zone=_needed(element, "TimeZone"),
            companies=tuple(_company(one) for one in companies),
            entities=tuple(_entity(one) for one in entities),
        )
        _unique("company", [company.code for company in info.companies])
        _unique("entity", [entity.name for entity in info.entities])
    except ValueError as problem:
        raise BadAnswer(f"What the agent says of itself: {problem}.", call) from None
    return info


def local_time(text: str) -> datetime:
    """A server-local time without offset. Raises ValueError."""
    time = datetime.fromisoformat(text.strip())
    if time.tzinfo is not None:
        raise ValueError(f"ServerTime {text[:40]!r} has an offset")
    if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        raise ValueError(f"ServerTime {text[:40]!r} is no time at which a server runs")
    return time


def _company(element: etree._Element) -> Company:
    basis = _text(element, "AgingBasis") or "DueDate"
    if basis not in {"DueDate", "InvoiceDate"}:
        raise ValueError(f"AgingBasis {basis[:40]!r} is neither DueDate nor InvoiceDate")
    return Company(
        code=_needed(element, "Code"),
        name=_text(element, "Name"),
        currency=_text(element, "Currency"),
        aging_basis="DueDate" if basis == "DueDate" else "InvoiceDate",
        aging_limits=tuple(int(days) for days in _text(element, "AgingLimits").split()),
    )


def _entity(element: etree._Element) -> Entity:
    name = _needed(element, "Name")
    described = element.findall(f"{_A}Columns/{_A}Column")
    key = tuple(_needed(element, "Key").split())
    if not len(key) <= len(described) <= MAX_COLUMNS:
        raise ValueError(f"{name[:40]} has {len(described)} columns, and a key of {len(key)}")
    columns = tuple(_column(one, name) for one in described)
    names = [column.name for column in columns]
    _unique(f"column of {name}", names)
    known = set(names)
    missing = [part for part in key if part not in known]
    if missing:
        raise ValueError(f"{name} has no column for {_shown(missing)} of its key")
    return Entity(name, key, columns)


def _column(element: etree._Element, entity: str) -> Column:
    name, kind = str(element.get("name", "")), str(element.get("type", "string"))
    if not name or " " in name or kind not in _TYPES:
        raise ValueError(f"{entity} has a column {name[:40]!r} of type {kind[:40]!r}")
    return Column(name, cast(ColumnType, kind), int(element.get("length", "0") or "0"))


def _text(element: etree._Element, name: str) -> str:
    return str(element.findtext(_A + name) or "").strip()


def _needed(element: etree._Element, name: str) -> str:
    text = _text(element, name)
    if not text:
        raise ValueError(f"{name} is missing")
    return text


def _unique(what: str, names: list[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"{what} {_shown(twice)} is there twice")


def _shown(names: list[str]) -> str:
    return ", ".join(name[:40] for name in names[:_SHOWN]) + (", …" if names[_SHOWN:] else "")
