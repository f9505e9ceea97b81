"""What an answer means for every pair of an association batch, and what a read back shows.

HubSpot answers each pair in one direction or in both, with ids as texts or as numbers, and has
been seen to answer success with nothing in it. Ids of different object types coincide, so where
the way back of one pair would look like another pair, its association type must tell them apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from connector.hubspot.answer import Answer, context_values, entries, error_and_details, text_of
from connector.hubspot.culprit import parted
from connector.hubspot.refusal import Why, why, why_whole
from connector.hubspot.settle import (
    Outcome,
    Refused,
    Settlement,
    Undone,
    Written,
    general_verdict,
    unaccounted,
)

Pair = tuple[str, str]  # (from id, to id)

_NONE_FOUND: Final = "NO_ASSOCIATIONS_FOUND"
_ID_NAMES: Final = ("id", "ids", "fromObjectId", "toObjectId", "INVALID_OBJECT_IDS")


class Link(msgspec.Struct, frozen=True):
    """One association to make: the key it goes by with us, and the two HubSpot ids."""

    key: str
    pair: Pair

    @property
    def hubspot_id(self) -> str:
        """What stands for an association's id: HubSpot gives it none."""
        return f"{self.pair[0]}>{self.pair[1]}"


class Told(msgspec.Struct):
    """What an answer tells of links: linked pairs, ids of which no more is to come (also of those
    without any), and (id, paging cursor) where there is more to read.
    """

    pairs: set[Pair] = msgspec.field(default_factory=set)
    whole: set[str] = msgspec.field(default_factory=set)
    more: list[tuple[str, str]] = msgspec.field(default_factory=list)


def settle_links(links: Sequence[Link], answer: Answer) -> Settlement:
    """The outcomes of batch/associate/default; two links may be the same pair.

    A link the answer passes over is Undone with the category of `settle.unaccounted`: whoever
    called reads it back.
    """
    general = general_verdict([link.key for link in links], answer)
    if general is not None:
        return general
    if not answer.ok:
        reason = why_whole(answer)
        if len(links) == 1:
            return Settlement((_failure(links[0], reason),))
        first, second = parted(links)
        return Settlement(again=(_keys(first), _keys(second)), sought=True)
    shown = _shown({link.pair for link in links}, answer)
    outcomes: dict[str, Outcome] = {link.key: linked(link) for link in links if link.pair in shown}
    left = [link for link in links if link.key not in outcomes]
    for error in entries(answer.body, "errors"):
        reason = why(error, answer.status)
        for link in _named(left, error):
            outcomes.setdefault(link.key, _failure(link, reason))
    return Settlement(
        tuple(outcomes.get(link.key) or unaccounted(link.key, answer.status, "") for link in links)
    )


def linked(link: Link) -> Written:
    """The outcome of a link that HubSpot shows."""
    return Written(link.key, link.hubspot_id, created=True)


def read_links(answer: Answer) -> tuple[set[Pair], list[tuple[str, str]]]:
    """What batch/read shows: linked pairs, and (id, paging cursor) where there is more to read."""
    told = told_links(answer)
    return told.pairs, told.more


def told_links(answer: Answer) -> Told:
    """All that a batch/read tells, also of whom it has nothing to tell."""
    told = Told()
    for result in entries(answer.body, "results"):
        left = _id(result.get("from"))
        if left:
            _tell(told, left, entries(result, "to"), result)
    for error in entries(answer.body, "errors"):
        if _NONE_FOUND in text_of(error.get("subCategory")):
            told.whole.update(context_values(error, "fromObjectId"))
    return told


def told_links_of(left: str, answer: Answer) -> Told:
    """What a list of one record's associations shows."""
    told = Told()
    body = answer.body if isinstance(answer.body, dict) else {}
    if isinstance(body.get("results"), list):
        _tell(told, left, entries(body, "results"), body)
    return told


def _tell(told: Told, left: str, ends: Sequence[dict[str, Any]], paged: dict[str, Any]) -> None:
    told.pairs.update((left, text_of(end.get("toObjectId"))) for end in ends)
    paging = paged.get("paging")
    following = paging.get("next") if isinstance(paging, dict) else None
    after = text_of(following.get("after")) if isinstance(following, dict) else ""
    if after:
        told.more.append((left, after))
    else:
        told.whole.add(left)


def _keys(links: Sequence[Link]) -> tuple[str, ...]:
    return tuple(link.key for link in links)


def _failure(link: Link, reason: Why) -> Outcome:
    if reason.transient:
        return Undone(link.key, reason.reason.lower(), reason.message, reason.status, False, True)
    return Refused(link.key, reason)


def _shown(wanted: set[Pair], answer: Answer) -> set[Pair]:
    """Pairs that the results show, in either direction."""
    types: dict[Pair, set[str]] = {}
    for result in entries(answer.body, "results"):
        types.setdefault(_ends(result), set()).add(_type(result))
    shown = set()
    for pair in wanted:
        mirror = (pair[1], pair[0])
        there, back = types.get(pair, set()), types.get(mirror, set())
        if mirror in wanted and mirror != pair:
            # Both pairs are wanted: the same type in both directions is two results, not one
            # result and its way back.
            if (there & back) - {""}:
                shown.add(pair)
        elif there or back:
            shown.add(pair)
    return shown


def _named(links: Sequence[Link], error: dict[str, Any]) -> list[Link]:
    named: set[str] = set()
    for one in error_and_details(error):
        for text in context_values(one, *_ID_NAMES):
            # "DEAL=123 is not valid" as well as "123".
            named.update(part for part in text.replace("=", " ").split() if part.isdigit())
        ends = _ends(one)
        if all(ends):
            return [link for link in links if link.pair == ends]
    found = [link for link in links if not named.isdisjoint(link.pair)]
    return found or (list(links) if len(links) == 1 else [])


def _ends(result: dict[str, Any]) -> Pair:
    left = _id(result.get("from")) or text_of(result.get("fromObjectId"))
    right = _id(result.get("to")) or text_of(result.get("toObjectId"))
    return left, right


def _id(value: Any) -> str:
    return text_of(value.get("id")) if isinstance(value, dict) else ""


def _type(result: dict[str, Any]) -> str:
    spec = result.get("associationSpec")
    return text_of(spec.get("associationTypeId")) if isinstance(spec, dict) else ""
