"""Records by their HubSpot ids as they are now: what an index or the log says of them may be old.

A batch may pass a record over without a word, which is no proof that it is gone. It is read by
itself then; so one is also found by the id of another that was merged into it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import msgspec

from connector import paging
from connector.hubspot import advice as advices
from connector.hubspot.answer import Answer, context_values, entries, text_of
from connector.hubspot.api import BATCH_LIMIT, HubSpot
from connector.hubspot.records import Record, record_of
from connector.hubspot.refusal import Why, why_whole
from connector.hubspot.searching import Ask

_GONE: Final = "OBJECT_NOT_FOUND"


class Reread(NamedTuple):
    """`found`: the id asked for to the record. `unsaid`: the id to why nothing is known of it.

    In neither is what HubSpot says that it does not have.
    """

    found: dict[str, Record]
    unsaid: dict[str, Why]


async def reread(
    hubspot: HubSpot, object_type: str, ids: Collection[str], properties: Sequence[str], ask: Ask
) -> Reread | None:
    """The records with these ids. `ask` makes a call, and gives None when nothing can be said."""
    out = Reread({}, {})
    for part in paging.parts(dict.fromkeys(ids), BATCH_LIMIT):
        answer = await ask(
            lambda part=part: hubspot.batch_read(object_type, "", part, properties)  # type: ignore[misc]
        )
        if answer is None:
            return None
        _take(answer, part, properties, out)
        silent = [one for one in part if answer.ok and one in out.unsaid]
        for one in silent:
            alone = await ask(lambda one=one: _alone(hubspot, object_type, one, properties))  # type: ignore[misc]
            if alone is None:
                return None
            del out.unsaid[one]
            _take(alone, [one], properties, out)
    return out


def _take(answer: Answer, asked: Sequence[str], properties: Sequence[str], out: Reread) -> None:
    """Add what an answer says of the ids asked for."""
    if not answer.ok:
        out.unsaid.update(dict.fromkeys(asked, why_whole(answer)))
        return
    results = entries(answer.body, "results")
    shown = [record for each in results if (record := record_of(each, properties)) is not None]
    records = {record.hubspot_id: record for record in shown}
    if len(asked) == 1 and len(shown) == 1:
        records[asked[0]] = shown[0]  # whatever its id: the one asked for was merged into it
    gone = {text_of(each.get("id")) for each in results if each.get("archived") is True}
    for error in entries(answer.body, "errors"):
        if error.get("category") == _GONE:
            gone.update(context_values(error, "ids", "id"))
    for one in asked:
        if one in records:
            out.found[one] = records[one]
        elif one not in gone:
            message = f"HubSpot's answer does not mention record {one}"
            advice = advices.advice(advices.REJECTED)
            out.unsaid[one] = Why(advices.REJECTED, message, advice, answer.status)


async def _alone(
    hubspot: HubSpot, object_type: str, record_id: str, properties: Sequence[str]
) -> Answer:
    """One record, as a batch has it: that it is not there is no failure of the call."""
    answer = await hubspot.read_record(object_type, record_id, properties)
    if not isinstance(answer.body, dict) or not (answer.ok or answer.status == 404):
        return answer
    error = {"status": "error", "category": _GONE, "context": {"ids": [record_id]}}
    gone = answer.status == 404
    body = {"results": [] if gone else [answer.body], "errors": [error] if gone else []}
    return msgspec.structs.replace(answer, status=207 if gone else answer.status, body=body)
