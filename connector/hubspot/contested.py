"""A new contact whose address HubSpot gave to another one unseen, after we had looked for it.

Somebody made that one between our look and our write, or the look did not show it. By the rules for
recognising contacts it may be the same person: then the new one is not written without its address,
but looked for once more, and taken over or asked about like any that is seen at once. A person who
said that it is another one is not asked again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

import msgspec

from connector.hubspot.answer import Answer
from connector.hubspot.culprit import Input
from connector.hubspot.errors import NoAnswer
from connector.hubspot.matching import Matching
from connector.hubspot.settle import Outcome, Refused, Settlement, Undone, general_verdict
from projections.mapping.rules import ObjectMapping

Answered = Callable[[Callable[[], Awaitable[Answer]]], Awaitable[Answer]]

CATEGORY: Final = "address_taken"


async def look_again(
    matching: Matching | None,
    lane: str,
    mapping: ObjectMapping,
    settled: Settlement,
    sends: Mapping[str, Input],
    decided: Collection[str],
    answered: Answered,
) -> Settlement:
    """The settlement, with such contacts to be tried again. `decided`: keys a person answered for.

    `answered`: calls until HubSpot has answered; may raise NoAnswer.
    """
    owners = {
        outcome.key: (sends[outcome.key].properties["email"], outcome.why.owner)
        for outcome in settled.outcomes
        if isinstance(outcome, Refused)
        and sends[outcome.key].how == "create"
        and outcome.key not in decided
        and "email" in sends[outcome.key].properties
        and any(blame.property == "email" for blame in outcome.why.blames)
    }
    if matching is None or settled.verdict or not owners:
        return settled

    async def read(call: Callable[[], Awaitable[Answer]]) -> Answer | None:
        try:
            answer = await answered(call)
        except NoAnswer:
            return None
        return None if general_verdict(list(owners), answer) is not None else answer

    again = await matching.may_be(lane, mapping, owners, read)

    def outcome_of(one: Outcome) -> Outcome:
        if not isinstance(one, Refused) or one.key not in again:
            return one
        return Undone(one.key, CATEGORY, one.why.message, one.why.status, blamed=True)

    return msgspec.structs.replace(settled, outcomes=tuple(map(outcome_of, settled.outcomes)))
