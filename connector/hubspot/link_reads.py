"""Reading back which of some links HubSpot holds, and of which it has really said so.

That a link is gone is believed only where HubSpot has told all of that record's links, or that it
has none. An answer that passes a record over proves nothing: of such a record the links are asked
for alone, where "none" is an answer of its own; and what is not told even then stays unknown.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from connector import paging
from connector.hubspot.answer import Answer
from connector.hubspot.api import LINK_READ_LIMIT
from connector.hubspot.associations import Link, Pair, Told, told_links, told_links_of
from connector.hubspot.delivery import Delivery
from connector.hubspot.errors import NoAnswer
from connector.hubspot.settle import Settlement, general_verdict, settle_unanswered

_MOST_CALLS: Final = 50  # of one read back in batches; what is beyond stays unknown
_MOST_ALONE: Final = 100  # records asked for alone


class ReadBack(msgspec.Struct):
    """Pairs that are linked, ids of which everything was told, and why nothing can be said."""

    there: set[Pair] = msgspec.field(default_factory=set)
    told: set[str] = msgspec.field(default_factory=set)
    trouble: Settlement | None = None

    def shows(self, link: Link) -> bool:
        """Whether HubSpot holds it."""
        return link.pair in self.there

    def denies(self, link: Link) -> bool:
        """Whether HubSpot has said that it does not."""
        return link.pair not in self.there and link.pair[0] in self.told


async def read_back(delivery: Delivery, types: tuple[str, str], links: Sequence[Link]) -> ReadBack:
    """What HubSpot holds of these links between records of two types."""
    found = ReadBack()
    ids = list(dict.fromkeys(link.pair[0] for link in links))
    await _together(delivery, types, ids, found)
    for record_id in [one for one in ids if one not in found.told][:_MOST_ALONE]:
        if found.trouble is not None:
            break
        await _alone(delivery, types, record_id, found)
    return found


async def _together(
    delivery: Delivery, types: tuple[str, str], ids: Sequence[str], found: ReadBack
) -> None:
    hubspot = delivery.around.hubspot
    requests = deque([(one, "") for one in part] for part in paging.parts(ids, LINK_READ_LIMIT))
    for _ in range(_MOST_CALLS):
        if not requests:
            return
        asked = requests.popleft()
        answer = await _answer(
            delivery,
            [one for one, _ in asked],
            lambda asked=asked: hubspot.read_associations(*types, asked),  # type: ignore[misc]
            found,
        )
        if answer is None:
            return
        if answer.ok:
            told = told_links(answer)
            _take(told, found)
            if told.more:
                requests.append(told.more)
        elif len(asked) > 1:
            # One id that HubSpot will not read must not hide the others.
            middle = len(asked) // 2
            requests.extend([asked[:middle], asked[middle:]])


async def _alone(
    delivery: Delivery, types: tuple[str, str], record_id: str, found: ReadBack
) -> None:
    hubspot = delivery.around.hubspot
    after = ""
    for _ in range(_MOST_CALLS):
        answer = await _answer(
            delivery,
            [record_id],
            lambda after=after: hubspot.read_links(types[0], record_id, types[1], after),  # type: ignore[misc]
            found,
            missing=True,
        )
        if answer is None or not answer.ok:
            return
        told = told_links_of(record_id, answer)
        _take(told, found)
        if not told.more:
            return
        [(_, after)] = told.more


def _take(told: Told, found: ReadBack) -> None:
    found.there |= told.pairs
    found.told |= told.whole


async def _answer(
    delivery: Delivery,
    asked: Sequence[str],
    call: Callable[[], Awaitable[Answer]],
    found: ReadBack,
    *,
    missing: bool = False,
) -> Answer | None:
    """The answer, or None with the trouble noted. `missing`: a 404 is about the record."""
    try:
        answer = await delivery.answered(call)
    except NoAnswer as problem:
        found.trouble = settle_unanswered(asked, problem)
        return None
    if missing and answer.status == 404 and isinstance(answer.body, dict):
        return answer
    found.trouble = general_verdict(asked, answer)
    return None if found.trouble is not None else answer
