"""Mistakes of an agent's programmer: right rows, wrongly told.

Reference 1.2: the object interface joins the values of a result by the byte 0x8A, which is `Š` in
Windows-1252, so an agent that splits there shifts every cell behind a real Š; a column asked for by
a wrong name is not an error but a blank; and text is Windows-1252, whatever else it is taken for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connector.sandbox.agent.conduct import Conduct, Misreading
from connector.sandbox.agent.layouts import Entity
from connector.sandbox.agent.table import pack, unpack

SEPARATOR = "\u0160"  # Š, byte 0x8A
_BYTES = SEPARATOR.encode()
_UNDEFINED = frozenset({0x81, 0x8D, 0x8F, 0x90, 0x9D})  # in Windows-1252
_LETTERS = {
    byte: bytes([byte]).decode("cp1252") for byte in range(0x80, 0xA0) if byte not in _UNDEFINED
}
_AS_LATIN_1 = {ord(letter): chr(byte) for byte, letter in _LETTERS.items()}


def distorted(conduct: Conduct, entity: Entity, rows: Sequence[bytes]) -> Sequence[bytes]:
    """The packed rows as this agent tells them; the very rows when it makes no mistake."""
    blank = [
        at
        for at, name in enumerate(entity.names)
        if f"{entity.name}.{name}" in conduct.blank_columns
    ]
    misread = {
        at: how
        for at, name in enumerate(entity.names)
        if (how := conduct.misread.get(f"{entity.name}.{name}", conduct.misread.get("*")))
    }
    if not blank and not misread and not conduct.separator_collision:
        return rows
    return [_told(row, blank, misread, shifts=conduct.separator_collision) for row in rows]


def misread_as(text: str, how: Misreading) -> str:
    """The text as an agent tells it that takes its bytes for something else."""
    if text.isascii():
        return text
    if how == "latin-1":
        return text.translate(_AS_LATIN_1)
    return text.encode().decode("latin-1").translate(_LETTERS)


def _told(
    row: bytes, blank: Sequence[int], misread: Mapping[int, Misreading], *, shifts: bool
) -> bytes:
    cells = list(unpack(row))
    if shifts and _BYTES in row:
        cells = SEPARATOR.join(cells).split(SEPARATOR)[: len(cells)]
    for at in blank:
        cells[at] = ""
    for at, how in misread.items():
        cells[at] = misread_as(cells[at], how)
    return pack(cells)
