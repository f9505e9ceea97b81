"""The content of a row in 128 bits: what tells a change from a row seen again.

The rule of duplicates is (external key, source stamp, fingerprint): a row that comes again with
the same three is a poll queued again, and leaves no event. Stamps are columns of the row, so the
fingerprint covers them too: same key and same fingerprint is the whole test, and the same stamp
over other content is a change like any other.

Only cells that hold something count, under their canonical names and in the order of those names:
neither the agent's column order nor an all-empty new column makes rows look changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from typing import Any, Final

import msgspec

# JSON with sorted names: no two dicts of text share their bytes. (Text cannot hold half of a
# surrogate pair here; XML cannot carry one.)
_encoder: Final = msgspec.json.Encoder(order="sorted")
_plain_encoder: Final = msgspec.json.Encoder()
_UNNAMEABLE: Final = re.compile(r'["\\\x00-\x1f]')  # in no field's name of a msgspec struct


def row_of(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """The row without its empty cells."""
    return {column: cell for column, cell in zip(columns, cells, strict=True) if cell}


def fingerprint(row: Mapping[str, str]) -> str:
    """32 hexadecimal digits for a row without empty cells."""
    return blake2b(_encoder.encode(row), digest_size=16).hexdigest()


def fingerprints(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The fingerprint of each row of a page, without a dict for each."""
    if _UNNAMEABLE.search("".join(columns)) is not None:
        return [fingerprint(row_of(columns, cells)) for cells in rows]
    ordered, shape = _shape(tuple(columns))
    encode = _plain_encoder.encode
    return [blake2b(encode(shape(*ordered(cells))), digest_size=16).hexdigest() for cells in rows]


@lru_cache(maxsize=64)
def _shape(columns: tuple[str, ...]) -> tuple[Callable[[Sequence[str]], Sequence[str]], Any]:
    """How a row is brought into the order of its columns' names, and what then encodes to the
    JSON of its dict: a struct whose fields have those names and are left out when empty.
    """
    order = sorted(range(len(columns)), key=columns.__getitem__)
    fields = {f"c{place}": columns[index] for place, index in enumerate(order)}
    shape = msgspec.defstruct(
        "Shape", [(field, str, "") for field in fields], rename=fields, omit_defaults=True, gc=False
    )
    # With one index, itemgetter gives the cell and not a tuple of it.
    return itemgetter(*order) if len(order) > 1 else tuple, shape


def stamp_of(row: Mapping[str, str]) -> str:
    """The row's "DateUpdated TimeUpdated" as Sage holds them; created when never updated."""
    if date := row.get("DateUpdated"):
        return f"{date} {row.get('TimeUpdated', '')}".rstrip()
    if date := row.get("DateCreated"):
        return f"{date} {row.get('TimeCreated', '')}".rstrip()
    return ""


def stamped_before(row: Mapping[str, str], day: str) -> bool:
    """Whether every stamp of the row lies before `day` (YYYYMMDD).

    False for rows without stamps and for day "". Dates compare as text, as agents do it.
    """
    return "" < max(row.get("DateCreated", ""), row.get("DateUpdated", "")) < day
