"""How many complete sweeps in a row have missed a record: what makes the second one decisive.

The log does not say it (a record that one sweep missed is no news), so no fold of it can give the
counts back: they are a work table of the poller's own, which a rebuild of the read models leaves
as it is. A record that any pass shows has no row here, and one that has vanished needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eventstore.types import EventStore, Row, Table

# A work table: no fold of the log. By the keys of `fingerprint`.
ABSENT: Final = Table("absent")


def missed(key: str, sweeps: int) -> Row:
    """The row of a record that so many sweeps in a row have missed."""
    return Row(key, b"%d" % sweeps)


async def misses(store: EventStore, keys: Sequence[str]) -> dict[str, int]:
    """How many sweeps in a row have missed these records; those not named: none."""
    found = await store.rows({ABSENT.name: keys})
    return {key: int(row.value) for key, row in found[ABSENT.name].items()}


async def shown_again(store: EventStore, place: str, keys: Sequence[str]) -> list[str]:
    """Those of the keys, all of which begin with `place`, that a sweep has missed."""
    if not await store.scan(ABSENT.name, prefix=place, limit=1):
        return []
    return list(await misses(store, keys))
