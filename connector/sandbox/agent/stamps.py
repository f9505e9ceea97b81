"""Stamps as they are found: blank, all the same, in the future, of a PC with a wrong clock.

Reference 3.1: a stamp is the local time of the server, in the Standard edition of the workstation;
converted rows have none, and jobs leave many rows with one and the same. Skew of a workstation is
`Company.workstation_skew`; a clock that goes back is `Model.shift_clocks`, and the hour that comes
twice in autumn is `ZonedClock`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from connector.sandbox.agent.model import Company
from connector.sandbox.agent.values import stamp

_PAIRS = (("DateCreated", "TimeCreated"), ("DateUpdated", "TimeUpdated"))


def restamp(
    company: Company,
    entity: str,
    moment: datetime | None,
    keys: Iterable[Sequence[str]] | None = None,
    *,
    created: bool = True,
) -> int:
    """Give rows (None: every row) one and the same stamp, of any moment; None blanks it.

    `created=False` leaves the created stamps as they are. Returns how many rows were stamped.
    """
    layout = company.table(entity).entity
    cells = ("", "") if moment is None else stamp(moment)
    changes: dict[str, str] = {}
    for pair in _PAIRS if created else _PAIRS[1:]:
        changes |= {n: cell for n, cell in zip(pair, cells, strict=True) if n in layout.index}
    if keys is None:
        keys = [[row[name] for name in layout.key] for row in company.rows(entity)]
    count = 0
    for key in keys:
        company.update(entity, key, changes)
        count += 1
    return count
