"""Mistakes of an agent's programmer: right rows, wrongly told.

Reference 1.2: the object interface joins the values of a result by the byte 0x8A, which is `Š` in
Windows-1252, so an agent that splits there shifts every cell behind a real Š; and a column asked
for by a wrong name is not an error but a blank.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.sandbox.agent.conduct import Conduct
from connector.sandbox.agent.layouts import Entity
from connector.sandbox.agent.table import pack, unpack

SEPARATOR = "\u0160"  # Š, byte 0x8A
_BYTES = SEPARATOR.encode()


def distorted(conduct: Conduct, entity: Entity, rows: Sequence[bytes]) -> Sequence[bytes]:
    """The packed rows as this agent tells them; the very rows when it makes no mistake."""
    blank = [
        at
        for at, name in enumerate(entity.names)
        if f"{entity.name}.{name}" in conduct.blank_columns
    ]
    if not blank and not conduct.separator_collision:
        return rows
    return [_told(row, blank, shifts=conduct.separator_collision) for row in rows]


def _told(row: bytes, blank: Sequence[int], *, shifts: bool) -> bytes:
    if not blank and _BYTES not in row:
        return row
    cells = list(unpack(row))
    if shifts:
        cells = SEPARATOR.join(cells).split(SEPARATOR)[: len(cells)]
    for at in blank:
        cells[at] = ""
    return pack(cells)
