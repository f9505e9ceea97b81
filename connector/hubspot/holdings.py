"""What HubSpot holds by now of records that are ours: read by key, in batches, under the limiter.

For whoever compares and does not write. Nothing is decided here; a record that is not found is left
out of the answer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from connector import paging
from connector.errors import Refused, Unreachable
from connector.hubspot.answer import Answer, entries, message_of, text_of
from connector.hubspot.api import BATCH_LIMIT, HISTORY_LIMIT, HubSpot
from connector.hubspot.delivery import full_jitter_s
from connector.hubspot.errors import NoAnswer, TokenRefused

_TRIES: Final = 6
_PASSES_BY_ITSELF: Final = frozenset({408, 423, 429, 477})

Sleep = Callable[[float], Awaitable[None]]
_Ask = Callable[[Sequence[str]], Awaitable[Answer]]


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
    wanted = list(dict.fromkeys([key_property, *properties]))

    async def ask(asked: Sequence[str]) -> Answer:
        return await hubspot.batch_read(object_type, key_property, asked, wanted)

    found: dict[str, dict[str, str]] = {}
    where = f"{hubspot.base_url}, {object_type}"
    async for answer, asked in _answers(ask, keys, BATCH_LIMIT, where, sleep):
        found |= _values(answer, key_property, frozenset(asked), properties)
    return found


async def read_histories(
    hubspot: HubSpot,
    object_type: str,
    key_property: str,
    keys: Sequence[str],
    properties: Sequence[str],
    *,
    sleep: Sleep = asyncio.sleep,
) -> dict[str, dict[str, Any]]:
    """Key to (property to its history as HubSpot tells it), of the records that HubSpot has.

    Raises Unreachable, TokenRefused, Refused.
    """

    async def ask(asked: Sequence[str]) -> Answer:
        return await hubspot.batch_read(
            object_type, key_property, asked, [key_property], properties
        )

    found: dict[str, dict[str, Any]] = {}
    where = f"{hubspot.base_url}, {object_type}"
    async for answer, asked in _answers(ask, keys, HISTORY_LIMIT, where, sleep):
        for key, result in _records(answer, key_property, frozenset(asked)):
            history = result.get("propertiesWithHistory")
            found.setdefault(key, history if isinstance(history, dict) else {})
    return found


async def _answers(
    ask: _Ask, keys: Sequence[str], most: int, where: str, sleep: Sleep
) -> AsyncIterator[tuple[Answer, Sequence[str]]]:
    """Each good answer, and the keys it was asked for; one key that is refused is left out."""
    requests = deque(paging.parts(keys, most))
    while requests:
        asked = requests.popleft()
        answer = await _answered(ask, asked, where, sleep)
        if answer.ok:
            yield answer, asked
        elif answer.status == 401:
            raise TokenRefused(message_of(answer), where=where)
        elif answer.status == 400 and len(asked) > 1:
            # One key that HubSpot will not read must not hide the others.
            middle = len(asked) // 2
            requests.extend([asked[:middle], asked[middle:]])
        elif answer.status != 400:
            raise Refused(message_of(answer), where=where)


async def _answered(ask: _Ask, asked: Sequence[str], where: str, sleep: Sleep) -> Answer:
    """An answer that will not be another one in a moment; a success that says nothing is none."""
    for failures in range(1, _TRIES + 1):
        try:
            answer = await ask(asked)
        except NoAnswer:
            if failures == _TRIES:
                raise
        else:
            passing = answer.status in _PASSES_BY_ITSELF or answer.status >= 500
            says_nothing = answer.ok and not isinstance(answer.body, dict)
            if not (passing or says_nothing):
                return answer
            if failures == _TRIES:
                raise Unreachable(message_of(answer), where=where)
        await sleep(full_jitter_s(failures))
    raise Unreachable(where=where)


def _values(
    answer: Answer, key_property: str, asked: frozenset[str], properties: Sequence[str]
) -> Mapping[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for key, result in _records(answer, key_property, asked):
        values = result["properties"]
        held = {name: text_of(values.get(name)) for name in properties}
        found.setdefault(key, {name: value for name, value in held.items() if value})
    return found


def _records(
    answer: Answer, key_property: str, asked: frozenset[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Only exactly the keys asked for: one that differs in case is another record's."""
    for result in entries(answer.body, "results"):
        values = result.get("properties")
        if not isinstance(values, dict) or result.get("archived") is True:
            continue
        key = text_of(values.get(key_property))
        if key in asked:
            yield key, result
