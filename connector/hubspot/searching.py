"""Every record that has one of many values, as HubSpot's search index shows it.

A hundred values a call, pages of 200. A search ends at 2,000 records, long before HubSpot's own
end: what lies behind that was not seen, and a value with one record among them may have a second.
So the values are parted and searched again until all of a search is seen. A value that alone has
more records than that is told as one of `more`: whoever asks must not take those seen for all.
The index lags; what it shows is to be read before it counts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from connector.hubspot.answer import Answer, entries, text_of
from connector.hubspot.api import SEARCH_BODY_LIMIT, SEARCH_LIMIT, SEARCH_PAGE, HubSpot
from connector.hubspot.refusal import Why, why_whole

Ask = Callable[[Callable[[], Awaitable[Answer]]], Awaitable[Answer | None]]

MOST: Final = 2_000  # records of one search
_AROUND: Final = 300  # characters of a body beside values and properties


class Hits(NamedTuple):
    """What a search gave. `more`: values that may have records besides those."""

    results: list[dict[str, Any]]
    more: frozenset[str]


async def search(
    hubspot: HubSpot,
    object_type: str,
    property_name: str,
    values: Iterable[str],
    properties: Sequence[str],
    ask: Ask,
) -> Hits | Why | None:
    """Records whose property is one of these (lower-case) values; why HubSpot refuses to say.

    `ask` makes a call, and gives None when nothing can be said; so does this then.
    """
    room = SEARCH_BODY_LIMIT - len(msgspec.json.encode(properties)) - _AROUND
    parts, too_long = _parts(values, room)
    results: list[dict[str, Any]] = []
    more = set(too_long)
    todo = deque(parts)
    while todo:
        part = todo.popleft()
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            answer = await ask(
                lambda part=part, after=after: hubspot.search(  # type: ignore[misc]
                    object_type, property_name, part, properties, after
                )
            )
            if answer is None or not answer.ok:
                return None if answer is None else why_whole(answer)
            found += entries(answer.body, "results")
            after = _next(answer)
            cut = _total(answer) > MOST or (bool(after) and len(found) + SEARCH_PAGE > MOST)
            if cut or not after:
                break
        if cut and len(part) > 1:
            middle = len(part) // 2
            todo.extendleft([part[middle:], part[:middle]])
            continue
        results += found
        if cut:
            more.update(part)
    return Hits(results, frozenset(more))


def _next(answer: Answer) -> str:
    """Where the next page begins, "" when there is none."""
    paging = answer.body.get("paging") if isinstance(answer.body, dict) else None
    following = paging.get("next") if isinstance(paging, dict) else None
    return text_of(following.get("after")) if isinstance(following, dict) else ""


def _total(answer: Answer) -> int:
    """How many records the search has in all, as far as the answer says."""
    total = answer.body.get("total") if isinstance(answer.body, dict) else None
    return total if isinstance(total, int) and not isinstance(total, bool) else 0


def _parts(values: Iterable[str], room: int) -> tuple[list[list[str]], list[str]]:
    """The values in groups that one search takes, and those that are too long for any."""
    parts: list[list[str]] = []
    too_long: list[str] = []
    used = room
    for value in values:
        size = len(msgspec.json.encode(value).decode()) + 1
        if size > room:
            too_long.append(value)
            continue
        if not parts or used + size > room or len(parts[-1]) == SEARCH_LIMIT:
            parts.append([])
            used = 0
        parts[-1].append(value)
        used += size
    return parts, too_long
