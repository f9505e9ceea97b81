"""Finding the bad records of a batch that HubSpot refused as a whole, in few calls.

A refused batch is parted in two and its first part sent. When that is taken, the culprit must be
in the second, which is then parted without being sent at all; so a culprit in the first part
costs two calls and one in the second a single call, and the parts are sized for that. One bad
record among n is found in at most ⌈log n / log φ⌉ + 1 further calls, φ = 1.618…: 11 of them for
100 records, where halves cost 14.
"""

from __future__ import annotations

from typing import NamedTuple

from connector.hubspot.culprit import parted
from connector.hubspot.settle import Refused, Settlement, Undone


class Request(NamedTuple):
    """The keys of one request. `rest`: those that hold a culprit if this request is all taken."""

    keys: tuple[str, ...]
    rest: tuple[str, ...] = ()


def following(request: Request, settled: Settlement) -> list[Request]:
    """What is to be sent after a request was settled without a verdict, in this order.

    `settled.again` is in two parts when a culprit is sought among them (`settled.sought`).
    """
    if settled.sought:
        sent, rest = settled.again
        out = [Request(sent, rest)]
    else:
        out = [Request(keys) for keys in settled.again]
    if request.rest:
        if not settled.again and not settled.resend and not _objected(settled):
            out += _inferred(request.rest)
        else:
            out.append(Request(request.rest))
    return out


def _objected(settled: Settlement) -> bool:
    """Whether HubSpot refused one of these, be it that it is looked for once more because of it."""
    return any(
        isinstance(one, Refused) or (isinstance(one, Undone) and one.blamed and not one.unknown)
        for one in settled.outcomes
    )


def _inferred(keys: tuple[str, ...]) -> list[Request]:
    """These hold a culprit, though they were not sent by themselves."""
    if len(keys) == 1:
        return [Request(keys)]
    first, second = parted(keys)
    return [Request(tuple(first), tuple(second))]
