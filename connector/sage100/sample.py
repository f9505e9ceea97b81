"""The first rows of an entity, looked at for mistakes that an agent makes without knowing.

An agent that asks Sage 100 for a column by a wrong name gets blanks and no error. And one that
parts the results of the object interface at its separator, the byte 0x8A, parts a name that holds a
Š as well, since that is its byte in Windows-1252: every cell behind it stands one column too far.
And one that takes Windows-1252 for Latin-1, or recodes it twice, makes other signs of its letters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from connector.sage100.agent import Agent
from connector.sage100.contract import Entity, Page
from connector.sage100.errors import AgentError, LogonRefused
from connector.sage100.retry import ONCE
from connector.sage100.selection import Selection

_LOOKED_AT: Final = 100  # rows
_ENOUGH: Final = 10  # rows, to say of a column that it is always blank
_NUMBER: Final = re.compile(r"\(?[-+]?[\d,]*\.?\d*-?\)?")
# What cells of these types look like, garbage among them: a wrong day is one of Sage 100's own.
_SHAPES: Final = {
    "number": _NUMBER,
    "time": _NUMBER,
    "date": re.compile(r"\d{8}|\d{4}-\d\d-\d\d"),
}


# A letter of Windows-1252 that was taken for Latin-1 (’ is U+0092), or for UTF-8 and back (â€™).
_MISREAD: Final = re.compile(
    r"[\u0080\u0082-\u008c\u008e\u0091-\u009c\u009e\u009f]|â€.|Ã[\x80-\xbf]"
)


class Sample(msgspec.Struct, frozen=True):
    """`rows` looked at; the columns that are `blank` in all of them; a cell of a row whose cells
    stand under the wrong columns, as "CreditLimit 'Y'", and in how many rows there is one.

    `misread`: a cell whose letters are others than Sage 100's, and `mangled` rows with one.
    """

    rows: int = 0
    blank: tuple[str, ...] = ()
    misplaced: str = ""
    shifted: int = 0
    misread: str = ""
    mangled: int = 0


async def sample(
    agent: Agent, companies: Sequence[str], entity: Entity, selection: Selection
) -> Sample:
    """What one company's first rows show, of the first company that has enough of them.

    Too few rows show nothing. Raises AgentError when no company could be read.
    """
    failure: AgentError | None = None
    seen: Sample | None = None
    for company in companies:
        try:
            page = await agent.read_page(
                company, selection.entity, columns=selection.columns, limit=_LOOKED_AT, retry=ONCE
            )
        except LogonRefused:
            raise
        except AgentError as problem:
            failure = failure or problem
            continue
        if len(page.rows) >= _ENOUGH:
            return look_at(page, entity)
        seen = Sample()
    if seen is None and failure is not None:
        raise failure
    return Sample()


def look_at(page: Page, entity: Entity) -> Sample:
    """What a page shows of an agent's mistakes."""
    filled = [any(cells) for cells in zip(*page.rows, strict=True)]
    blank = tuple(name for name, some in zip(page.columns, filled, strict=True) if not some)
    types = {column.name: column.type for column in entity.columns}
    shapes = [_SHAPES.get(types.get(name, "string")) for name in page.columns]
    wrong = misread = ""
    shifted = mangled = 0
    for row in page.rows:
        for name, shape, cell in zip(page.columns, shapes, row, strict=True):
            text = cell.strip()
            if text and shape is not None and shape.fullmatch(text) is None:
                wrong = wrong or f"{name} {text[:20]!r}"
                shifted += 1
                break
        for name, cell in zip(page.columns, row, strict=True):
            if not cell.isascii() and _MISREAD.search(cell) is not None:
                misread = misread or f"{name} {cell.strip()[:40]!r}"
                mangled += 1
                break
    return Sample(len(page.rows), blank, wrong, shifted, misread, mangled)
