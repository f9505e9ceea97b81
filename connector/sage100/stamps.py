"""Stamps as moments: Sage 100's own dates and decimal hours, server-local, compared with care.

A stamp is evidence of when a row was written by *some* clock: that of the server, or in Standard
edition that of whatever workstation ran the program; at the end of daylight saving an hour comes
twice. So a stamp only counts as earlier than another when it is so by more than `TOLERANCE`, and
one that lies in the future counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from connector.sage100.contract import Page
from connector.sage100.fingerprint import stamp_of
from projections import values

TOLERANCE: Final = timedelta(hours=2)
_TEXT: Final = "%Y-%m-%d %H:%M:%S"
_STAMPS: Final = ("Updated", "Created")
_STEP: Final = timedelta(hours=1)


def moment(stamp: str) -> datetime | None:
    """The server-local moment of a stamp ("20261122 8.49238"); None for blank and unreadable."""
    date, _, time = stamp.partition(" ")
    return values.moment(date, time)


def went_back(before: str, row: Mapping[str, str], now: datetime) -> bool:
    """Whether a row's stamp is earlier than the one it had, which was no stamp of the future.

    Not so for an invoice that is closed: when it leaves the open file it keeps the stamp of its
    history alone, which is the earlier one.
    """
    was, is_ = moment(before), moment(stamp_of(row))
    if was is None or is_ is None or row.get("IsOpen") == "N":
        return False
    return is_ + TOLERANCE < was <= now


def newest(page: Page, top: str) -> str:
    """The newest stamp ("2026-11-22 08:29:32") of the page's rows or `top`; future ones left out.

    Of an invoice, that of its entry (see `went_back`).
    """
    now = page.server_time
    top_day, today = top[:10].replace("-", ""), f"{now:%Y%m%d}"
    stamps = [page.cells(f"{what}{when}") for when in _STAMPS for what in ("Date", "Time")]
    for is_open, updated, updated_time, created, created_time in zip(
        page.cells("IsOpen"), *stamps, strict=True
    ):
        day, time = (created, created_time) if is_open or not updated else (updated, updated_time)
        if top_day <= day <= today:
            at = moment(f"{day} {time}")
            if at is not None and at <= now:
                top = max(top, at.strftime(_TEXT))
                top_day = top[:10].replace("-", "")
    return top


def earlier(top: str, before: str) -> bool:
    """Whether the newest stamp of all rows is earlier than it was."""
    if not top or not before:
        return False
    return datetime.fromisoformat(top) + TOLERANCE < datetime.fromisoformat(before)


def later(stamp: str, top: str) -> bool:
    """Whether a row's stamp is later than the newest one of all others."""
    at = moment(stamp)
    return at is not None and top != "" and at > datetime.fromisoformat(top)


def folds(zone: ZoneInfo, begins: datetime, ends: datetime) -> bool:
    """Whether the local clock is set back between two local moments (naive)."""
    at = begins.replace(tzinfo=zone)
    while at.replace(tzinfo=None) <= ends:
        following = (at.replace(tzinfo=None) + _STEP).replace(tzinfo=zone)
        if (following.utcoffset() or timedelta()) < (at.utcoffset() or timedelta()):
            return True
        at = following
    return False
