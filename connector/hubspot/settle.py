"""What one answer means for every input of a batch: pure, and complete whatever HubSpot says.

Each input gets exactly one outcome, or is in exactly one next request. A 2xx proves nothing by
itself: an input counts as written only when the answer shows it, by trace id, else by key, else by
HubSpot's id; never by position. What the answer passes over in silence is of unknown outcome, and
so is a record that was to be created and is not new: it is read before it counts as ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal

import msgspec

from connector.hubspot import advice as advices
from connector.hubspot.answer import Answer, clean, context_values, entries, message_of, text_of
from connector.hubspot.culprit import Input, condemned, holders, named, split
from connector.hubspot.errors import DailyLimitReached, NoAnswer, OutcomeUnknown
from connector.hubspot.passage import BLOCKED, is_blocked
from connector.hubspot.refusal import Why, codes, taken, why, why_whole
from connector.hubspot.window import Gate

# What the answer means beyond its inputs. stop: nothing more with this token. bar: nothing more of
# this kind of object. hold: the same until a scope is granted. pause: HubSpot itself is in trouble,
# not these records. spare: of today's calls none is left for these.
Verdict = Literal["", "stop", "bar", "hold", "pause", "spare"]

# Statuses of which HubSpot, or what stands before it, says that nothing was carried out.
_NOT_EXECUTED: Final = frozenset({423, 429, 477, 521, 523, 525, 526, 530})
# Statuses that a record itself can provoke, by what it makes HubSpot do.
_BLAMED_ALONE: Final = frozenset({500, 502, 504, 524})
_EXISTED: Final = "HubSpot had a record with this key by the time it was to be created"


class Written(msgspec.Struct, frozen=True):
    """HubSpot shows it: under this id, created or updated."""

    key: str
    hubspot_id: str
    created: bool


class Refused(msgspec.Struct, frozen=True):
    """HubSpot will not take it, however often it is sent."""

    key: str
    why: Why


class Undone(msgspec.Struct, frozen=True):
    """To be tried again. `unknown`: it may have been carried out. `blamed`: it is this record's."""

    key: str
    category: str
    message: str
    status: int = 0
    unknown: bool = False
    blamed: bool = False


Outcome = Written | Refused | Undone


class Settlement(msgspec.Struct, frozen=True):
    """Outcomes, the keys of each next request, and what the answer means beyond these inputs.

    `sought`: there are two next requests, and if the first is taken a culprit is in the second.
    `resend`: keys to be sent once more after everything else, changed. `heard`: HubSpot answered
    what it was asked; `wrote`: the kinds of which it answered a write; `refused`: of several kinds
    those that the token may not write, to why. `gate`: which calls are spent, where there is none
    left for these.
    """

    outcomes: tuple[Outcome, ...] = ()
    again: tuple[tuple[str, ...], ...] = ()
    sought: bool = False
    resend: tuple[str, ...] = ()
    verdict: Verdict = ""
    why: Why | None = None
    after_s: float | None = None
    heard: bool = False
    wrote: tuple[str, ...] = ()
    refused: dict[str, Why] = {}
    gate: Gate = "general"


def settle(inputs: Sequence[Input], answer: Answer, key_property: str) -> Settlement:
    """The outcomes of a batch/upsert (or update) of these inputs; keys and traces are unique."""
    general = general_verdict([one.key for one in inputs], answer)
    if general is not None:
        return general
    if answer.ok:
        return _by_item(inputs, answer, key_property)
    error = answer.body if isinstance(answer.body, dict) else {}
    reason = why_whole(answer)
    if _is_about_the_key(error, reason, key_property):
        barred = msgspec.structs.replace(
            reason,
            reason=advices.KEY_PROPERTY,
            advice=advices.advice(advices.KEY_PROPERTY, properties=[key_property]),
        )
        return _everyone(inputs, lambda key: Refused(key, barred), "bar", barred)
    if len(inputs) == 1:
        return Settlement((_refusal(inputs[0], error, reason, key_property),))
    parts = split(inputs, error)
    if taken(error) is None and not named(parts.guilty, error):
        # It may speak of many records: certain of these is only what nobody can write.
        never = condemned(error)
        blames = tuple(blame for blame in reason.blames if blame.property in never)
        reason = msgspec.structs.replace(reason, blames=blames)
    return Settlement(
        tuple(_refusal(one, error, reason, key_property) for one in parts.guilty),
        tuple(tuple(one.key for one in group) for group in parts.again),
        parts.sought,
    )


def settle_unanswered(keys: Sequence[str], problem: NoAnswer) -> Settlement:
    """The outcomes when no answer came at all."""
    unknown = isinstance(problem, OutcomeUnknown)
    message = clean(problem.what)
    blamed = unknown and len(keys) == 1
    outcomes = tuple(Undone(key, problem.category, message, 0, unknown, blamed) for key in keys)
    if isinstance(problem, DailyLimitReached):  # no trouble of HubSpot's
        return Settlement(outcomes, verdict="spare", after_s=problem.resets_in_s, gate=problem.gate)
    return Settlement(outcomes, verdict="pause")


def not_tried(keys: Sequence[str], after: Settlement) -> tuple[Outcome, ...]:
    """The outcomes of further requests of a batch that `after`'s verdict keeps from being made."""
    if after.verdict == "bar" and after.why is not None:
        return tuple(Refused(key, after.why) for key in keys)
    first = next((one for one in after.outcomes if isinstance(one, Undone)), None)
    category, message, status = ("", "", 0)
    if first is not None:
        category, message, status = first.category, first.message, first.status
    return tuple(Undone(key, category, message, status) for key in keys)


def refused_kinds(lane: str, settled: Settlement) -> dict[str, Why]:
    """What the token may not write, each kind with why, as a batch of this lane has shown."""
    if settled.refused or settled.verdict != "hold" or settled.why is None:
        return settled.refused
    return {lane: settled.why}


def general_verdict(keys: Sequence[str], answer: Answer) -> Settlement | None:
    """The settlement when the status says all: the token, the kind of object, or HubSpot itself.

    None when the answer is about what was sent. What is not HubSpot's JSON is not HubSpot's word
    on a record, whatever its status: something stands between (a proxy, a firewall).
    """
    status = answer.status
    message = message_of(answer)
    foreign = not isinstance(answer.body, dict) and status not in {413, 414}
    if answer.ok and not foreign:
        return None
    if status == 401:
        reason = why_whole(answer)
        return Settlement(
            tuple(Undone(key, "unauthorised", message, status) for key in keys),
            verdict="stop",
            why=reason,
        )
    if not foreign and status == 403:
        reason = _as(advices.MISSING_SCOPE, answer)
        outcomes = tuple(Undone(key, reason.reason, message, status) for key in keys)
        return Settlement(outcomes, verdict="hold", why=reason)
    if not foreign and (status == 404 or message.startswith("Unable to infer object type")):
        reason = _as(advices.OBJECT_UNAVAILABLE, answer)
        return Settlement(tuple(Refused(key, reason) for key in keys), verdict="bar", why=reason)
    if foreign or status < 400 or status in {408, 423, 429, 477} or status >= 500:
        unknown = answer.ok or status == 408 or (status >= 500 and status not in _NOT_EXECUTED)
        category = BLOCKED if is_blocked(answer) else _category(status)
        blamed = len(keys) == 1 and status in _BLAMED_ALONE
        return Settlement(
            tuple(Undone(key, category, message, status, unknown, blamed) for key in keys),
            verdict="pause",
            why=why_whole(answer),
            after_s=answer.retry_after_s,
        )
    return None


def _as(code: str, answer: Answer) -> Why:
    """Why a whole request was refused, under this code whatever HubSpot's is."""
    reason = why_whole(answer)
    if reason.reason == code:
        return reason
    return msgspec.structs.replace(reason, reason=code, advice=advices.advice(code, properties=[]))


def unaccounted(key: str, status: int, message: str) -> Undone:
    """The outcome of what an answer passes over; `message`: what it said, naming nobody."""
    said = message or "HubSpot's answer does not mention this record"
    return Undone(key, "unaccounted", said, status, unknown=True, blamed=True)


def _category(status: int) -> str:
    known = {423: "locked", 429: "rate_limited", 477: "migrating"}
    if status in known:
        return known[status]
    return "server_error" if status >= 500 else "unexpected_status"


def _everyone(
    inputs: Iterable[Input], outcome: Callable[[str], Outcome], verdict: Verdict, reason: Why
) -> Settlement:
    return Settlement(tuple(outcome(one.key) for one in inputs), verdict=verdict, why=reason)


def _is_about_the_key(error: dict[str, Any], reason: Why, key_property: str) -> bool:
    """Whether no record can be written because the key property is not what it must be."""
    if "by non-unique" in reason.message:
        return True
    return ("PROPERTY_DOESNT_EXIST", key_property) in [
        (code, name) for code, names in codes(error) for name in names
    ]


def _refusal(one: Input, error: dict[str, Any], reason: Why, key_property: str) -> Outcome:
    owned = taken(error)
    if owned is not None and owned.property == key_property:
        # Its own key, on another record: somebody created it meanwhile. Reading by key will tell.
        return Undone(one.key, "key_taken", reason.message, reason.status, True, True)
    if reason.transient or reason.reason == "OBJECT_NOT_FOUND":
        return Undone(one.key, reason.reason.lower(), reason.message, reason.status, True, True)
    return Refused(one.key, reason)


# -------------------------------------------------------------------- 2xx, item by item


def _by_item(inputs: Sequence[Input], answer: Answer, key_property: str) -> Settlement:
    written = _written(inputs, answer, key_property)
    refused, left_over = _refused(inputs, answer, key_property)
    outcomes: list[Outcome] = []
    for one in inputs:
        shown = written.get(one.trace)
        said_no = refused.get(one.trace)
        if shown is not None and said_no is None:
            outcomes.append(shown)
        elif said_no is not None and shown is None:
            outcomes.append(said_no)
        elif shown is not None:
            message = "HubSpot reports this record both as written and as refused"
            outcomes.append(Undone(one.key, "contradiction", message, answer.status, True, True))
        else:
            outcomes.append(unaccounted(one.key, answer.status, left_over))
    return Settlement(tuple(outcomes))


def _written(inputs: Sequence[Input], answer: Answer, key_property: str) -> dict[str, Outcome]:
    """What the results show, by trace id."""
    by_trace = {one.trace: one for one in inputs}
    by_key = {one.key: one for one in inputs}
    by_id = {one.hubspot_id: one for one in inputs if one.hubspot_id}
    out: dict[str, Outcome] = {}
    for result in entries(answer.body, "results"):
        hubspot_id = text_of(result.get("id"))
        if not hubspot_id.isascii() or not hubspot_id.isdigit() or len(hubspot_id) > 30:
            continue
        properties = result.get("properties")
        key = text_of(properties.get(key_property)) if isinstance(properties, dict) else ""
        trace = text_of(result.get("objectWriteTraceId"))
        one = by_trace.get(trace) or by_key.get(key) or by_id.get(hubspot_id)
        if one is not None and one.trace not in out:
            new = result.get("new")
            created = new if isinstance(new, bool) else answer.status == 201
            if one.how == "create" and new is False:
                # It was not there when it was looked for: whose it is, reading will tell.
                out[one.trace] = Undone(one.key, "existed", _EXISTED, answer.status, True, True)
            else:
                out[one.trace] = Written(one.key, hubspot_id, created)
    return out


def _refused(
    inputs: Sequence[Input], answer: Answer, key_property: str
) -> tuple[dict[str, Outcome], str]:
    """Refusals by trace id, and the message of one that could not be laid at anybody's door."""
    out: dict[str, Outcome] = {}
    orphans = []
    for error in entries(answer.body, "errors"):
        blamed = named(inputs, error)
        if not blamed:
            orphans.append(error)
        for one in blamed:
            out.setdefault(one.trace, _item_refusal(one, error, answer.status, key_property))
    left_over = ""
    silent = _silent(inputs, out, _written(inputs, answer, key_property))
    for error in orphans:
        sharing = holders(silent, error)
        blamed = silent if len(silent) == 1 and len(orphans) == 1 else sharing
        if len(blamed) == 1 and blamed[0].trace not in out:
            one = blamed[0]
            out[one.trace] = _item_refusal(one, error, answer.status, key_property)
        else:
            left_over = why(error, answer.status).message
    return out, left_over


def _silent(
    inputs: Sequence[Input], refused: dict[str, Outcome], written: dict[str, Outcome]
) -> list[Input]:
    return [one for one in inputs if one.trace not in refused and one.trace not in written]


def _item_refusal(one: Input, error: dict[str, Any], status: int, key_property: str) -> Outcome:
    details = [detail for detail in entries(error, "errors") if one.trace in _traces(detail)]
    # Several records in one error, each with a detail of its own: the detail says it better.
    chosen = {**error, **details[0]} if details else error
    return _refusal(one, chosen, why(chosen, status), key_property)


def _traces(detail: dict[str, Any]) -> list[str]:
    return context_values(detail, "objectWriteTraceId")
