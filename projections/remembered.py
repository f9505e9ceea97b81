"""What stood in a property before we wrote it, by the history that HubSpot keeps of it.

Pure. Our clock and HubSpot's need not agree, so its times are never held against ours: what lies
between two entries of a history is compared with what lies between two of our attempts. Only for
whether the newest entry is our doing at all, the two clocks are taken to be nearer to each other
than half of the time between what we knew last and our attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

_SLACK_S: Final = 0.01  # HubSpot tells milliseconds, cut off


class Entry(NamedTuple):
    """One value that a property had, from when on (seconds since 1970 by HubSpot's clock).

    `by_others`: it came in a way that no app goes.
    """

    at_s: float
    value: str
    by_others: bool = False


class Attempt(NamedTuple):
    """We wrote this value: sent and acknowledged when (seconds since 1970 by our clock).

    `known_s`: when we last knew something of the record before that; None: never.
    """

    value: str
    known_s: float | None
    sent_s: float
    acked_s: float


def before(
    history: Sequence[Entry], ours: Sequence[Attempt], same: Callable[[str, str], bool]
) -> str | None:
    """The newest value that is not our doing; None: the history does not go back that far.

    `history`: newest first, the newest being what the property holds now. `ours`: the attempts to
    look behind, oldest first. `same`: whether two texts are one value. When none of them changed
    anything, HubSpot held that before.
    """
    if not history or not ours:
        return history[0].value if history else ""
    newest, first = history[0], ours[0]
    if newest.by_others:
        return newest.value
    if first.known_s is not None and newest.at_s < (first.known_s + first.sent_s) / 2:
        return newest.value
    for entry in history[1:]:
        if not any(_is_of(entry, one, newest, ours[at:], same) for at, one in enumerate(ours)):
            return entry.value
    return None


def _is_of(
    entry: Entry,
    one: Attempt,
    newest: Entry,
    later: Sequence[Attempt],
    same: Callable[[str, str], bool],
) -> bool:
    """Whether an attempt made this entry, if a later one made the newest entry."""
    between_s = newest.at_s - entry.at_s
    if entry.by_others:
        return False
    return same(one.value, entry.value) and any(
        last.sent_s - one.acked_s - _SLACK_S <= between_s <= last.acked_s - one.sent_s + _SLACK_S
        for last in later[1:]
        if same(last.value, newest.value)
    )
