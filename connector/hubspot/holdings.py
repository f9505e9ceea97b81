"""What HubSpot holds by now of records that are ours: read by key, in batches, under the limiter.

For whoever compares and does not write. Nothing is decided here; a record that is not found is left
out of the answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from connector.errors import Refused, Unreachable
from connector.hubspot.answer import Answer, entries, message_of, text_of
from connector.hubspot.api import BATCH_LIMIT, HubSpot
from connector.hubspot.delivery import full_jitter_s
from connector.hubspot.errors import NoAnswer, TokenRefused

_TRIES: Final = 6
_PASSES_BY_ITSELF: Final = frozenset({408, 423, 429, 477})

Sleep = Callable[[float], Awaitable[None]]


async def read_holdings(
    hubspot: HubSpot,
    object_type: str,
    key_property: str,
    keys: Sequence[str],
    properties: Sequence[str],
    *,
    sleep: Sleep = asyncio.sleep,
) -> dict[str, dict[str, str]]:
    """Key to (property to value, without empty ones), of the records that HubSpot has.

    Raises Unreachable, TokenRefused, Refused.
    """
    found: dict[str, dict[str, str]] = {}
    wanted = list(dict.fromkeys([key_property, *properties]))
    requests = deque(
        keys[start : start + BATCH_LIMIT] for start in range(0, len(keys), BATCH_LIMIT)
    )
    while requests:
        asked = requests.popleft()
        answer = await _answered(hubspot, object_type, key_property, asked, wanted, sleep)
        if answer.ok:
            found |= _values(answer, key_property, frozenset(asked), properties)
        elif answer.status == 401:
            raise TokenRefused(message_of(answer), where=hubspot.base_url)
        elif answer.status == 400 and len(asked) > 1:
            # One key that HubSpot will not read must not hide the others.
            middle = len(asked) // 2
            requests.extend([asked[:middle], asked[middle:]])
        elif answer.status != 400:
            raise Refused(message_of(answer), where=f"{hubspot.base_url}, {object_type}")
    return found


async def _answered(
    hubspot: HubSpot,
    object_type: str,
    key_property: str,
    asked: Sequence[str],
    properties: Sequence[str],
    sleep: Sleep,
) -> Answer:
    """An answer that will not be another one in a moment."""
    for failures in range(1, _TRIES + 1):
        try:
            answer = await hubspot.batch_read(object_type, key_property, asked, properties)
        except NoAnswer:
            if failures == _TRIES:
                raise
        else:
            passing = answer.status in _PASSES_BY_ITSELF or answer.status >= 500
            if not passing:
                return answer
            if failures == _TRIES:
                raise Unreachable(message_of(answer), where=hubspot.base_url)
        await sleep(full_jitter_s(failures))
    raise Unreachable(where=hubspot.base_url)


def _values(
    answer: Answer, key_property: str, asked: frozenset[str], properties: Sequence[str]
) -> Mapping[str, dict[str, str]]:
    """Only exactly the keys asked for: one that differs in case is another record's."""
    found: dict[str, dict[str, str]] = {}
    for result in entries(answer.body, "results"):
        values = result.get("properties")
        if not isinstance(values, dict) or result.get("archived") is True:
            continue
        key = text_of(values.get(key_property))
        if key in asked:
            held = {name: text_of(values.get(name)) for name in properties}
            found.setdefault(key, {name: value for name, value in held.items() if value})
    return found
