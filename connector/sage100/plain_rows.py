"""A page's rows without a tree, where an agent writes them in the plain form that most do.

The rows of a page are nine tenths of what Sage 100's side sends, and to read their cells from a
tree costs twice what it takes to cut their text at its tags. So where the rows are nothing but
`<Row><V>text</V>…</Row>` one after the other, as XML writers put them that neither indent nor
decorate, they are cut, and libxml2 reads the answer with its first row only: it says whether that
is a row of a page in a sound envelope, and what follows it is of the very same shape. Whatever is
not of this form, down to a comment or a character that XML forbids, is libxml2's as a whole.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_BEGINS: Final = re.compile(rb"<((?:[A-Za-z_][A-Za-z0-9_.-]*:)?)Row>")
# Octets that XML 1.0 forbids, and \r, which it makes \n.
_NOT_PLAIN: Final = bytes({*range(0x20)} - {0x09, 0x0A})
_PIECE_BYTES: Final = 16 * 1024  # copies of a whole page make the heap grow and shrink each time
_CELL: Final = "\x1f"  # one of them: it stands in no text
# The last one last, for what it uncovers is text.
_REFERENCES: Final = (
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", '"'),
    ("&apos;", "'"),
    ("&amp;", "&"),
)


class PlainRows(NamedTuple):
    """Rows of text, all as long as the first, and the answer without those behind it."""

    rows: list[tuple[str, ...]]
    rest: bytes


def cut(answer: bytes) -> PlainRows | None:
    """The rows of an answer and what else there is of it; None when they are not in plain form."""
    found = _BEGINS.search(answer)
    if found is None:
        return None
    prefix = found[1].decode("ascii")
    closing = f"</{prefix}Row>"
    mark = closing.encode()
    begins, ends = found.start(), answer.rfind(mark) + len(mark)
    if ends <= begins:
        return None
    rows: list[tuple[str, ...]] = []
    at = begins
    while at < ends:
        reach = answer.find(mark, at + _PIECE_BYTES, ends)
        to = ends if reach < 0 else reach + len(mark)
        some = _rows(answer[at:to], prefix)
        if some is None or len(some[0]) != len((rows or some)[0]):
            return None
        rows += some
        at = to
    first_ends = answer.index(mark, begins) + len(mark)
    return PlainRows(rows, answer[:first_ends] + answer[ends:])


def _rows(between: bytes, prefix: str) -> list[tuple[str, ...]] | None:
    """The cells of rows one after the other; None where anything else stands."""
    if len(between.translate(None, _NOT_PLAIN)) != len(between):
        return None
    try:
        text = between.decode("utf-8")
    except UnicodeDecodeError:
        return None
    opens, closes = f"<{prefix}V>", f"</{prefix}V>"
    head, tail = f"<{prefix}Row>{opens}", f"{closes}</{prefix}Row>"
    if "/>" in text:
        for empty in (f"<{prefix}V/>", f"<{prefix}V />"):
            text = text.replace(empty, opens + closes)
    if not (text.startswith(head) and text.endswith(tail)):
        return None
    written = text.split(tail + head)
    written[0] = written[0].removeprefix(head)
    written[-1] = written[-1].removesuffix(tail)
    rows = [tuple(row.split(closes + opens)) for row in written]
    width = len(rows[0])
    if any(len(row) != width for row in rows):
        return None
    # Two tags a cell, two a row, and none besides.
    if text.count("<") != 2 * len(rows) * (width + 1) or ("]" in text and "]]>" in text):
        return None
    if "\ufffe" in text or "\uffff" in text:
        return None
    for place, row in enumerate(written):
        if "&" in row:
            if row.count("&") != sum(row.count(name) for name, _ in _REFERENCES):
                return None
            rows[place] = _resolved(rows[place])
    return rows


def _resolved(row: tuple[str, ...]) -> tuple[str, ...]:
    """The row with what its references stand for."""
    text = _CELL.join(row)
    for name, character in _REFERENCES:
        text = text.replace(name, character)
    return tuple(text.split(_CELL))
