"""Whether what we send gets through to HubSpot, or something on the way turns it back.

A firewall or a proxy answers in HubSpot's place, with a page of its own and a 4xx. Where it does so
to everybody that is an outage like any other, and nobody's fault. Where it does so to one record,
sent alone, while others get through, it is something in that record: it is tried as often as any,
and then parked with advice for whoever looks after the network.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from connector.hubspot.answer import Answer

BLOCKED: Final = "blocked"
ADVICE: Final = (
    "Something between here and HubSpot (a firewall, a proxy) turns this record back and lets "
    "others through: something in its content looks like an attack. The page it answers with is in "
    "the message. Have it let this pass, or change the text in Sage 100. Then: ml-connector retry "
    "blocked"
)
_MOST_IN_A_ROW: Final = 16  # more than it takes to find one record among 2,000
# Statuses that have a meaning of their own, whoever answers with them.
_KNOWN: Final = frozenset({401, 408, 413, 414, 423, 429, 477})


def is_blocked(answer: Answer) -> bool:
    """Whether this is no word of HubSpot's, but of something that will not let the request pass."""
    foreign = not isinstance(answer.body, dict)
    return foreign and 400 <= answer.status < 500 and answer.status not in _KNOWN


class Passage:
    """What got through and what did not, of one writer."""

    def __init__(self) -> None:
        self._through = 0
        self._in_a_row = 0
        self._turned_back: dict[str, int] = {}  # target to how many writes had got through then

    def got_through(self, names: Collection[str]) -> None:
        """HubSpot itself answered a write of these."""
        self._through += 1
        self._in_a_row = 0
        for name in names:
            self._turned_back.pop(name, None)

    def turned_back(self, names: Collection[str]) -> bool:
        """These were turned back. True: it is one of them, for others got through meanwhile."""
        self._in_a_row += 1
        marks = [self._turned_back.setdefault(name, self._through) for name in names]
        if self._in_a_row <= _MOST_IN_A_ROW and any(mark < self._through for mark in marks):
            return True  # the marks stay: what is found out next rests on the same
        self._turned_back.update(dict.fromkeys(names, self._through))
        return False
