"""The content of a row in 128 bits: what tells a change from a row seen again.

The rule of duplicates is (external key, source stamp, fingerprint): a row that comes again with
the same three is a poll queued again, and leaves no event. Stamps are columns of the row, so the
fingerprint covers them too: same key and same fingerprint is the whole test, and the same stamp
over other content is a change like any other.

Only cells that hold something count, under their canonical names and in the order of those names:
neither the agent's column order nor an all-empty new column makes rows look changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

# JSON with sorted names: no two dicts of text share their bytes. (Text cannot hold half of a
# surrogate pair here; XML cannot carry one.)
_encoder: Final = msgspec.json.Encoder(order="sorted")


def row_of(columns: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """The row without its empty cells."""
    return {column: cell for column, cell in zip(columns, cells, strict=True) if cell}


def fingerprint(row: Mapping[str, str]) -> str:
    """32 hexadecimal digits for a row without empty cells."""
    return blake2b(_encoder.encode(row), digest_size=16).hexdigest()


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
